-- AT: taking tables in and out. settle_0003_at.sql has what the triggers made here call.

-- Writes the trigger functions of one table. They are generated, with the key's columns and the table's number in the
-- text, because looking these up at each row costs more than all the rest of a plain write's guard.
--
-- SECURITY DEFINER: who may write the table needs no rights in this schema. All names and operators are qualified, so
-- the writer's search path cannot put others in their place (SET search_path would do it too, and costs more).
CREATE FUNCTION settle.at_generate(enrolled_id integer, of regclass, key_columns text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $generate$
DECLARE
    options text := (
        SELECT concat_ws(' ', 'SECURITY DEFINER', string_agg(DISTINCT 'SET ' || setting, ' '))
        FROM settle.at_columns(of), unnest(settings) AS setting);
    old_hash text := settle.at_hash(of, key_columns, 'OLD');
    new_hash text := settle.at_hash(of, key_columns, 'NEW');
    old_image text := settle.at_image(of, 'OLD');
    new_image text := settle.at_image(of, 'NEW');
    -- PostgreSQL lets nobody set such a column, not even back.
    identity_check text := coalesce((
        SELECT string_agg(format($$
                IF OLD.%1$I OPERATOR(pg_catalog.<>) NEW.%1$I THEN
                    RAISE EXCEPTION USING ERRCODE = 'ST002',
                        MESSAGE = 'a GENERATED ALWAYS identity column cannot be put back, so no global transaction may change it';
                END IF;$$, name), '')
        FROM settle.at_columns(of) WHERE is_always_identity), '');
    note text := $$
                INSERT INTO settle.undo_log (xid, key, enrolled, holds, before, after)
                VALUES (me, %2$s, %1$s, true, %3$s, %4$s) ON CONFLICT (enrolled, key) WHERE holds DO NOTHING;
                IF NOT FOUND THEN
                    PERFORM settle.at_note(%1$s, %2$s, me, %3$s, %4$s);
                END IF;$$;
    -- Refuses when a key is held. It does not ask by whom, as that is only known in vain.
    look text := $$
                PERFORM FROM settle.undo_log l
                WHERE l.enrolled OPERATOR(pg_catalog.=) %1$s AND l.holds AND l.key OPERATOR(pg_catalog.=) %2$s;
                IF FOUND THEN
                    PERFORM settle.at_refuse(%1$s, %2$s);
                END IF;$$;
    -- The same for a key that is new in the table.
    look_at_new text := look || $$
                IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
                    PERFORM settle.at_probe(%1$s, %2$s);
                END IF;$$;
    body text := $$
        DECLARE
            me pg_catalog.text := pg_catalog.current_setting('settle.xid', true);
        BEGIN
            IF me OPERATOR(pg_catalog.<>) '' THEN%s
            ELSE%s
            END IF;
            RETURN NULL;
        END$$;
    create_function text := 'CREATE OR REPLACE FUNCTION settle.%I() RETURNS trigger LANGUAGE plpgsql %s AS %L';
    create_trigger text := 'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION settle.%I()';
    has_before_update boolean;
BEGIN
    EXECUTE format(create_function, 'at_insert_' || enrolled_id, options, format(body,
        format(note, enrolled_id, new_hash, 'NULL', new_image), format(look_at_new, enrolled_id, new_hash)));
    EXECUTE format(create_function, 'at_delete_' || enrolled_id, options, format(body,
        format(note, enrolled_id, old_hash, old_image, 'NULL'), format(look, enrolled_id, old_hash)));
    EXECUTE format(create_function, 'at_update_' || enrolled_id, options, format(body,
        identity_check || format($$
                IF %1$s OPERATOR(pg_catalog.<>) %2$s THEN
                    PERFORM settle.at_move(%3$s, %1$s, %2$s, me, %4$s, %5$s);
                    RETURN NULL;
                END IF;$$, old_hash, new_hash, enrolled_id, old_image, new_image)
            || format(note, enrolled_id, old_hash, old_image, new_image),
        format(look, enrolled_id, old_hash)));
    -- For plain writers only, and apart, so that an update that leaves the key alone has nothing of it.
    EXECUTE format(create_function, 'at_rekey_' || enrolled_id, options, format(body, $$
                NULL;  -- at_update has done it$$, format($$
                IF %s OPERATOR(pg_catalog.=) %s THEN
                    RETURN NULL;
                END IF;$$, old_hash, new_hash) || format(look_at_new, enrolled_id, new_hash)));
    -- tgtype is a set of bits: 1 row, 2 before, 16 update.
    has_before_update := EXISTS (SELECT FROM pg_trigger
        WHERE tgrelid = of AND NOT tgisinternal AND tgtype & 19 = 19 AND tgname NOT IN ('!settle_keep', '~settle_put'));
    -- Triggers fire in the order of their names: before the table's own and PostgreSQL's for foreign keys, so that a
    -- change is noted before the changes that it causes.
    EXECUTE format(create_trigger, '!settle_insert', 'INSERT', of, 'at_insert_' || enrolled_id);
    EXECUTE format(create_trigger, '!settle_update', 'UPDATE', of, 'at_update_' || enrolled_id);
    EXECUTE format(create_trigger, '!settle_delete', 'DELETE', of, 'at_delete_' || enrolled_id);
    -- UPDATE OF goes by the columns that the statement names, and a BEFORE trigger may change others.
    EXECUTE format(create_trigger, '!settle_rekey',
        CASE WHEN has_before_update THEN 'UPDATE'
            ELSE 'UPDATE OF ' || (SELECT string_agg(quote_ident(k), ', ') FROM unnest(key_columns) AS k) END,
        of, 'at_rekey_' || enrolled_id);
    EXECUTE format('CREATE OR REPLACE TRIGGER "!settle_truncate" BEFORE TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION settle.at_refuse_truncate()', of);
    EXECUTE format('DROP TRIGGER IF EXISTS "!settle_keep" ON %s', of);
    EXECUTE format('DROP TRIGGER IF EXISTS "~settle_put" ON %s', of);
    -- Only where there are such triggers already: a BEFORE UPDATE trigger makes each update dearer, even if it does nothing.
    IF EXISTS (  -- 4 is insert
        SELECT FROM pg_trigger WHERE tgrelid = of AND NOT tgisinternal AND tgtype & 3 = 3 AND tgtype & 20 <> 0
    ) THEN
        EXECUTE format($$CREATE TRIGGER "!settle_keep" BEFORE INSERT OR UPDATE ON %s FOR EACH ROW
            WHEN (current_setting('settle.xid', true) LIKE 'restore:%%') EXECUTE FUNCTION settle.at_keep_image()$$, of);
        EXECUTE format($$CREATE TRIGGER "~settle_put" BEFORE INSERT OR UPDATE ON %s FOR EACH ROW
            WHEN (current_setting('settle.xid', true) LIKE 'restore:%%') EXECUTE FUNCTION settle.at_put_image()$$, of);
    END IF;
END
$generate$;

-- Why a table cannot be enrolled, or null.
CREATE FUNCTION settle.at_obstacle(of regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT FROM pg_inherits WHERE of IN (inhrelid, inhparent))
            THEN 'it is partitioned or inherits: a partition can be truncated and detached without its parent''s triggers'
        WHEN c.relkind <> 'r' THEN 'it is not a table'
        WHEN c.relpersistence <> 'p' THEN 'it is temporary or unlogged, and would not survive what the undo log survives'
        WHEN c.relnamespace IN ('settle'::regnamespace, 'pg_catalog'::regnamespace) THEN 'it is a table of the system'
        WHEN c.relforcerowsecurity THEN 'row level security would hide rows from the rollback'
        WHEN EXISTS (SELECT FROM pg_rewrite WHERE ev_class = of) THEN 'its rules would rewrite what the rollback does'
        WHEN NOT EXISTS (SELECT FROM pg_index WHERE indrelid = of AND indisprimary) THEN 'it has no primary key'
    END
    FROM pg_class c WHERE c.oid = of
$$;

-- A foreign key to `of` that changes rows by itself, from a table that is not enrolled: those changes nobody would note.
CREATE FUNCTION settle.at_cascade(of regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('foreign key %I of table %s', conname, conrelid::regclass)
    FROM pg_constraint
    WHERE confrelid = of AND contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
        AND NOT EXISTS (SELECT FROM settle.enrolled WHERE relation = conrelid)
    LIMIT 1
$$;

-- Puts tables under AT. Again for a table that is enrolled: its triggers are written anew, which every migration that
-- alters its columns, key or triggers must ask for. Tables whose foreign keys cascade to each other go in one call.
CREATE FUNCTION settle.enroll(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of regclass;
    reason text;
    known settle.enrolled;
    key text[];
    operators text[];
BEGIN
    FOREACH of IN ARRAY tables LOOP
        reason := settle.at_obstacle(of);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = format('table %s cannot be enrolled: %s', of, reason);
        END IF;
        -- The lock that CREATE TRIGGER takes anyway: writers that began without the triggers end first.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', of);
        SELECT array_agg(a.attname::text ORDER BY k.place), array_agg(format('%I.%s', n.nspname, o.oprname) ORDER BY k.place)
        INTO key, operators
        FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey, i.indclass) WITH ORDINALITY AS k(number, class, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        JOIN pg_opclass c ON c.oid = k.class
        JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
            AND m.amopstrategy = 3  -- equality, in a B-tree
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE i.indrelid = of AND i.indisprimary AND k.place <= i.indnkeyatts;
        SELECT * INTO known FROM settle.enrolled WHERE relation = of;
        IF known.id IS NULL THEN
            INSERT INTO settle.enrolled (relation, key_columns, equalities, reader)
            SELECT of, key, operators, CASE
                WHEN n.nspname = 'public' THEN 'as_committed_' || c.relname
                ELSE format('as_committed_%s_%s', n.nspname, c.relname) END
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = of
            RETURNING * INTO known;
        ELSIF (known.key_columns, known.equalities) <> (key, operators) THEN
            IF EXISTS (SELECT FROM settle.undo_log WHERE enrolled = known.id) THEN
                RAISE EXCEPTION USING ERRCODE = 'ST002',
                    MESSAGE = 'the primary key changed while undecided global transactions hold rows', DETAIL = of::text;
            END IF;
            UPDATE settle.enrolled SET key_columns = key, equalities = operators WHERE id = known.id;
        END IF;
        PERFORM settle.at_generate(known.id, of, key);
        EXECUTE format('CREATE OR REPLACE FUNCTION settle.%I() RETURNS SETOF %s LANGUAGE sql STABLE AS %L',
            known.reader, of, settle.at_reading(of));
    END LOOP;
    FOREACH of IN ARRAY tables LOOP
        reason := settle.at_cascade(of);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = format('table %s cannot be enrolled alone: %s changes rows that nobody would note', of, reason),
                HINT = 'Enroll both tables in one call.';
        END IF;
    END LOOP;
END
$$;

-- Takes tables out again; refused while an undecided transaction holds a row.
CREATE FUNCTION settle.withdraw(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of regclass;
    reason text;
    known settle.enrolled;
    trigger_name text;
BEGIN
    FOREACH of IN ARRAY tables LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', of);
        DELETE FROM settle.enrolled WHERE relation = of RETURNING * INTO known;
        CONTINUE WHEN known.id IS NULL;
        IF EXISTS (SELECT FROM settle.undo_log WHERE enrolled = known.id) THEN
            RAISE EXCEPTION USING ERRCODE = 'ST002', MESSAGE = 'undecided global transactions hold rows of the table',
                DETAIL = of::text, HINT = 'Try again later.';
        END IF;
        FOREACH trigger_name IN ARRAY
            '{!settle_insert,!settle_update,!settle_rekey,!settle_delete,!settle_truncate,!settle_keep,~settle_put}'::text[]
        LOOP
            EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', trigger_name, of);
        END LOOP;
        EXECUTE format('DROP FUNCTION settle.%I(), settle.%I(), settle.%I(), settle.%I(), settle.%I()',
            'at_insert_' || known.id, 'at_update_' || known.id, 'at_rekey_' || known.id, 'at_delete_' || known.id,
            known.reader);
    END LOOP;
    FOR of IN SELECT relation FROM settle.enrolled LOOP
        reason := settle.at_cascade(of);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format(
                'the table must stay enrolled while %s is: %s changes rows that nobody would note', of, reason);
        END IF;
    END LOOP;
END
$$;
