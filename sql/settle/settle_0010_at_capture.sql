-- AT: what the generated trigger functions note, and who may use them. Takes the place of settle_0004's at_generate,
-- enroll and withdraw, and brings the tables that are enrolled already up to date (at the end of settle_0011).

-- Rollbacks at work, each in a transaction of its own, so nobody ever sees another's row. A setting can be set by
-- anybody, a row in here only by at_rollback: without it, settle.xid = 'restore:…' opens nothing.
CREATE TABLE settle.restoring (
    transaction xid8 NOT NULL,
    xid         text COLLATE "C" NOT NULL,
    PRIMARY KEY (transaction, xid)
);

-- For a table's own triggers that must not act again on what a rollback puts back: IF settle.is_restoring() …
CREATE OR REPLACE FUNCTION settle.is_restoring() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    me text := current_setting('settle.xid', true);
BEGIN
    IF left(me, 8) = 'restore:' THEN
        RETURN EXISTS (
            SELECT FROM settle.restoring r
            WHERE r.transaction = pg_current_xact_id_if_assigned() AND r.xid = substr(me, 9));
    END IF;
    RETURN false;
END
$$;

-- The function is written for one table, and what it notes is put back into that one only.
CREATE FUNCTION settle.at_verify(enrolled_id integer, of oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM settle.enrolled e WHERE e.id = enrolled_id AND e.relation = of) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the trigger function belongs to another table', DETAIL = of::regclass::text;
    END IF;
END
$$;

