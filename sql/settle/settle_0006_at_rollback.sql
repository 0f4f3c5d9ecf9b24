-- AT: the end of a transaction, and what an operator does where rows cannot be put back by themselves.
-- Nothing in here is for others than the schema's owner.

-- Transactions whose rollback stopped, and why. They keep their locks and images; each later try may succeed.
CREATE TABLE settle.rollback_blocked (
    xid      text COLLATE "C" PRIMARY KEY,
    since    timestamptz NOT NULL DEFAULT now(),
    sqlstate text NOT NULL,
    reason   text NOT NULL
);

-- What an operator wants done with one row of such a transaction, until its rollback succeeds.
CREATE TABLE settle.rollback_choice (
    xid      text COLLATE "C" NOT NULL REFERENCES settle.rollback_blocked ON DELETE CASCADE,
    enrolled integer NOT NULL,
    key      bigint NOT NULL,
    choice   text NOT NULL CHECK (choice IN ('restore', 'keep', 'restore-changed')),
    target   jsonb,  -- what the row is to be, set by the rollback when it begins; null: gone
    PRIMARY KEY (xid, enrolled, key)
);

-- Commits: what the transactions did stays, so only the images go, and with them the locks. Answers how many images
-- there were. XIDs that are not known are fine.
CREATE FUNCTION settle.at_commit(xids text[]) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    dropped bigint;
BEGIN
    DELETE FROM settle.undo_log WHERE xid = ANY (xids);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END
$$;

