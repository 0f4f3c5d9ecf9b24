-- AT: what would make an undo wrong or impossible is looked for before it is needed, at each start of a participant and
-- again in each rollback. Takes the place of settle_0006's at_pieces, at_commit and at_rollback.

-- What has come since a table was enrolled and makes an undo wrong: it would miss rows, or take others along. What settle_0004
-- asks in at_obstacle and at_cascade, but in PL/pgSQL, as each rollback asks and this keeps its plans.
CREATE FUNCTION settle.at_blockers(of regclass) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = of AND (c.relkind <> 'r' OR c.relispartition OR c.relhassubclass
            OR c.relpersistence <> 'p' OR c.relforcerowsecurity OR c.relhasrules))
        OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = of)
        OR NOT EXISTS (SELECT FROM pg_index WHERE indrelid = of AND indisprimary)
    THEN
        RETURN QUERY SELECT o FROM settle.at_obstacle(of) o WHERE o IS NOT NULL;
    END IF;
    RETURN QUERY
        SELECT format('foreign key %I of table %s, which is not enrolled, changes rows that nobody would note: '
            'enroll that table, too', conname, conrelid::regclass)
        FROM pg_constraint
        WHERE confrelid = of AND contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
            AND NOT EXISTS (SELECT FROM settle.enrolled WHERE relation = conrelid);
END
$$;

-- Tables that an action in mode `at` must not write, as of the last start of a participant: at_written looks into it twice for
-- each branch, and a look through pg_class takes five times as long.
CREATE TABLE settle.outside (relation regclass PRIMARY KEY);

-- What stands in the way of mode `at`, a line for each reason; none when all is well. For a participant's start, after all
-- migrations; and for operators.
CREATE FUNCTION settle.at_obstacles() RETURNS TABLE ("table" text, obstacle text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known settle.enrolled;
BEGIN
    DELETE FROM settle.outside o WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = o.relation)
        OR EXISTS (SELECT FROM settle.enrolled e WHERE e.relation = o.relation)
        OR EXISTS (SELECT FROM settle.exempted x WHERE x.relation = o.relation);
    INSERT INTO settle.outside
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('settle', 'pg_catalog', 'information_schema')
        AND NOT EXISTS (SELECT FROM settle.outside o WHERE o.relation = c.oid)
        AND NOT EXISTS (SELECT FROM settle.enrolled e WHERE e.relation = c.oid)
        AND NOT EXISTS (SELECT FROM settle.exempted x WHERE x.relation = c.oid)
    ON CONFLICT DO NOTHING;
    IF current_setting('track_counts') <> 'on' THEN
        RETURN QUERY SELECT '', 'track_counts is off: what is written outside enrolled tables would not be noticed';
    END IF;
    FOR known IN SELECT * FROM settle.enrolled ORDER BY id LOOP
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = known.relation) THEN
            RETURN QUERY SELECT known.relation::text, 'it was dropped while undecided transactions hold its rows'
                WHERE EXISTS (SELECT FROM settle.undo_log WHERE enrolled = known.id);
            CONTINUE;
        END IF;
        RETURN QUERY
            SELECT known.relation::text, o FROM settle.at_blockers(known.relation) o
            UNION ALL
            SELECT known.relation::text, settle.at_risk(known.relation) WHERE settle.at_risk(known.relation) IS NOT NULL
            UNION ALL
            SELECT known.relation::text, format('its trigger %I is gone or disabled: enroll it again', name)
            FROM unnest('{!settle_insert,!settle_update,!settle_rekey,!settle_delete,!settle_truncate}'::text[]
                || CASE WHEN settle.at_has_before_trigger(known.relation, 20) THEN '{!settle_keep,~settle_put}'::text[] END) name
            WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = known.relation AND t.tgname = name
                AND t.tgenabled IN ('O', 'A')
                AND (name <> '!settle_rekey' OR t.tgattr::text = '' OR NOT settle.at_has_before_trigger(known.relation, 16)))
            UNION ALL
            SELECT known.relation::text, 'it was altered since it was enrolled: enroll it again'
            WHERE NOT settle.at_fits(known);
    END LOOP;
