-- Messages that a message centre keeps, on the side of their producer. A pre-message is saved before the business transaction
-- that it belongs to; that transaction makes it 'done'. One that is still 'pre' after its deadline was never meant, and goes.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.pre_message (
    id           uuid PRIMARY KEY,            -- UUIDv7: made by the producer, and in order of time
    create_time  timestamptz NOT NULL DEFAULT now(),
    message_type text NOT NULL CHECK (message_type <> ''),
    business_key text NOT NULL CHECK (business_key <> ''),  -- what it is about, an order's id for instance
    exchange     text NOT NULL,
    routing_key  text NOT NULL,
    body         text NOT NULL,
    traceparent  text,
    state        text NOT NULL CHECK (state IN ('pre', 'done')),
    deadline     timestamptz NOT NULL,        -- until then nobody but its transaction decides
    attempts     integer NOT NULL DEFAULT 0,  -- how often it came due
    due_time     timestamptz NOT NULL         -- when the centre is told again
) WITH (
    -- Room on the page: becoming 'done' stays HOT. Rows live for milliseconds, as tasks do: vacuumed by count.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
CREATE INDEX pre_message_due ON settle.pre_message (due_time);
CREATE INDEX pre_message_business_key ON settle.pre_message (business_key);

-- What became of them: a message whose transaction was never done is 'void' here, and no late commit makes it 'done' any more.
CREATE TABLE settle.message_his (
    id           uuid PRIMARY KEY,  -- the message's own: a second outcome cannot make a second row
    create_time  timestamptz NOT NULL,
    delete_time  timestamptz NOT NULL DEFAULT now(),
    message_type text NOT NULL,
    business_key text NOT NULL,
    status       text NOT NULL CHECK (status IN ('finished', 'rejected', 'confirmed', 'void')),
    attempts     integer NOT NULL,
    errormsg     text,
    CHECK (status <> 'rejected' OR errormsg IS NOT NULL)
);
CREATE INDEX message_his_business_key ON settle.message_his (business_key);

-- For a business transaction whose message is not waiting for it any more.
CREATE FUNCTION settle.message_too_late() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ST010', MESSAGE = 'a message of this transaction was given up, or never saved';
END $$;
