-- What reconciliation found and mended, at whoever compares the books.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.reconciliation_run (
    id          uuid PRIMARY KEY,          -- UUIDv7: in order of time
    started_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    lease_until timestamptz NOT NULL,      -- renewed while it runs: after that its process is gone, and another may begin
    repairs     boolean NOT NULL,          -- whether it mends, or only looks
    keys        bigint NOT NULL DEFAULT 0, -- how many business keys it has compared
    findings    bigint NOT NULL DEFAULT 0, -- all; the first thousand are kept
    repaired    bigint NOT NULL DEFAULT 0,
    error       text                       -- why it is not the whole truth: a book that was away, for instance
);
-- One at a time.
CREATE UNIQUE INDEX reconciliation_running ON settle.reconciliation_run ((true)) WHERE ended_at IS NULL;

CREATE TABLE settle.reconciliation_finding (
    id         uuid PRIMARY KEY,
    run_id     uuid NOT NULL REFERENCES settle.reconciliation_run (id) ON DELETE CASCADE,
    finding    text NOT NULL,              -- as in the report, JSON
    applied_at timestamptz                 -- when a person had its proposal applied
);
CREATE INDEX reconciliation_finding_run ON settle.reconciliation_finding (run_id, id);

-- All that was ever mended: by a run, or by a person who had a proposal applied.
CREATE TABLE settle.reconciliation_repair (
    id         uuid PRIMARY KEY,
    made_at    timestamptz NOT NULL DEFAULT now(),
    kind       text NOT NULL,              -- of the finding
    key        text NOT NULL,              -- whose: an order's id, an account, an XID, …
    before     text NOT NULL,              -- what was found
    after      text NOT NULL,              -- what was done about it
    reason     text NOT NULL
);
CREATE INDEX reconciliation_repair_key ON settle.reconciliation_repair (key, kind, made_at);