END
$$;

-- Whether a table is as its functions expect it.
CREATE FUNCTION settle.at_fits(known settle.enrolled) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN known.definition IS NOT DISTINCT FROM settle.at_definition(known)
        AND known.key_columns = (
            SELECT array_agg(a.attname::text ORDER BY k.place)
            FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE i.indrelid = known.relation AND i.indisprimary AND k.place <= i.indnkeyatts)
        AND NOT EXISTS (SELECT FROM settle.at_foreign_keys(known.relation) f WHERE NOT EXISTS (
            SELECT FROM settle.keeper k WHERE k.enrolled = known.id
                AND ROW(f.*) = ROW(k.columns, k.types, k.parent, k.parent_columns, k.equalities)));
EXCEPTION WHEN undefined_column OR undefined_table OR undefined_object OR data_exception OR null_value_not_allowed THEN
    RETURN false;  -- a column of the key was dropped or renamed
END
$$;

-- What this session has written outside, as PostgreSQL counts it: also some of its earlier transactions' work, whence the
-- first phase takes the difference.
CREATE FUNCTION settle.at_written() RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT string_agg(o.relation::oid || ' ' || o.count, ',' ORDER BY o.relation::oid)
        FROM (SELECT relation, pg_stat_get_xact_tuples_inserted(relation) + pg_stat_get_xact_tuples_updated(relation)
                + pg_stat_get_xact_tuples_deleted(relation) AS count FROM settle.outside) o
        WHERE o.count > 0), '');
END
$$;

-- Refuses a first phase in mode `at` that has written outside since the setting settle.written was taken.
CREATE FUNCTION settle.at_confine() RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    before text := current_setting('settle.written', true);
    after text := settle.at_written();
    tables text;
BEGIN
    IF after = before THEN
        RETURN;
    END IF;
    -- settle.outside may be older than the last enrollment.
    SELECT string_agg(w.relation::text, ', ') INTO tables
    FROM (SELECT split_part(a, ' ', 1)::oid::regclass AS relation
        FROM unnest(string_to_array(after, ',')) a WHERE a <> ALL (string_to_array(before, ','))) w
    WHERE NOT EXISTS (SELECT FROM settle.enrolled e WHERE e.relation = w.relation)
        AND NOT EXISTS (SELECT FROM settle.exempted x WHERE x.relation = w.relation);
    IF tables IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'ST004',
            MESSAGE = 'an action in mode at has written a table that is not enrolled, which could not be undone',
            DETAIL = tables, HINT = 'Enroll it, or exempt it with settle.exempt.';
    END IF;
END
$$;

-- As in settle_0006, and it gives free what was held beside the rows.
CREATE OR REPLACE FUNCTION settle.at_commit(xids text[]) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    dropped bigint;
BEGIN
    DELETE FROM settle.undo_log WHERE xid = ANY (xids);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    DELETE FROM settle.freed WHERE xid = ANY (xids);
    DELETE FROM settle.kept WHERE xid = ANY (xids);
    RETURN dropped;
END
$$;

