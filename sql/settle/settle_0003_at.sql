-- AT: rows that a global transaction changed can be put back. docs/at.md tells the story.
--
-- Triggers do it, not a parser of SQL: whatever statement changes an enrolled row, it comes by here. A session that
-- has set the setting settle.xid works for that global transaction: the trigger notes the row's image before and
-- after, and the first note on a row is at the same time its lock. A session without it is a plain writer: the
-- trigger only looks whether the row is held. Both are refused, SQLSTATE ST001, when another transaction holds it.
--
-- All triggers are AFTER ROW, which is not obvious for a guard:
--   * PostgreSQL has locked the row by then and any unique check has waited, so a rival has committed or is gone, and
--     the look at the locks, with its new snapshot, cannot miss his. A BEFORE INSERT trigger looks too early.
--   * It sees the row as it is stored, after every BEFORE trigger and with generated columns.
--   * A BEFORE UPDATE trigger makes PostgreSQL lock each row in a step of its own, written to the WAL.
-- Nothing is lost by it: the error undoes the whole statement.
--
-- The trigger never waits for a held row: it would wait with PostgreSQL's lock on the row in hand, which the rollback
-- that frees the row needs. Whoever may wait retries his transaction.
CREATE SCHEMA IF NOT EXISTS settle;

CREATE TABLE settle.enrolled (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- stands in the generated triggers: oids change in a dump
    relation    regclass NOT NULL UNIQUE,
    key_columns text[] NOT NULL,
    equalities  text[] NOT NULL,  -- for each the operator of the primary key's index, which an extension may have brought
    reader      text NOT NULL,  -- settle's function that reads the table as if nothing undecided had happened
    enrolled_at timestamptz NOT NULL DEFAULT now()
);

-- One entry for each change of a row. That lock and image are one row, not two tables, halves what AT adds to an
-- update (docs/at.md has the numbers); view row_lock shows the locks. No CHECK and no primary key for the same reason.
CREATE TABLE settle.undo_log (
    id         bigint GENERATED ALWAYS AS IDENTITY,  -- the order of changes, of a row's also between sessions: each waits
    xid        text COLLATE "C" NOT NULL,
    key        bigint NOT NULL,   -- hash of the primary key by its types' equality: 1.0 and 1.00 lock each other
    enrolled   integer NOT NULL,
    holds      boolean NOT NULL,  -- the transaction's first change of this row: its lock
    moved_from bigint,            -- a changed key is two entries, old row gone and new row come; this links them
    before     jsonb,             -- null: the row was not there
    after      jsonb              -- null: the row is gone
) WITH (
    -- The file stays as big as it ever was, see below.
    vacuum_truncate = off,
    -- Rows live for milliseconds; vacuum by count, so that the indexes stay short.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);

-- The lock. Partial, so that later changes of a row by its own holder need no second key.
CREATE UNIQUE INDEX undo_log_lock ON settle.undo_log (enrolled, key) WHERE holds;
CREATE INDEX undo_log_xid ON settle.undo_log (xid);

-- A file of some forty pages from the beginning. Vacuum would leave a page or two of an empty log; the planner would
-- rather read those than an index, keep that plan, and a second later read thousands of rows for each write of each
-- enrolled table. It looks at the size of the file, so this is enough; SET enable_seqscan = off on the triggers would
-- do, too, and add half as much again to what they cost.
INSERT INTO settle.undo_log (xid, key, enrolled, holds) SELECT '', number, 0, false FROM generate_series(1, 5000) AS number;
DELETE FROM settle.undo_log;

