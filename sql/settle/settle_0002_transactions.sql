-- Global transactions: what the initiator decided, and what each participant did and must still decide.
CREATE SCHEMA IF NOT EXISTS settle;

-- At the initiator. The row is inserted by the initiator's own business transaction: that commit is the decision. No
-- row means abort, and whoever must know for certain inserts an 'abort' first: then a late commit fails on the key.
CREATE TABLE settle.global_transaction (
    xid             text PRIMARY KEY CHECK (length(xid) BETWEEN 1 AND 64),
    decision        text NOT NULL CHECK (decision IN ('commit', 'abort')),
    participants    text[] NOT NULL DEFAULT '{}',       -- base URLs that phase 2 must reach
    created_at      timestamptz NOT NULL DEFAULT now(),
    due_time        timestamptz NOT NULL DEFAULT now() + interval '5 seconds', -- until then its writer tells them
    attempts        integer NOT NULL DEFAULT 0,
    acknowledged_at timestamptz,                        -- when every participant had confirmed
    CHECK (decision = 'abort' OR cardinality(participants) > 0)
) WITH (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

-- What a scan finds when the writer died in phase 2.
CREATE INDEX global_transaction_due ON settle.global_transaction (due_time)
    WHERE decision = 'commit' AND acknowledged_at IS NULL;
-- What the purge finds; a BRIN index costs next to nothing to write and fits rows that come in the order of time.
CREATE INDEX global_transaction_created ON settle.global_transaction USING brin (created_at);

-- At the participant: one row for each transaction it took part in. It is inserted by the transaction that does the
-- participant's part, so the part and its memory exist together or not at all. A rollback that finds none leaves one,
-- so that a request that was overtaken by its own rollback is refused by the primary key.
CREATE TABLE settle.branch (
    xid        text PRIMARY KEY CHECK (length(xid) BETWEEN 1 AND 64),
    state      text NOT NULL CHECK (state IN ('undecided', 'committed', 'rolledBack')),
    mode       text CHECK (mode IN ('at', 'tcc', 'xa', 'saga')),  -- null in the memory of a rollback without a branch
    action     text,                   -- which of the participant's actions
    initiator  text,                   -- base URL of who decides
    request    text,                   -- what confirm, cancel or the compensation need to know, as JSON
    answer     text,                   -- what was answered, as JSON: a request that comes twice gets it again
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    check_time timestamptz NOT NULL DEFAULT now() + interval '3 seconds',  -- when the initiator is asked, if it has said nothing
    checks     integer NOT NULL DEFAULT 0,
    errormsg   text,                   -- why it could not be ended; an operator must look
    CHECK ((state = 'undecided') = (ended_at IS NULL)),
    CHECK (state = 'rolledBack' OR (mode IS NOT NULL AND action IS NOT NULL AND initiator IS NOT NULL))
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX branch_undecided ON settle.branch (check_time) WHERE state = 'undecided';
CREATE INDEX branch_created ON settle.branch USING brin (created_at);
