-- Every branch and decision that is written looks at the condition of the index of foreign XIDs (settle_0008), twice or more,
-- and the regular expression there took longer than the rest of the row. This takes for an XID of `XID()` what looks so at a
-- glance: the version's digit at its place, and a time before the year 2100. Whatever else looks so comes up for purge when the
-- time that it seems to name is past.
DROP INDEX settle.branch_foreign;
DROP INDEX settle.global_transaction_foreign;

CREATE INDEX branch_foreign ON settle.branch (created_at, xid)
    WHERE substr(xid, 15, 1) <> '7' OR length(xid) <> 36 OR xid COLLATE "C" >= '03bb2cc3-d800';
CREATE INDEX global_transaction_foreign ON settle.global_transaction (created_at, xid)
    WHERE substr(xid, 15, 1) <> '7' OR length(xid) <> 36 OR xid COLLATE "C" >= '03bb2cc3-d800';