-- As in settle_0003, but for who is taken for a rollback.
CREATE OR REPLACE FUNCTION settle.at_note(enrolled_id integer, key_hash bigint, me text, before_image jsonb,
    after_image jsonb, source bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    holder text;
    note bigint;
BEGIN
    IF left(me, 8) = 'restore:' AND NOT settle.is_restoring() THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'settle.xid names a rollback, and none is at work in this transaction';
    END IF;
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
        ELSIF me = 'restore:' || holder THEN
            -- at_rollback at work: what it puts back is not noted again. Rows that are not of that transaction it locks
            -- by coming here, and at_rollback takes that for a sign to stop.
            RETURN NULL;
        ELSIF holder IS NOT NULL THEN
            EXIT;
        END IF;  -- else it was freed between the two statements
    END LOOP;
    PERFORM settle.at_refuse(enrolled_id, key_hash);
END
$$;

-- As in settle_0003, but only for a rollback that is one. SECURITY DEFINER, as a writer need not have rights here.
CREATE OR REPLACE FUNCTION settle.at_keep_image() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1
SET IntervalStyle = postgres SET DateStyle = ISO SET TimeZone = 'UTC' SET lc_monetary = 'C' AS $$
BEGIN
    IF settle.is_restoring() THEN
        PERFORM set_config('settle.image_' || pg_trigger_depth(), NEW::text, true);
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION settle.at_put_image() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1
SET IntervalStyle = postgres SET DateStyle = ISO SET TimeZone = 'UTC' SET lc_monetary = 'C' AS $$
BEGIN
    IF settle.is_restoring() THEN
        EXECUTE format('SELECT ($1::%s).*', TG_RELID::regclass) INTO NEW
        USING current_setting('settle.image_' || pg_trigger_depth());
    END IF;
    RETURN NEW;
END
$$;

-- What a transaction has freed and must find free again when it is undone: values of the unique indexes beside the
-- primary key's, as hashes. Nobody else may take them meanwhile. As the table is
-- mostly empty, a plan would read it whole: the functions that look into it switch that off.
CREATE TABLE settle.freed (
    enrolled integer NOT NULL,
    value    bigint NOT NULL,
    xid      text COLLATE "C" NOT NULL,
    PRIMARY KEY (enrolled, value)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX freed_xid ON settle.freed (xid);

-- The columns that a table's unique indexes beside the primary key's look at, expressions and conditions included.
CREATE FUNCTION settle.at_unique_columns(of regclass) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(DISTINCT a.attname::text)
        FROM pg_index i
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            -- An index that belongs to a constraint depends on that, and the constraint on the columns.
            AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0
            OR d.classid = 'pg_constraint'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = i.indrelid AND d.refobjsubid > 0
            AND d.objid = (SELECT c.oid FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype = 'u')
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
        WHERE i.indrelid = of AND i.indisunique AND NOT i.indisprimary);
END
$$;

-- SQL for what a row called r stands for in those indexes: a hash for each, null where it is not in it. The hash belongs
-- to the types' own equality, as that of a key does.
CREATE FUNCTION settle.at_values(of regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    "index" record;
    part record;
    expression text;
    parts text[];
    conditions text[];
    result text[];
BEGIN
    FOR "index" IN
        SELECT i.indexrelid, c.relname, i.indnkeyatts, pg_get_expr(i.indpred, i.indrelid) AS predicate,
            coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS equal_nulls
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = of AND i.indisunique AND NOT i.indisprimary ORDER BY c.relname
    LOOP
        parts := ARRAY[quote_literal("index".relname) || '::text'];
        conditions := '{}';
        IF "index".predicate IS NOT NULL THEN
            conditions := ARRAY['(' || "index".predicate || ')'];
        END IF;
        FOR part IN
            SELECT pg_get_indexdef("index".indexrelid, a.attnum, true) AS expression,
                format_type(a.atttypid, a.atttypmod) AS type, c.collisdeterministic, a.attcollation::regcollation AS collation
            FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
            WHERE a.attrelid = "index".indexrelid AND a.attnum <= "index".indnkeyatts ORDER BY a.attnum
        LOOP
            expression := '(' || part.expression || ')';
            IF NOT "index".equal_nulls THEN
                conditions := conditions || (expression || ' IS NOT NULL');
            END IF;
            IF NOT part.collisdeterministic THEN
                expression := format('hashtextextended(%s::text COLLATE %s, 0)', expression, part.collation);
            ELSE
                BEGIN
                    EXECUTE format('SELECT hash_record_extended(ROW(NULL::%s), 0)', part.type);
                EXCEPTION WHEN undefined_function THEN
                    expression := expression || '::text';
                END;
            END IF;
            parts := parts || expression;
        END LOOP;
        result := result || format('(SELECT hash_record_extended(ROW(%s), 0) FROM (SELECT r.*) AS x%s)',
            array_to_string(parts, ', '), ' WHERE ' || nullif(array_to_string(conditions, ' AND '), ''));
    END LOOP;
    RETURN format('ARRAY[%s]::bigint[]', array_to_string(result, ', '));
END
$$;

-- A row's values change from the old to the new ones; either list may be null. Those that are new must not be held by
-- another transaction; those that are freed are from now on, if it is one that may be undone.
CREATE FUNCTION settle.at_exchange(enrolled_id integer, me text, old_values bigint[], new_values bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    taken bigint[] := ARRAY(SELECT unnest(new_values) EXCEPT SELECT unnest(old_values) EXCEPT SELECT NULL);
    freed bigint[] := ARRAY(SELECT unnest(old_values) EXCEPT SELECT unnest(new_values) EXCEPT SELECT NULL);
    is_restoring boolean := settle.is_restoring();
    held record;
BEGIN
    IF me = '' OR is_restoring THEN
        freed := '{}';
    END IF;
    INSERT INTO settle.freed (enrolled, value, xid) SELECT enrolled_id, v, me FROM unnest(freed) v ORDER BY v
    ON CONFLICT DO NOTHING;
    SELECT f.xid, f.value INTO held FROM settle.freed f
    WHERE f.enrolled = enrolled_id AND f.value = ANY (taken || freed)
        AND f.xid <> CASE WHEN is_restoring THEN substr(me, 9) ELSE me END
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'ST001',
            MESSAGE = 'a unique value is held by an undecided global transaction, which has freed it',
            DETAIL = format('%s unique value %s is held by %s',
                (SELECT relation FROM settle.enrolled WHERE id = enrolled_id), held.value, held.xid),
            HINT = 'Roll back and try again later.';
    ELSIF current_setting('transaction_isolation') <> 'read committed' AND NOT is_restoring THEN
        -- As at_probe does: an index is not bound to the snapshot, and raises 40001 when it has what that cannot see.
        INSERT INTO settle.freed (enrolled, value, xid) SELECT enrolled_id, v, '' FROM unnest(taken) v ORDER BY v
        ON CONFLICT DO NOTHING;
        DELETE FROM settle.freed f WHERE f.xid = '' AND f.enrolled = enrolled_id AND f.value = ANY (taken);
    END IF;
END
$$;

-- Rows that must stay because an undo would bring back a row that refers to them. For each foreign key of an enrolled table
-- there is a table of what is referred to so, with the same foreign key: PostgreSQL itself then refuses whatever would
-- take the row away (23503), just as if the row that refers to it were still there.
CREATE TABLE settle.kept (xid text COLLATE "C" NOT NULL);  -- all of them inherit from it
CREATE TABLE settle.keeper (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enrolled       integer NOT NULL,
    columns        text[] NOT NULL,
    types          text[] NOT NULL,
    parent         regclass NOT NULL,
    parent_columns text[] NOT NULL,
    equalities     text[] NOT NULL   -- of the parent's column, on the left, with the table's own
);

-- The foreign keys of a table, as settle.keeper has them.
CREATE FUNCTION settle.at_foreign_keys(of regclass) RETURNS TABLE (columns text[], types text[], parent regclass,
    parent_columns text[], equalities text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT DISTINCT array_agg(a.attname::text ORDER BY k.place),
            array_agg(format_type(a.atttypid, a.atttypmod)
                || coalesce(' COLLATE ' || nullif(a.attcollation, 0)::regcollation, '') ORDER BY k.place),
            f.confrelid::regclass, array_agg(b.attname::text ORDER BY k.place),
            array_agg(format('%I.%s', n.nspname, o.oprname) ORDER BY k.place)
        FROM pg_constraint f CROSS JOIN LATERAL unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY
            AS k(number, parent_number, operator, place)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number
        JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent_number
        JOIN pg_operator o ON o.oid = k.operator JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE f.conrelid = of AND f.contype = 'f' AND f.conparentid = 0
        GROUP BY f.oid, f.confrelid;
END
$$;

-- Makes the keepers of a table fit its foreign keys, and those of the rows that are held already.
CREATE FUNCTION settle.at_make_keepers(enrolled_id integer, of regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old settle.keeper;
    wanted record;
    new_id integer;
BEGIN
    FOR old IN
        DELETE FROM settle.keeper k WHERE k.enrolled = enrolled_id AND NOT EXISTS (
            SELECT FROM settle.at_foreign_keys(of) f
            WHERE ROW(f.*) = ROW(k.columns, k.types, k.parent, k.parent_columns, k.equalities))
        RETURNING k.*
    LOOP
        EXECUTE format('DROP TABLE settle.%I', 'kept_' || old.id);
    END LOOP;
    FOR wanted IN
        SELECT f.* FROM settle.at_foreign_keys(of) f WHERE NOT EXISTS (
            SELECT FROM settle.keeper k WHERE k.enrolled = enrolled_id
                AND ROW(f.*) = ROW(k.columns, k.types, k.parent, k.parent_columns, k.equalities))
    LOOP
        INSERT INTO settle.keeper (enrolled, columns, types, parent, parent_columns, equalities)
        VALUES (enrolled_id, wanted.columns, wanted.types, wanted.parent, wanted.parent_columns, wanted.equalities)
        RETURNING id INTO new_id;
        EXECUTE format('CREATE TABLE settle.%1$I (%2$s, PRIMARY KEY (%3$s, xid), '
            'CONSTRAINT held_by_an_undecided_global_transaction FOREIGN KEY (%3$s) REFERENCES %4$s (%5$s)) '
            'INHERITS (settle.kept)',
            'kept_' || new_id,
            (SELECT string_agg(format('%I %s NOT NULL', 'c' || place, type), ', ' ORDER BY place)
                FROM unnest(wanted.types) WITH ORDINALITY AS t(type, place)),
            (SELECT string_agg(format('%I', 'c' || place), ', ' ORDER BY place)
                FROM unnest(wanted.columns) WITH ORDINALITY AS c(name, place)),
            wanted.parent, (SELECT string_agg(format('%I', name), ', ' ORDER BY place)
                FROM unnest(wanted.parent_columns) WITH ORDINALITY AS c(name, place)));
        EXECUTE format('CREATE INDEX ON settle.%I (xid)', 'kept_' || new_id);
        EXECUTE format('INSERT INTO settle.%I SELECT DISTINCT u.xid, %s FROM settle.undo_log u JOIN %s p ON %s '
            'WHERE u.enrolled = %s',
            'kept_' || new_id,
            (SELECT string_agg(format('(u.before ->> %L)::%s', name, type), ', ' ORDER BY place)
                FROM unnest(wanted.columns, wanted.types) WITH ORDINALITY AS c(name, type, place)),
            wanted.parent,
            (SELECT string_agg(format('p.%I OPERATOR(%s) (u.before ->> %L)::%s', parent_name, equality, name, type), ' AND ')
                FROM unnest(wanted.columns, wanted.types, wanted.parent_columns, wanted.equalities)
                    AS c(name, type, parent_name, equality)),
            enrolled_id);
    END LOOP;
END
$$;

-- Statements for the trigger functions of `of`, under an XID: keep what the old row refers to, if it is still there.
CREATE FUNCTION settle.at_keep(enrolled_id integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT string_agg(format($keep$
                INSERT INTO settle.%I SELECT me, %s FROM %s p WHERE %s ON CONFLICT DO NOTHING;$keep$,
            'kept_' || k.id, (SELECT string_agg(format('OLD.%I', name), ', ' ORDER BY place)
                FROM unnest(k.columns) WITH ORDINALITY AS c(name, place)),
            k.parent, (SELECT string_agg(format('p.%I OPERATOR(%s) OLD.%I', parent_name, equality, name), ' AND ')
                FROM unnest(k.columns, k.parent_columns, k.equalities) AS c(name, parent_name, equality))),
            '' ORDER BY k.id)
        FROM settle.keeper k WHERE k.enrolled = enrolled_id);
END
$$;

-- The other side: the transaction itself may take away what it has kept.
CREATE FUNCTION settle.at_let_go(of regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT string_agg(format($let_go$
                DELETE FROM settle.%I k WHERE k.xid OPERATOR(pg_catalog.=) me AND %s;$let_go$,
            'kept_' || k.id, (SELECT string_agg(format('OLD.%I OPERATOR(%s) k.%I', name, equality, 'c' || place), ' AND ')
                FROM unnest(k.parent_columns, k.equalities) WITH ORDINALITY AS c(name, equality, place))),
            '' ORDER BY k.id)
        FROM settle.keeper k WHERE k.parent = of);
END
$$;

-- The trigger functions of an enrolled table, as statements; settle_0004 says what their text has to heed. Tables without
-- other unique indexes and without foreign keys have nothing of what these need.
CREATE FUNCTION settle.at_functions(known settle.enrolled) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $generate$
DECLARE
    of regclass := known.relation;
    id integer := known.id;
    options text := (
        SELECT concat_ws(' ', 'SECURITY DEFINER', string_agg(DISTINCT 'SET ' || setting, ' '))
        FROM settle.at_columns(of), unnest(settings) AS setting);
    old_hash text := settle.at_hash(of, known.key_columns, 'OLD');
    new_hash text := settle.at_hash(of, known.key_columns, 'NEW');
    old_image text := settle.at_image(of, 'OLD');
    new_image text := settle.at_image(of, 'NEW');
    unique_columns text[] := settle.at_unique_columns(of);
    foreign_columns text[] := (
        SELECT array_agg(DISTINCT c) FROM settle.keeper k, unnest(k.columns) c WHERE k.enrolled = known.id);
    referred_columns text[] := (
        SELECT array_agg(DISTINCT c) FROM settle.keeper k, unnest(k.parent_columns) c WHERE k.parent = of);
    when_changed text := $$
                IF %s OPERATOR(pg_catalog.<>) %s THEN%s
                END IF;$$;
    unless_restoring text := $$
                IF pg_catalog.left(me, 8) OPERATOR(pg_catalog.<>) 'restore:' THEN%s
                END IF;$$;
    exchange text := $$
                PERFORM settle.at_exchange(%s, %s, %s, %s);$$;
    keep text := format(unless_restoring, settle.at_keep(id));
    let_go text := settle.at_let_go(of);
    insert_values text := '';
    delete_values text := '';
    update_values text := '';
    update_keeps text := '';
    -- PostgreSQL lets nobody set such a column, not even back.
    identity_check text := coalesce((
        SELECT string_agg(format($$
                IF OLD.%1$I OPERATOR(pg_catalog.<>) NEW.%1$I THEN
                    RAISE EXCEPTION USING ERRCODE = 'ST002',
                        MESSAGE = 'a GENERATED ALWAYS identity column cannot be put back, so no global transaction may change it';
                END IF;$$, name), '')
        FROM settle.at_columns(of) WHERE is_always_identity), '');
    -- The common case: of this very table, not held by anybody, and no rollback.
    note text := $$
                INSERT INTO settle.undo_log (xid, key, enrolled, holds, before, after)
                SELECT me, %2$s, e.id, true, %3$s, %4$s FROM settle.enrolled e
                WHERE e.id OPERATOR(pg_catalog.=) %1$s AND e.relation OPERATOR(pg_catalog.=) TG_RELID
                    AND pg_catalog.left(me, 8) OPERATOR(pg_catalog.<>) 'restore:'
                ON CONFLICT (enrolled, key) WHERE holds DO NOTHING;
                IF NOT FOUND THEN
                    PERFORM settle.at_verify(%1$s, TG_RELID);
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
    result text[];
    name text;
BEGIN
    IF NOT known.key_columns <@ ARRAY(SELECT c.name FROM settle.at_columns(of) c) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = 'a column of the primary key was dropped or renamed',
            DETAIL = of::text;
    END IF;
    IF unique_columns IS NOT NULL THEN
        -- With a search path, for expressions and conditions of indexes.
        result := result || format('CREATE OR REPLACE FUNCTION settle.%I(r %s) RETURNS bigint[] LANGUAGE plpgsql '
            'SET search_path = pg_catalog, pg_temp AS %L', 'at_values_' || id, of, format($$
        BEGIN
            RETURN %s;
        END$$, settle.at_values(of)));
        result := result || format('REVOKE EXECUTE ON FUNCTION settle.at_values_%s FROM PUBLIC', id);
        insert_values := format(exchange, id, 'coalesce(me, '''')', 'NULL', format('settle.at_values_%s(NEW)', id));
        delete_values := format(exchange, id, 'me', format('settle.at_values_%s(OLD)', id), 'NULL');
        update_values := format(when_changed,
            settle.at_hash(of, unique_columns, 'OLD'), settle.at_hash(of, unique_columns, 'NEW'),
            format(exchange, id, 'coalesce(me, '''')', format('settle.at_values_%s(OLD)', id),
                format('settle.at_values_%s(NEW)', id)));
    END IF;
    IF foreign_columns IS NOT NULL THEN
        delete_values := delete_values || keep;
        update_keeps := format(when_changed,
            settle.at_hash(of, foreign_columns, 'OLD'), settle.at_hash(of, foreign_columns, 'NEW'), keep);
    END IF;
    IF referred_columns IS NOT NULL THEN
        delete_values := delete_values || let_go;
        update_keeps := update_keeps || format(when_changed, settle.at_hash(of, referred_columns, 'OLD'),
            settle.at_hash(of, referred_columns, 'NEW'), let_go);
    END IF;
    result := result || format(create_function, 'at_insert_' || id, options, format(body,
        format(note, id, new_hash, 'NULL', new_image) || insert_values, format(look_at_new, id, new_hash) || insert_values));
    result := result || format(create_function, 'at_delete_' || id, options, format(body,
        format(note, id, old_hash, old_image, 'NULL') || delete_values, format(look, id, old_hash)));
    result := result || format(create_function, 'at_update_' || id, options, format(body,
        identity_check || format($$
                IF %1$s OPERATOR(pg_catalog.<>) %2$s THEN
                    PERFORM settle.at_verify(%3$s, TG_RELID);
                    PERFORM settle.at_move(%3$s, %1$s, %2$s, me, %4$s, %5$s);
                ELSE%6$s
                END IF;$$, old_hash, new_hash, id, old_image, new_image, format(note, id, old_hash, old_image, new_image))
            || update_values || update_keeps,
        format(look, id, old_hash) || update_values));
    -- For plain writers only, and apart, so that an update that leaves the key alone has nothing of it.
    result := result || format(create_function, 'at_rekey_' || id, options, format(body, $$
                NULL;  -- at_update has done it$$, format($$
                IF %s OPERATOR(pg_catalog.=) %s THEN
                    RETURN NULL;
                END IF;$$, old_hash, new_hash) || format(look_at_new, id, new_hash)));
    FOREACH name IN ARRAY '{at_insert_,at_update_,at_rekey_,at_delete_}'::text[] LOOP
        -- The right to call it is the right to put it on a table of one's own.
        result := result || format('REVOKE EXECUTE ON FUNCTION settle.%I() FROM PUBLIC', name || id);
    END LOOP;
    RETURN result;
END
$generate$;

-- What the functions of a table were made from, to see later whether the table has changed; null before this migration.
ALTER TABLE settle.enrolled ADD definition text;

CREATE FUNCTION settle.at_definition(known settle.enrolled) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT md5(array_to_string(settle.at_functions(known), ';'))
$$;

-- Writes the functions alone, which needs no lock on the table.
CREATE FUNCTION settle.at_write_functions(enrolled_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statements text[] := (SELECT settle.at_functions(e) FROM settle.enrolled e WHERE e.id = enrolled_id);
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    UPDATE settle.enrolled SET definition = md5(array_to_string(statements, ';')) WHERE id = enrolled_id;
END
$$;

-- The functions of all tables whose keepers or neighbours' keepers have changed: the parent lets go what the child keeps.
CREATE FUNCTION settle.at_write_outdated() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known settle.enrolled;
BEGIN
    FOR known IN SELECT * FROM settle.enrolled ORDER BY id LOOP
        -- One that was altered, or dropped, waits for its own enrolment.
        IF known.key_columns <@ ARRAY(SELECT c.name FROM settle.at_columns(known.relation) c)
            AND known.definition <> settle.at_definition(known)
        THEN
            PERFORM settle.at_write_functions(known.id);
        END IF;
    END LOOP;
END
$$;

-- Holds what transactions that are undecided now have had in a table's unique indexes, freed or not: whoever still has a
-- value has it to himself anyhow.
CREATE FUNCTION settle.at_hold_values(enrolled_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of regclass := (SELECT relation FROM settle.enrolled WHERE id = enrolled_id);
    "row" text := (
        SELECT format('ROW(%s)::%s', string_agg(format('(u.image ->> %L)::%s', c.name, c.type), ', ' ORDER BY c.number), of)
        FROM settle.at_columns(of) c);
BEGIN
    DELETE FROM settle.freed WHERE enrolled = enrolled_id;
    IF settle.at_unique_columns(of) IS NOT NULL
        AND EXISTS (SELECT FROM settle.undo_log u WHERE u.enrolled = enrolled_id)
    THEN
        EXECUTE format($sql$
            INSERT INTO settle.freed SELECT DISTINCT enrolled, v, xid
            FROM (SELECT enrolled, xid, before AS image FROM settle.undo_log WHERE enrolled = %1$s AND before IS NOT NULL) u,
                unnest(settle.at_values_%1$s(%2$s)) v
            WHERE v IS NOT NULL ON CONFLICT DO NOTHING$sql$, enrolled_id, "row");
    END IF;
END
$$;

-- Whether a table has BEFORE ROW triggers of its own for some of these events; tgtype's bits: 4 insert, 16 update.
CREATE FUNCTION settle.at_has_before_trigger(of regclass, events integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = of AND NOT tgisinternal
        AND tgtype & 3 = 3 AND tgtype & events <> 0 AND tgname NOT IN ('!settle_keep', '~settle_put'))
$$;

CREATE OR REPLACE FUNCTION settle.at_generate(enrolled_id integer, of regclass, key_columns text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    create_trigger text := 'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION settle.%I()';
BEGIN
    PERFORM settle.at_write_functions(enrolled_id);
    -- Triggers fire in the order of their names: before the table's own and PostgreSQL's for foreign keys, so that a
    -- change is noted before the changes that it causes.
    EXECUTE format(create_trigger, '!settle_insert', 'INSERT', of, 'at_insert_' || enrolled_id);
    EXECUTE format(create_trigger, '!settle_update', 'UPDATE', of, 'at_update_' || enrolled_id);
    EXECUTE format(create_trigger, '!settle_delete', 'DELETE', of, 'at_delete_' || enrolled_id);
    -- UPDATE OF goes by the columns that the statement names, and a BEFORE trigger may change others.
    EXECUTE format(create_trigger, '!settle_rekey',
        CASE WHEN settle.at_has_before_trigger(of, 16) THEN 'UPDATE'
            ELSE 'UPDATE OF ' || (SELECT string_agg(quote_ident(k), ', ') FROM unnest(key_columns) AS k) END,
        of, 'at_rekey_' || enrolled_id);
    EXECUTE format('CREATE OR REPLACE TRIGGER "!settle_truncate" BEFORE TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION settle.at_refuse_truncate()', of);
    EXECUTE format('DROP TRIGGER IF EXISTS "!settle_keep" ON %s', of);
    EXECUTE format('DROP TRIGGER IF EXISTS "~settle_put" ON %s', of);
    -- Only where there are such triggers already: a BEFORE UPDATE trigger makes each update dearer, even if it does nothing.
    IF settle.at_has_before_trigger(of, 20) THEN
        EXECUTE format($trigger$CREATE TRIGGER "!settle_keep" BEFORE INSERT OR UPDATE ON %s FOR EACH ROW
            WHEN (current_setting('settle.xid', true) LIKE 'restore:%%') EXECUTE FUNCTION settle.at_keep_image()$trigger$, of);
        EXECUTE format($trigger$CREATE TRIGGER "~settle_put" BEFORE INSERT OR UPDATE ON %s FOR EACH ROW
            WHEN (current_setting('settle.xid', true) LIKE 'restore:%%') EXECUTE FUNCTION settle.at_put_image()$trigger$, of);
    END IF;
END
$$;

-- A function's name for reading a table: as_committed_product, as_committed_<schema>_<table> outside public. Two tables may
-- come to the same, also as names end at 63 bytes; then the later one has its number in it. settle.enrolled knows.
CREATE FUNCTION settle.at_reader(enrolled_id integer, of regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := (
        SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE format('%s_%s', n.nspname, c.relname) END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = of);
    candidate name := 'as_committed_' || wanted;
BEGIN
    FOR attempt IN 1..100 LOOP
        IF NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'settle'::regnamespace AND proname = candidate)
            AND NOT EXISTS (SELECT FROM settle.enrolled WHERE reader::name = candidate)
        THEN
            RETURN candidate;
        END IF;
        candidate := concat_ws('_', 'as_committed', enrolled_id, nullif(attempt, 1), wanted);
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'duplicate_function', MESSAGE = 'no name is left for the reader of the table',
        DETAIL = of::text;
END
$$;

-- Why others could make an undo of a table's rows impossible, or null: a deferrable key is looked at when the guard has long
-- looked, and what an exclusion constraint excludes is no value that could be held.
CREATE FUNCTION settle.at_risk(of regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE contype
        WHEN 'x' THEN format('exclusion constraint %I: what it excludes cannot be held', conname)
        ELSE format('constraint %I is deferrable: what it forbids would be seen too late', conname) END
    FROM pg_constraint WHERE conrelid = of AND (contype = 'x' OR contype IN ('p', 'u') AND condeferrable)
    LIMIT 1
$$;

-- Tables that an action in mode `at` may write though they are not enrolled: what it writes there stays when it is undone.
CREATE TABLE settle.exempted (relation regclass PRIMARY KEY);

-- As in settle_0004, with what is new above.
CREATE OR REPLACE FUNCTION settle.enroll(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of regclass;
    reason text;
    known settle.enrolled;
    key text[];
    operators text[];
BEGIN
    FOREACH of IN ARRAY tables LOOP
        reason := coalesce(settle.at_obstacle(of), settle.at_risk(of));
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
            INSERT INTO settle.enrolled (relation, key_columns, equalities, reader) VALUES (of, key, operators, '')
            RETURNING * INTO known;
            UPDATE settle.enrolled e SET reader = settle.at_reader(known.id, of) WHERE id = known.id
            RETURNING * INTO known;
            DELETE FROM settle.exempted WHERE relation = of;
        ELSIF (known.key_columns, known.equalities) <> (key, operators) THEN
            IF EXISTS (SELECT FROM settle.undo_log WHERE enrolled = known.id) THEN
                RAISE EXCEPTION USING ERRCODE = 'ST002',
                    MESSAGE = 'the primary key changed while undecided global transactions hold rows', DETAIL = of::text;
            END IF;
            UPDATE settle.enrolled SET key_columns = key, equalities = operators WHERE id = known.id;
        END IF;
        PERFORM settle.at_make_keepers(known.id, of);
        PERFORM settle.at_generate(known.id, of, key);
        PERFORM settle.at_hold_values(known.id);
        EXECUTE format('CREATE OR REPLACE FUNCTION settle.%I() RETURNS SETOF %s LANGUAGE sql STABLE AS %L',
            known.reader, of, settle.at_reading(of));
    END LOOP;
    PERFORM settle.at_write_outdated();
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

-- As in settle_0004, with what is new above.
CREATE OR REPLACE FUNCTION settle.withdraw(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    of regclass;
    reason text;
    known settle.enrolled;
    old settle.keeper;
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
        EXECUTE format('DROP FUNCTION IF EXISTS settle.%I(%s)', 'at_values_' || known.id, of);
        FOR old IN DELETE FROM settle.keeper WHERE enrolled = known.id RETURNING * LOOP
            EXECUTE format('DROP TABLE settle.%I', 'kept_' || old.id);
        END LOOP;
    END LOOP;
    PERFORM settle.at_write_outdated();
    FOR of IN SELECT relation FROM settle.enrolled LOOP
        reason := settle.at_cascade(of);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format(
                'the table must stay enrolled while %s is: %s changes rows that nobody would note', of, reason);
        END IF;
    END LOOP;
END
$$;

-- Lets actions in mode `at` write tables that are not enrolled.
CREATE FUNCTION settle.exempt(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM settle.enrolled WHERE relation = ANY (tables)) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use', MESSAGE = 'an enrolled table is undone: withdraw it first';
    END IF;
    INSERT INTO settle.exempted SELECT DISTINCT t FROM unnest(tables) t ON CONFLICT DO NOTHING;
END
$$;
