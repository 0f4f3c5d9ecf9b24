-- Until when a branch's global transaction may still be decided, in this database's time. Before it, a question to the
-- initiator only reads; null, in rows from before this migration: it has passed.
ALTER TABLE settle.branch ADD deadline timestamptz;