-- As in settle_0006, but a column that an image does not have gets its default in a row that is inserted.
CREATE OR REPLACE FUNCTION settle.at_pieces(of regclass, OUT names text, OUT "values" text, OUT sets text, OUT finds text,
    OUT equals text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known settle.enrolled;
BEGIN
    SELECT * INTO known FROM settle.enrolled WHERE relation = of;
    SELECT string_agg(format('%I', c.name), ', ' ORDER BY c.number) FILTER (WHERE NOT c.is_generated),
        string_agg(CASE WHEN d.expression IS NULL THEN format('(i.image ->> %L)::%s', c.name, c.type)
            ELSE format('CASE WHEN i.image ? %1$L THEN (i.image ->> %1$L)::%2$s ELSE %3$s END', c.name, c.type, d.expression)
            END, ', ' ORDER BY c.number) FILTER (WHERE NOT c.is_generated),
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
    LEFT JOIN settle.at_defaults(of) d USING (name)
    LEFT JOIN unnest(known.key_columns, known.equalities) AS key(name, equality) ON key.name = c.name
    HAVING count(key.name) = cardinality(known.key_columns);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = 'a column of the primary key was dropped or renamed',
            DETAIL = of::text, HINT = 'Give it its old name back, or enroll the table again.';
    END IF;
END
$$;

-- The columns that a row inserted without them would not just have NULL in, with what it would have; null: nothing, and the
-- column is NOT NULL.
CREATE FUNCTION settle.at_defaults(of regclass) RETURNS TABLE (name text, expression text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT a.attname::text, CASE WHEN a.attidentity <> ''
            THEN format('nextval(%L)', pg_get_serial_sequence(of::text, a.attname)) ELSE pg_get_expr(d.adbin, d.adrelid) END
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = of AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            AND (a.attnotnull OR a.attidentity <> '' OR d.oid IS NOT NULL);
END
$$;

-- The rows of a transaction whose images do not fit the table as it is now, so that what they hold could not be put back: a
-- column that it changed was renamed or dropped, or a row that it deleted has lost one; or one has come that the row would
-- have had. A plain new column is left alone in a row that is there.
CREATE FUNCTION settle.at_misfits(wanted text) RETURNS TABLE (enrolled integer, relation regclass, key bigint, label jsonb,
    columns text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    known settle.enrolled;
    present text[];
    wanted_in_update text[];
    wanted_in_insert text[];
BEGIN
    FOR known IN SELECT * FROM settle.enrolled WHERE id IN (SELECT u.enrolled FROM settle.undo_log u WHERE u.xid = wanted) LOOP
        -- Mostly, all images have just the table's columns.
        SELECT array_agg(a.attname::text) INTO present
        FROM pg_attribute a WHERE a.attrelid = known.relation AND a.attnum > 0 AND NOT a.attisdropped;
        CONTINUE WHEN present IS NULL OR NOT EXISTS (
            SELECT FROM settle.undo_log u WHERE u.xid = wanted AND u.enrolled = known.id AND NOT (
                u.before ?& present AND (SELECT count(*) FROM jsonb_object_keys(u.before)) = cardinality(present)));
        -- Only an image that was written column by column can lack one that the table had.
        SELECT coalesce(array_agg(c.name) FILTER (WHERE NOT c.is_generated), '{}')
        INTO wanted_in_update FROM settle.at_columns(known.relation) c;
        IF NOT EXISTS (SELECT FROM settle.at_columns(known.relation) WHERE is_text) THEN
            wanted_in_update := '{}';
        END IF;
        wanted_in_insert := ARRAY(SELECT d.name FROM settle.at_defaults(known.relation) d) || wanted_in_update;
        RETURN QUERY
            SELECT known.id, known.relation, u.key, settle.at_label(known.key_columns, u.before), ARRAY(
                SELECT k FROM jsonb_object_keys(u.before) k WHERE k <> ALL (present)
                    AND (u.after IS NULL OR (u.after -> k)::text IS DISTINCT FROM (u.before -> k)::text)
                UNION
                SELECT k FROM unnest(CASE WHEN u.after IS NULL THEN wanted_in_insert ELSE wanted_in_update END) k
                WHERE NOT u.before ? k)
            FROM settle.undo_log u
            WHERE u.xid = wanted AND u.enrolled = known.id AND u.before IS NOT NULL;
    END LOOP;
END
$$;

-- Rolls back one transaction, in the caller's transaction, which should do nothing else. Answers `rolledBack`, also for
-- an XID that is not known, or `dirty`: nothing was changed, all is kept, and rollback_blocked says why. The usual
-- reason is that somebody changed a row past the guard; `details` names the rows. What will pass by itself (a row
-- locked too long, a deadlock) is raised as the error that it is. As in settle_0006, and what may have come since the
-- transaction's changes is looked for: see at_misfits and at_blockers.
CREATE OR REPLACE FUNCTION settle.at_rollback(wanted text, OUT outcome text, OUT details jsonb)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
    previous text := coalesce(current_setting('settle.xid', true), '');
    steps settle.at_step[];
    reason text;
    has_choices boolean := EXISTS (SELECT FROM settle.rollback_choice WHERE xid = wanted);
BEGIN
    outcome := 'rolledBack';
    details := '[]';
    PERFORM FROM settle.undo_log WHERE xid = wanted ORDER BY id FOR UPDATE;  -- one rollback at a time
    IF NOT FOUND THEN
        RETURN;
    END IF;
    BEGIN
        -- An operator who has chosen for each row has looked at what is in the way.
        SELECT string_agg(format('%s: %s', e.relation, b), '; ') INTO reason
        FROM settle.enrolled e CROSS JOIN LATERAL settle.at_blockers(e.relation) b
        WHERE e.id IN (SELECT u.enrolled FROM settle.undo_log u WHERE u.xid = wanted
            AND (NOT has_choices OR (u.enrolled, u.key) NOT IN (SELECT c.enrolled, c.key FROM settle.at_chosen(wanted) c)));
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = reason;
        END IF;
        -- All rows are locked before any is changed, and the locks in the log are given up last. So a rival that
        -- waits for a row finds either its lock or its old self, and no circle of waiting closes.
        details := coalesce((
            SELECT jsonb_agg(jsonb_build_object('table', relation, 'key', label))
            FROM settle.at_rows(wanted, false, true) WHERE differs AND choice IS NULL), '[]');
        IF details <> '[]' THEN
            RAISE EXCEPTION USING ERRCODE = 'ST003', MESSAGE = 'rows were changed past the guard';
        END IF;
        SELECT jsonb_agg(DISTINCT jsonb_build_object('table', m.relation, 'key', m.label)),
            string_agg(DISTINCT m.columns::text, ' ')
        INTO details, reason
        FROM settle.at_misfits(wanted) m
        WHERE m.columns <> '{}'
            AND (NOT has_choices OR (m.enrolled, m.key) NOT IN (SELECT c.enrolled, c.key FROM settle.at_chosen(wanted) c));
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'ST003',
                MESSAGE = 'columns were added, dropped or renamed, and the images do not fit: ' || reason;
        END IF;
        details := '[]';
        PERFORM set_config('settle.xid', 'restore:' || wanted, true);
        INSERT INTO settle.restoring (transaction, xid) VALUES (pg_current_xact_id(), wanted);  -- at_note knows it
        DELETE FROM settle.kept WHERE xid = wanted;
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
        DELETE FROM settle.restoring r WHERE r.transaction = pg_current_xact_id();
        DELETE FROM settle.freed WHERE xid = wanted;
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

-- Functions made here are nobody's but the owner's; so are those of tables that were enrolled before.
DO $$
DECLARE
    name regprocedure;
BEGIN
    FOR name IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'settle'::regnamespace AND (proname LIKE 'at\_%' OR proname IN ('enroll', 'withdraw', 'exempt'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END
$$;

-- Tables that are enrolled already, with what undecided transactions have done to them. Functions need no lock on the table.
-- Keepers need one on what the table refers to, and that may be held by a prepared transaction, which only the service that
-- waits for this migration would end: then, and where the table itself is in the way, at_obstacles says what to do.
DO $$
DECLARE
    known settle.enrolled;
BEGIN
    FOR known IN SELECT e.* FROM settle.enrolled e WHERE EXISTS (SELECT FROM pg_class WHERE oid = e.relation) ORDER BY e.id LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '1s', true);
            PERFORM settle.at_make_keepers(known.id, known.relation);
        EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_column OR undefined_object OR data_exception THEN
            NULL;
        END;
        BEGIN
            PERFORM settle.at_write_functions(known.id);
            PERFORM settle.at_hold_values(known.id);
        EXCEPTION WHEN undefined_column OR undefined_object OR data_exception OR null_value_not_allowed THEN
            NULL;
        END;
    END LOOP;
    PERFORM settle.at_write_outdated();
    PERFORM set_config('lock_timeout', '0', true);
END
$$;