-- Pieces of SQL on one table. In all of them r is the table, i.at an image that has the row's present key, and i.image
-- the image to put there. A column that an image does not have was added since, and is left alone.
CREATE FUNCTION settle.at_pieces(of regclass, OUT names text, OUT "values" text, OUT sets text, OUT finds text, OUT equals text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known settle.enrolled;
BEGIN
    SELECT * INTO known FROM settle.enrolled WHERE relation = of;
    SELECT string_agg(format('%I', c.name), ', ' ORDER BY c.number) FILTER (WHERE NOT c.is_generated),
        string_agg(format('(i.image ->> %L)::%s', c.name, c.type), ', ' ORDER BY c.number) FILTER (WHERE NOT c.is_generated),
        string_agg(format('%1$I = CASE WHEN i.image ? %1$L THEN (i.image ->> %1$L)::%2$s ELSE r.%1$I END', c.name, c.type), ', ')
            FILTER (WHERE NOT c.is_generated AND NOT c.is_always_identity),
        string_agg(format('r.%1$I OPERATOR(%3$s) (i.at ->> %1$L)::%2$s', c.name, c.type, key.equality), ' AND ')
            FILTER (WHERE key.equality IS NOT NULL),
        -- As text, which has more to tell than equality: 1.0 is not 1.00.
        string_agg(
            format('(NOT i.image ? %1$L OR r.%1$I::text IS NOT DISTINCT FROM ((i.image ->> %1$L)::%2$s)::text)', c.name, c.type),
            ' AND ')
            FILTER (WHERE NOT c.is_generated)
    INTO names, "values", sets, finds, equals
    FROM settle.at_columns(of) c
    LEFT JOIN unnest(known.key_columns, known.equalities) AS key(name, equality) ON key.name = c.name
    HAVING count(key.name) = cardinality(known.key_columns);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = 'a column of the primary key was dropped or renamed',
            DETAIL = of::text, HINT = 'Enroll the table again.';
    END IF;
END
$$;

-- Each row that a transaction touched: its image before the transaction, after it, the row now, and what it should be:
-- as the transaction left it, or, once it has been put back (`restored`), as before or as an operator chose. `locking`
-- holds the rows until the caller's transaction ends. The settings are those of at_columns, under which images become
-- values again and values text.
CREATE FUNCTION settle.at_rows(wanted text, restored boolean, locking boolean)
RETURNS TABLE (enrolled integer, relation regclass, key bigint, label jsonb, before jsonb, after jsonb, at jsonb,
    now jsonb, target jsonb, differs boolean, choice text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET IntervalStyle = postgres
SET DateStyle = ISO SET TimeZone = 'UTC' SET bytea_output = hex SET lc_monetary = 'C' SET jit = off AS $function$
#variable_conflict use_column
DECLARE
    known settle.enrolled;
    pieces record;
BEGIN
    FOR known IN
        SELECT * FROM settle.enrolled WHERE id IN (SELECT u.enrolled FROM settle.undo_log u WHERE u.xid = wanted) ORDER BY id
    LOOP
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = known.relation) THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = 'an enrolled table was dropped';
        END IF;
        pieces := settle.at_pieces(known.relation);
        RETURN QUERY EXECUTE format($$
            SELECT $1, $2, i.key, settle.at_label($3, i.at), i.before, i.after, i.at, n.now, i.image,
                CASE WHEN i.image IS NULL THEN n.now IS NOT NULL ELSE n.same IS NOT TRUE END, i.choice
            FROM (
                SELECT u.*, c.choice, CASE WHEN NOT $4 THEN u.after WHEN c.choice IS NULL THEN u.before ELSE c.target END AS image
                FROM (
                    SELECT key, (array_agg(before ORDER BY id))[1] AS before, (array_agg(after ORDER BY id DESC))[1] AS after,
                        (array_agg(coalesce(after, before) ORDER BY id DESC))[1] AS at
                    FROM settle.undo_log WHERE xid = $5 AND enrolled = $1 GROUP BY key
                ) u
                LEFT JOIN settle.rollback_choice c ON c.xid = $5 AND c.enrolled = $1 AND c.key = u.key
                ORDER BY u.key
            ) i
            LEFT JOIN LATERAL (SELECT %s AS now, %s AS same FROM %s r WHERE %s %s) n ON true$$,
            settle.at_image(known.relation, 'r'), pieces.equals, known.relation, pieces.finds,
            CASE WHEN locking THEN 'FOR UPDATE' END)
        USING known.id, known.relation, known.key_columns, restored, wanted;
    END LOOP;
END
$function$;

-- Some rows of one table to be put back in one statement, so that foreign keys within it are looked at when all are there.
CREATE TYPE settle.at_step AS (
    command  text,      -- the statement, with the two arrays below as $1 and $2; null when there is nothing to set
    keys     text[],    -- the rows concerned, "table key"
    at       jsonb[],   -- for each row an image with its present key
    images   jsonb[]    -- and what to make of it
);


CREATE FUNCTION settle.at_command(enrolled_id integer, action text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of regclass := (SELECT relation FROM settle.enrolled WHERE id = enrolled_id);
    pieces record := settle.at_pieces(of);
BEGIN
    RETURN CASE action
        WHEN 'delete' THEN format('DELETE FROM %s r USING unnest($1) AS i(at) WHERE %s', of, pieces.finds)
        WHEN 'insert' THEN format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE '
            'SELECT %s FROM unnest($2) WITH ORDINALITY AS i(image, place) ORDER BY i.place', of, pieces.names, pieces."values")
        -- Without a column that may be set there is no text, as null makes null.
        WHEN 'update' THEN 'UPDATE ' || of || ' r SET ' || pieces.sets
            || ' FROM unnest($1, $2) AS i(at, image) WHERE ' || pieces.finds
    END;
END
$$;

-- The rows of a transaction that an operator has chosen for, and those that belong to them as a key was changed from
-- one to the other.
CREATE FUNCTION settle.at_chosen(wanted text) RETURNS TABLE (enrolled integer, key bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH RECURSIVE pair AS (
            SELECT target.enrolled, target.key AS one, source.key AS other
            FROM settle.undo_log target JOIN settle.undo_log source ON source.id = target.moved_from
            WHERE target.xid = wanted AND source.xid = wanted
        ), chosen AS (
            SELECT c.enrolled, c.key FROM settle.rollback_choice c WHERE c.xid = wanted
            UNION
            SELECT p.enrolled, CASE chosen.key WHEN p.one THEN p.other ELSE p.one END
            FROM chosen JOIN pair p ON p.enrolled = chosen.enrolled AND chosen.key IN (p.one, p.other)
        )
        SELECT * FROM chosen;
END
$$;

-- What undoes a transaction, newest change first: with each step the tables are as they once were, so that no unique
-- key is in the way. Neighbours of one kind are one step as long as no row comes twice; a changed key is a step of its
-- own. Rows with an operator's choice are left out. No nested loops: the log is empty when it is analysed, and a plan
-- for one row takes minutes for ten thousand. No JIT, here and below: a plan that does what is off counts as so costly
-- that PostgreSQL would compile it, for seconds.
CREATE FUNCTION settle.at_steps(wanted text) RETURNS SETOF settle.at_step
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH change AS (
            SELECT u.id, u.enrolled, u.key, source.key AS source_key, u.after, coalesce(source.before, u.before) AS before,
                CASE WHEN coalesce(source.before, u.before) IS NULL THEN 'delete' WHEN u.after IS NULL THEN 'insert'
                    ELSE 'update' END AS action
            FROM settle.undo_log u LEFT JOIN settle.undo_log source ON source.xid = wanted AND source.id = u.moved_from
            WHERE u.xid = wanted
                AND NOT EXISTS (SELECT FROM settle.undo_log target WHERE target.xid = wanted AND target.moved_from = u.id)
        ), wanted_change AS (
            SELECT change.*, source_key IS NOT NULL
                OR (enrolled, action) IS DISTINCT FROM lag((enrolled, action)) OVER (ORDER BY id DESC) AS is_first
            FROM change
            WHERE NOT EXISTS (
                SELECT FROM settle.at_chosen(wanted) c WHERE c.enrolled = change.enrolled AND c.key IN (change.key, source_key))
        ), of_one_kind AS (
            SELECT *, count(*) FILTER (WHERE is_first) OVER (ORDER BY id DESC) AS kind FROM wanted_change
        ), with_turn AS (
            SELECT *, row_number() OVER (PARTITION BY kind, key ORDER BY id DESC) AS turn FROM of_one_kind
        ), bounded AS (
            SELECT *, (kind, turn) IS DISTINCT FROM lag((kind, turn)) OVER (ORDER BY id DESC) AS is_bound FROM with_turn
        ), numbered AS (
            SELECT *, count(*) FILTER (WHERE is_bound) OVER (ORDER BY id DESC) AS step FROM bounded
        ), command AS MATERIALIZED (
            SELECT enrolled, action, settle.at_command(enrolled, action) AS command
            FROM (SELECT DISTINCT enrolled, action FROM change) kinds
        )
        SELECT c.command,
            array_agg(format('%s %s', enrolled, key) ORDER BY id DESC)
                || array_agg(format('%s %s', enrolled, source_key)) FILTER (WHERE source_key IS NOT NULL),
            array_agg(coalesce(after, before) ORDER BY id DESC), array_agg(before ORDER BY id DESC)
        FROM numbered JOIN command c USING (enrolled, action) GROUP BY step, c.command ORDER BY step;
END
$$;

-- The step that makes one row be `image`; none when neither that nor the row is there.
CREATE FUNCTION settle.at_put(enrolled integer, key bigint, at jsonb, now jsonb, image jsonb) RETURNS SETOF settle.at_step
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT settle.at_command(enrolled, CASE WHEN image IS NULL THEN 'delete' WHEN now IS NULL THEN 'insert' ELSE 'update' END),
        ARRAY[format('%s %s', enrolled, key)], ARRAY[at], ARRAY[image]
    WHERE coalesce(now, image) IS NOT NULL
$$;

-- Applies a step. From here to at_rollback no function sets a search path: the tables' own triggers run inside, and they
-- expect the caller's. What is run here names everything in full.
CREATE FUNCTION settle.at_apply(step settle.at_step) RETURNS void
LANGUAGE plpgsql SET IntervalStyle = postgres SET lc_monetary = 'C' AS $$
BEGIN
    IF step.command IS NOT NULL THEN
        EXECUTE step.command USING step.at, step.images;
    END IF;
END
$$;

-- Applies a step unless a constraint is in the way; answers whether it did.
CREATE FUNCTION settle.at_try(step settle.at_step) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM settle.at_apply(step);
    RETURN true;
EXCEPTION WHEN integrity_constraint_violation THEN
    RETURN false;
END
$$;

-- Applies those steps that can be applied, and answers the others. After each success it begins again with the first,
-- which may have waited for just that; a step whose rows have another step before it that waits has to wait too.
CREATE FUNCTION settle.at_advance(waiting settle.at_step[]) RETURNS settle.at_step[]
LANGUAGE plpgsql AS $$
DECLARE
    stuck text[];
    place integer := 0;
BEGIN
    WHILE place < cardinality(waiting) LOOP
        stuck := '{}';
        place := 0;
        WHILE place < cardinality(waiting) LOOP
            place := place + 1;
            IF NOT (waiting[place]).keys && stuck AND settle.at_try(waiting[place]) THEN
                waiting := waiting[:place - 1] || waiting[place + 1:];
                place := -1;
                EXIT;
            END IF;
            stuck := stuck || (waiting[place]).keys;
        END LOOP;
    END LOOP;
    RETURN waiting;
END
$$;

-- Applies all steps, in their order as far as constraints allow. They may not: of a change and the cascade that it
-- caused, the cascade is the newer one, but its rows need the other's first. And a unique key is looked at after each
-- row, so a step that cannot be applied as one is taken row by row.
CREATE FUNCTION settle.at_apply_all(steps settle.at_step[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step settle.at_step;
    waiting settle.at_step[];
BEGIN
    LOOP
        waiting := '{}';
        FOREACH step IN ARRAY steps LOOP
            waiting := settle.at_advance(waiting || step);
        END LOOP;
        EXIT WHEN cardinality(waiting) = 0;
        IF NOT EXISTS (SELECT FROM unnest(waiting) w WHERE cardinality(w.at) > 1) THEN
            PERFORM settle.at_apply(waiting[1]);  -- raises what is in the way
        END IF;
        steps := ARRAY(
            SELECT (w.command, CASE WHEN cardinality(w.at) = 1 THEN w.keys ELSE ARRAY[i.key] END,
                ARRAY[i.at], ARRAY[i.image])::settle.at_step
            FROM unnest(waiting) WITH ORDINALITY AS w(command, keys, at, images, place)
            CROSS JOIN LATERAL unnest(w.keys[:cardinality(w.at)], w.at, w.images) WITH ORDINALITY AS i(key, at, image, place)
            ORDER BY w.place, i.place);
    END LOOP;
END
$$;

-- Rolls back one transaction, in the caller's transaction, which should do nothing else. Answers `rolledBack`, also for
-- an XID that is not known, or `dirty`: nothing was changed, all is kept, and rollback_blocked says why. The usual
-- reason is that somebody changed a row past the guard; `details` names the rows. What will pass by itself (a row
-- locked too long, a deadlock) is raised as the error that it is.
CREATE FUNCTION settle.at_rollback(wanted text, OUT outcome text, OUT details jsonb)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    previous text := coalesce(current_setting('settle.xid', true), '');
    steps settle.at_step[];
BEGIN
    outcome := 'rolledBack';
    details := '[]';
    PERFORM FROM settle.undo_log WHERE xid = wanted ORDER BY id FOR UPDATE;  -- one rollback at a time
    IF NOT FOUND THEN
        RETURN;
    END IF;
    BEGIN
        -- All rows are locked before any is changed, and the locks in the log are given up last. So a rival that
        -- waits for a row finds either its lock or its old self, and no circle of waiting closes.
        details := coalesce((
            SELECT jsonb_agg(jsonb_build_object('table', relation, 'key', label))
            FROM settle.at_rows(wanted, false, true) WHERE differs AND choice IS NULL), '[]');
        IF details <> '[]' THEN
            RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = 'rows were changed past the guard';
        END IF;
        PERFORM set_config('settle.xid', 'restore:' || wanted, true);  -- at_note knows it
        SET CONSTRAINTS ALL DEFERRED;
        UPDATE settle.rollback_choice c SET target = CASE
            WHEN c.choice = 'keep' THEN r.now
            -- The columns that the transaction changed, over the row as it is.
            WHEN c.choice = 'restore-changed' AND r.before IS NOT NULL AND r.after IS NOT NULL THEN r.now || coalesce((
                SELECT jsonb_object_agg(b.name, b.value) FROM jsonb_each(r.before) AS b(name, value)
                WHERE (r.after -> b.name)::text IS DISTINCT FROM b.value::text), '{}')
            ELSE r.before END
        FROM settle.at_rows(wanted, false, true) r
        WHERE c.xid = wanted AND r.choice IS NOT NULL AND c.enrolled = r.enrolled AND c.key = r.key;
        PERFORM settle.at_apply_all(ARRAY(SELECT s FROM settle.at_steps(wanted) s) || ARRAY(
            SELECT s FROM settle.at_chosen(wanted) c
            JOIN settle.at_rows(wanted, true, false) r ON r.enrolled = c.enrolled AND r.key = c.key AND r.differs
            CROSS JOIN LATERAL settle.at_put(r.enrolled, r.key, r.at, r.now, r.target) s
            WHERE EXISTS (SELECT FROM settle.rollback_choice WHERE xid = wanted)));
        SET CONSTRAINTS ALL IMMEDIATE;
        -- The tables' own triggers may have changed rows after they were put back; a second time there is nothing to
        -- make them act. What still differs then is somebody's will.
        FOR pass IN 1..3 LOOP
            steps := ARRAY(
                SELECT s FROM settle.at_rows(wanted, true, false) r
                CROSS JOIN LATERAL settle.at_put(r.enrolled, r.key, r.at, r.now, r.target) s WHERE r.differs);
            EXIT WHEN cardinality(steps) = 0;
            IF pass = 3 THEN
                RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = 'triggers of the tables change what is put back';
            END IF;
            PERFORM settle.at_apply_all(steps);
        END LOOP;
        IF EXISTS (SELECT FROM settle.undo_log WHERE xid = 'restore:' || wanted) THEN
            RAISE EXCEPTION USING ERRCODE = 'ST003',
                MESSAGE = 'foreign keys or triggers would change rows that are not of this transaction';
        END IF;
        PERFORM set_config('settle.xid', previous, true);
        DELETE FROM settle.undo_log WHERE xid = wanted;
        DELETE FROM settle.rollback_blocked WHERE xid = wanted;
    EXCEPTION WHEN OTHERS THEN
        -- Locks, conflicts, resources, shutdown: not the rows' fault, and the caller tries again.
        IF left(SQLSTATE, 2) IN ('40', '53', '54', '55', '57', '58', 'XX') THEN
            RAISE;
        END IF;
        outcome := 'dirty';
        INSERT INTO settle.rollback_blocked (xid, sqlstate, reason) VALUES (wanted, SQLSTATE, SQLERRM)
        ON CONFLICT (xid) DO UPDATE SET sqlstate = excluded.sqlstate, reason = excluded.reason;
    END;
END
$$;

-- For an operator: the rows of blocked rollbacks that are not as the transaction left them, and if there are none, as
-- the reason is another, all of its rows. docs/at.md says what to do.
CREATE FUNCTION settle.at_dirty()
RETURNS TABLE (xid text, since timestamptz, reason text, "table" regclass, key jsonb, before jsonb, after jsonb, now jsonb,
    changed text[], differs boolean, choice text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    blocked settle.rollback_blocked;
BEGIN
    FOR blocked IN SELECT * FROM settle.rollback_blocked b ORDER BY b.since LOOP
        BEGIN
            RETURN QUERY
                SELECT blocked.xid, blocked.since, blocked.reason, r.relation, r.label, r.before, r.after, r.now,
                    ARRAY(SELECT c.name FROM jsonb_each(r.before) AS c(name, value)
                        WHERE (r.after -> c.name)::text IS DISTINCT FROM c.value::text ORDER BY c.name),
                    r.differs, r.choice
                FROM (SELECT *, bool_or(differs) OVER () AS any_differs FROM settle.at_rows(blocked.xid, false, false)) r
                WHERE r.differs OR NOT r.any_differs;
        EXCEPTION WHEN undefined_table OR undefined_column OR undefined_object OR data_exception THEN
            -- The table was dropped, or a column's type no longer takes what the image has: only the images are left.
            RETURN QUERY
                SELECT blocked.xid, blocked.since, blocked.reason, e.relation,
                    settle.at_label(e.key_columns, coalesce(u.before, u.after)), u.before, u.after, NULL::jsonb,
                    NULL::text[], true, NULL::text
                FROM settle.undo_log u JOIN settle.enrolled e ON e.id = u.enrolled WHERE u.xid = blocked.xid ORDER BY u.id;
        END;
    END LOOP;
END
$$;

-- For an operator: decides on one row of a blocked rollback, and tries the rollback again. `restore`: the image from
-- before, whatever is there now. `keep`: what is there now. `restore-changed`: the columns that the transaction changed
-- as they were before, the others as they are now. Answers as at_rollback does.
CREATE FUNCTION settle.at_resolve(wanted text, of regclass, wanted_key jsonb, wanted_choice text,
    OUT outcome text, OUT details jsonb)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    "row" record;
BEGIN
    PERFORM FROM settle.rollback_blocked WHERE xid = wanted FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no blocked rollback has this XID', DETAIL = wanted;
    END IF;
    SELECT r.* INTO "row" FROM settle.at_rows(wanted, false, true) r WHERE r.relation = of AND r.label = wanted_key;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'the transaction has no row of this table and key',
            DETAIL = format('%s %s', of, wanted_key);
    ELSIF wanted_choice = 'restore-changed' AND "row".now IS NULL AND "row".before IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the row is gone, there are no other columns to leave alone: choose restore or keep';
    END IF;
    INSERT INTO settle.rollback_choice (xid, enrolled, key, choice)
    VALUES (wanted, "row".enrolled, "row".key, wanted_choice)
    ON CONFLICT (xid, enrolled, key) DO UPDATE SET choice = excluded.choice;
    SELECT * INTO outcome, details FROM settle.at_rollback(wanted);
END
$$;

-- The triggers call what they need as the owner; nobody else has business here.
DO $$
DECLARE
    name regprocedure;
BEGIN
    FOR name IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'settle'::regnamespace AND (proname LIKE 'at\_%' OR proname IN ('enroll', 'withdraw'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;
