-- Purge. BRIN fits a table that only grows: after one round of purge, vacuum and reuse every block range holds old and new
-- rows, and each batch would read the whole table. XIDs are UUIDs of version 7, whose text is in the order of time, so
-- the primary key finds the old ones. What an initiator of another make sends need not be one: such rows, and only they,
-- get an index of their own, which costs the others nothing but the look at the condition.
DROP INDEX IF EXISTS settle.branch_created;
DROP INDEX IF EXISTS settle.global_transaction_created;

CREATE INDEX branch_foreign ON settle.branch (created_at, xid)
    WHERE xid !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$';
CREATE INDEX global_transaction_foreign ON settle.global_transaction (created_at, xid)
    WHERE xid !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$';

-- From here on branch.initiator and global_transaction.participants hold names that configuration resolves. Rows of
-- earlier versions hold base URLs; one that belongs to a configured service is taken for that service's name.

-- Who decided in place of an initiator that will never say anything, and why. Never purged.
CREATE TABLE settle.operator_decision (
    xid            text PRIMARY KEY CHECK (length(xid) BETWEEN 1 AND 64),
    decision       text NOT NULL CHECK (decision IN ('commit', 'abort')),
    operator       text NOT NULL CHECK (length(operator) BETWEEN 1 AND 128),
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
    forced         boolean NOT NULL,
    initiator      text NOT NULL,  -- as the branch has it
    initiator_said text NOT NULL CHECK (initiator_said IN ('unresolved', 'unreachable', 'undecided', 'commit', 'abort')),
    decided_at     timestamptz NOT NULL DEFAULT now(),
    outcome        text CHECK (outcome IN ('committed', 'rolledBack'))  -- what became of the branch; null until it has ended
);
CREATE INDEX operator_decision_decided ON settle.operator_decision (decided_at);
