-- What a task may ask for beyond being sent at once: a time, a place in a line, an end, to be the only one of its kind. One
-- that asks for nothing has NULLs here, which take no room in its row, and is in none of the indexes for them.
ALTER TABLE task
    ADD COLUMN not_before timestamptz,      -- what due_time was at first
    ADD COLUMN order_key  text COLLATE "C", -- tasks with the same one are sent in order, each when the one before is answered
    ADD COLUMN expires_at timestamptz,      -- when it is given up; one that is parked for it loses it
    ADD COLUMN on_expiry  text,
    ADD COLUMN unique_key text COLLATE "C", -- there is one live task of a type with it
    -- One, which a task that asks for nothing passes by its first line.
    ADD CONSTRAINT task_options_check CHECK (
        order_key IS NULL AND unique_key IS NULL AND expires_at IS NULL AND on_expiry IS NULL
        OR coalesce(octet_length(order_key) BETWEEN 1 AND 255, true)
           AND coalesce(octet_length(unique_key) BETWEEN 1 AND 255, true)
           AND (expires_at IS NULL) = (on_expiry IS NULL) AND coalesce(on_expiry IN ('drop', 'park'), true)),
    DROP CONSTRAINT task_status_check,
    -- waiting: behind another one of its line; paused: its type is, and this one has come due since.
    ADD CONSTRAINT task_status_check CHECK (status IN ('pending', 'parked', 'waiting', 'paused'));

-- The history may be long: what is there already is not read for this.
ALTER TABLE task_his
    ADD COLUMN not_before timestamptz,
    ADD COLUMN order_key  text COLLATE "C",
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN on_expiry  text,
    ADD COLUMN unique_key text COLLATE "C",
    DROP CONSTRAINT task_his_status_check,
    ADD CONSTRAINT task_his_status_check CHECK (status IN ('finished', 'rejected', 'expired', 'discarded')) NOT VALID;

-- All that is live and not to be sent. As few indexes as can be: each is a lock more that an insert takes.
DROP INDEX task_parked;
CREATE INDEX task_held ON task (status, id) WHERE status <> 'pending';
CREATE INDEX task_line ON task (order_key, id) WHERE order_key IS NOT NULL;
CREATE INDEX task_expiry ON task (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX task_unique ON task (task_type, unique_key) WHERE unique_key IS NOT NULL;

-- Types that are not sent for the time being.
CREATE TABLE task_pause (
    task_type text COLLATE "C" PRIMARY KEY CHECK (octet_length(task_type) BETWEEN 1 AND 255),
    paused_at timestamptz NOT NULL DEFAULT now(),
    reason    text,
    resuming  boolean NOT NULL DEFAULT false  -- over, but for those tasks that are still marked as paused
);

-- A line's order is that of the commits. Whoever adds to it keeps others from adding until his transaction ends, and only then
-- takes the number that gives the place: so whatever has a lower number is committed, and can be seen.
CREATE FUNCTION task_take_place() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    last bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- An older snapshot would show tasks that are gone, and hide others.
        RAISE EXCEPTION USING ERRCODE = 'ST020',
            MESSAGE = 'a task with an order key is added in a transaction of the level READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.order_key, TG_RELID::bigint));
    NEW.id := nextval(pg_get_serial_sequence(format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), 'id'));
    LOOP
        SELECT id INTO last FROM task WHERE order_key = NEW.order_key ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        -- Whoever ends that one waits for this transaction, and then finds what waits behind it.
        PERFORM FROM task WHERE id = last FOR KEY SHARE;
        IF FOUND THEN
            NEW.status := 'waiting';
            NEW.attempts := 0;
            EXIT;
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER task_take_place BEFORE INSERT ON task
    FOR EACH ROW WHEN (NEW.order_key IS NOT NULL) EXECUTE FUNCTION task_take_place();
