-- Messages that a receiver cannot handle now, in its own database: they wait here, so that their neighbours need not
-- wait with them, or they are dead letters. A row is committed before its delivery is acknowledged, and goes once its
-- message is applied and answered.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.set_aside (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue         text NOT NULL,
    exchange      text NOT NULL,
    routing_key   text NOT NULL,
    message_id    text,
    headers       jsonb NOT NULL,
    body          bytea,                     -- null: too long to be kept here; the dead-letter queue has it
    bytes         bigint NOT NULL CHECK (bytes >= 0),
    fingerprint   bytea NOT NULL,            -- of message id and body
    state         text NOT NULL CHECK (state IN ('waiting', 'dead')),
    reason        text NOT NULL,
    tries         integer NOT NULL DEFAULT 0 CHECK (tries >= 0),       -- decides how long it waits for the next one
    failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),    -- those tries that no held row explains
    due_time      timestamptz NOT NULL,      -- when it is tried again; the lease of whoever tries it, too
    created_at    timestamptz NOT NULL DEFAULT now(),
    waiting_since timestamptz NOT NULL DEFAULT now(),
    resent_at     timestamptz,               -- when an operator last had it tried again
    CHECK (state = 'dead' OR body IS NOT NULL)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);

-- A delivery that comes again, after a crash before its acknowledgement for instance, makes no second row.
CREATE UNIQUE INDEX set_aside_message ON settle.set_aside (queue, fingerprint);
-- What is tried next, and how much waits; nearly always empty.
CREATE INDEX set_aside_due ON settle.set_aside (due_time) INCLUDE (bytes) WHERE state = 'waiting';
CREATE INDEX set_aside_dead ON settle.set_aside (id) INCLUDE (bytes) WHERE state = 'dead';