-- A key as an operator reads and writes it: {"sku": "tea"}.
CREATE FUNCTION settle.at_label(key_columns text[], image jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(name, image -> name) FROM unnest(key_columns) AS name
$$;

CREATE VIEW settle.row_lock AS
    SELECT e.relation AS "table", settle.at_label(e.key_columns, coalesce(u.before, u.after)) AS key, u.xid
    FROM settle.undo_log u JOIN settle.enrolled e ON e.id = u.enrolled
    WHERE u.holds;

-- The columns of a table, and how an image holds each of them so that it comes back exactly. Most types survive JSON.
-- The others are kept as PostgreSQL's own text: json and jsonb (JSON null is not SQL NULL), arrays (bounds), ranges,
-- composites, whatever an extension brings; where that text depends on settings, the writer's may not decide.
-- (In PL/pgSQL, here and below, as it keeps the plan: a function in SQL is planned at each call.)
CREATE FUNCTION settle.at_columns(of regclass, OUT number smallint, OUT name text, OUT type text, OUT is_text boolean,
    OUT settings text[], OUT is_generated boolean, OUT is_always_identity boolean, OUT expression text, OUT base oid,
    OUT collation_name text, OUT is_deterministic boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod), kind <> 'json',
            CASE kind
                WHEN 'json' THEN '{}'::text[]
                WHEN 'text' THEN '{}'
                WHEN 'float' THEN '{extra_float_digits = 1}'
                WHEN 'interval' THEN '{IntervalStyle = postgres}'
                ELSE ARRAY['extra_float_digits = 1', 'IntervalStyle = postgres', 'DateStyle = ISO', 'TimeZone = UTC',
                'bytea_output = hex', 'lc_monetary = "C"', 'search_path = pg_catalog, pg_temp']
            END,
            a.attgenerated <> '', a.attidentity = 'a', pg_get_expr(d.adbin, d.adrelid), b.oid,
            CASE WHEN a.attcollation NOT IN (0, 'pg_catalog."default"'::regcollation) THEN a.attcollation::regcollation::text END,
            coalesce(c.collisdeterministic, true)
        FROM pg_attribute a
        CROSS JOIN LATERAL (
            WITH RECURSIVE chain AS (
                SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace FROM pg_type t WHERE t.oid = a.atttypid
                UNION ALL
                SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace
                FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd'
            )
            SELECT chain.oid, CASE
                WHEN typtype = 'e' THEN 'json'
                WHEN typnamespace <> 'pg_catalog'::regnamespace THEN 'any'
                WHEN typname IN ('bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'uuid',
                    'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'inet', 'cidr', 'macaddr', 'macaddr8') THEN 'json'
                WHEN typname IN ('json', 'jsonb', 'xml', 'bit', 'varbit', 'timetz', 'tsvector', 'tsquery', 'pg_lsn') THEN 'text'
                WHEN typname IN ('float4', 'float8') THEN 'float'
                WHEN typname = 'interval' THEN 'interval'
                ELSE 'any' END AS kind
            FROM chain WHERE typtype <> 'd'
        ) b
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
        LEFT JOIN pg_collation c ON c.oid = a.attcollation
        WHERE a.attrelid = at_columns.of AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum;
END
$$;

-- SQL for the image of the row called `alias`.
CREATE FUNCTION settle.at_image(of regclass, alias text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM settle.at_columns(of) WHERE is_text) THEN
        RETURN format('pg_catalog.to_jsonb(%s)', alias);
    END IF;
    RETURN (  -- by 40 columns, as a call takes at most 100 arguments
        SELECT string_agg(format('pg_catalog.jsonb_build_object(%s)', pairs), ' OPERATOR(pg_catalog.||) ' ORDER BY part)
        FROM (
            SELECT number / 40 AS part, string_agg(
                format(CASE WHEN is_text THEN '%L, %s.%I::pg_catalog.text' ELSE '%L, %s.%I' END, name, alias, name), ', '
                ORDER BY number) AS pairs
            FROM settle.at_columns(of) GROUP BY number / 40
        ) parts
    );
END
$$;

-- SQL for the hash of the primary key of the row called `alias`. The hash belongs to the types' own equality, hence
-- no text is made and no setting of the session can change it. Two keys with the same 64 bits would only refuse each
-- other without need.
CREATE FUNCTION settle.at_hash(of regclass, key_columns text[], alias text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    "column" record;
    part text;
    parts text[];
BEGIN
    FOR "column" IN
        SELECT c.* FROM settle.at_columns(of) c WHERE c.name = ANY (key_columns) ORDER BY array_position(key_columns, c.name)
    LOOP
        part := format('%s.%I', alias, "column".name);
        IF NOT "column".is_deterministic THEN  -- a record is hashed by its types' collations, not by its columns'
            part := format('pg_catalog.hashtextextended(%s::pg_catalog.text, 0)', part);
        ELSE
            BEGIN
                EXECUTE format('SELECT hash_record_extended(ROW(NULL::%s), 0)', "column".type);
            EXCEPTION WHEN undefined_function THEN  -- bit, money: ordered, but not hashable
                part := part || '::pg_catalog.text';
            END;
        END IF;
        parts := parts || part;
    END LOOP;
    RETURN format('pg_catalog.hash_record_extended(ROW(%s), 0)', array_to_string(parts, ', '));
END
$$;

-- Refuses the statement. Static text in the message, the row in the detail; for the log of operators.
CREATE FUNCTION settle.at_refuse(enrolled_id integer, key_hash bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held record;
BEGIN
    SELECT e.relation, settle.at_label(e.key_columns, coalesce(u.before, u.after)) AS key, u.xid INTO held
    FROM settle.enrolled e LEFT JOIN settle.undo_log u ON u.enrolled = e.id AND u.key = key_hash AND u.holds
    WHERE e.id = enrolled_id;
    RAISE EXCEPTION USING ERRCODE = 'ST001',
        MESSAGE = 'the row is held by an undecided global transaction',
        DETAIL = format('%s %s is held by %s', held.relation, held.key, held.xid),
        HINT = 'Roll back and try again later.';
END
$$;

-- Notes a change for transaction `me`, and answers the note's id. The triggers try the common case themselves, a row
-- not held by anybody, and come here with the others.
CREATE FUNCTION settle.at_note(enrolled_id integer, key_hash bigint, me text, before_image jsonb, after_image jsonb,
    source bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    holder text;
    note bigint;
BEGIN
    FOR attempt IN 1..10 LOOP
        INSERT INTO settle.undo_log (xid, key, enrolled, holds, moved_from, before, after)
        VALUES (me, key_hash, enrolled_id, true, source, before_image, after_image)
        ON CONFLICT (enrolled, key) WHERE holds DO NOTHING RETURNING id INTO note;
        IF FOUND THEN
            RETURN note;
        END IF;
        SELECT xid INTO holder FROM settle.undo_log WHERE enrolled = enrolled_id AND key = key_hash AND holds;
        IF holder = me THEN
            INSERT INTO settle.undo_log (xid, key, enrolled, holds, moved_from, before, after)
            VALUES (me, key_hash, enrolled_id, false, source, before_image, after_image) RETURNING id INTO note;
            RETURN note;
        ELSIF me = 'restore:' || holder AND pg_has_role(session_user, current_user, 'MEMBER') THEN
            -- at_rollback at work: what it puts back is not noted again. Anybody can set a setting, so it counts only
            -- for one who logged in as this schema's owner (the current user here, as the triggers are SECURITY
            -- DEFINER), who could as well drop the trigger, and only on rows of the very transaction. Rows that are
            -- not its own it locks by coming here, and at_rollback takes that for a sign to stop.
            RETURN NULL;
        ELSIF holder IS NOT NULL THEN
            EXIT;
        END IF;  -- else it was freed between the two statements
    END LOOP;
    PERFORM settle.at_refuse(enrolled_id, key_hash);
END
$$;

-- A changed key: the old row is gone, a new one is there, and both keys are held.
CREATE FUNCTION settle.at_move(enrolled_id integer, old_hash bigint, new_hash bigint, me text, before_image jsonb,
    after_image jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM settle.at_note(enrolled_id, new_hash, me, NULL, after_image,
        settle.at_note(enrolled_id, old_hash, me, before_image, NULL));
END
$$;

-- A plain writer above READ COMMITTED looks with an old snapshot. For a row that was there it does not matter: it has a
-- newer version, which PostgreSQL refuses (40001). A key that another transaction has freed since, however, it would
-- take unseen. A unique index is not bound to a snapshot, so the key is locked and freed to find out.
CREATE FUNCTION settle.at_probe(enrolled_id integer, key_hash bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO settle.undo_log (xid, key, enrolled, holds) VALUES ('', key_hash, enrolled_id, true)
    ON CONFLICT (enrolled, key) WHERE holds DO NOTHING;  -- raises 40001 when it meets one that it cannot see
    DELETE FROM settle.undo_log WHERE xid = '' AND enrolled = enrolled_id AND key = key_hash;
END
$$;

-- TRUNCATE takes all rows, fires no trigger for any, and cannot be undone.
CREATE FUNCTION settle.at_refuse_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('settle.xid', true) <> '' THEN
        RAISE EXCEPTION USING ERRCODE = 'ST002', MESSAGE = 'TRUNCATE cannot be undone, so no global transaction may use it';
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'ST002',
            MESSAGE = 'TRUNCATE of an enrolled table needs READ COMMITTED, to see the latest locks';
    ELSIF EXISTS (
        SELECT FROM settle.undo_log u JOIN settle.enrolled e ON e.id = u.enrolled WHERE e.relation = TG_RELID AND u.holds
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'ST002', MESSAGE = 'an undecided global transaction holds rows of the table',
            DETAIL = TG_RELID::regclass::text, HINT = 'Try again later.';
    END IF;
    RETURN NULL;
END
$$;

-- A table's own BEFORE triggers (an updated_at, say) would also change what at_rollback puts back. So the first BEFORE
-- trigger remembers the row and the last one puts it back; only on tables that have such triggers, and only then.
CREATE FUNCTION settle.at_keep_image() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET IntervalStyle = postgres
SET DateStyle = ISO SET TimeZone = 'UTC' SET lc_monetary = 'C' AS $$
BEGIN
    PERFORM set_config('settle.image_' || pg_trigger_depth(), NEW::text, true);
    RETURN NEW;
END
$$;

CREATE FUNCTION settle.at_put_image() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET IntervalStyle = postgres
SET DateStyle = ISO SET TimeZone = 'UTC' SET lc_monetary = 'C' AS $$
BEGIN
    EXECUTE format('SELECT ($1::%s).*', TG_RELID::regclass) INTO NEW
    USING current_setting('settle.image_' || pg_trigger_depth());
    RETURN NEW;
END
$$;

-- For a table's own triggers that must not act again on what a rollback puts back: IF settle.is_restoring() …
CREATE FUNCTION settle.is_restoring() RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('settle.xid', true) LIKE 'restore:%', false)
$$;
