-- AT: questions that the first phase and an operator's metrics ask.

-- For one who is about to refuse something because of these rows: raises ST001, as the guard does, if another undecided
-- transaction holds one of them. What it has changed may be put back yet, and the refusal would be wrong. `keys` are values
-- of the primary key, which has one column; a row need not be there, as the holder may have deleted it.
--
-- STABLE, so that it sees the same moment as the statement that calls it: asked together with the rows themselves, in one
-- statement, row and lock belong together. Answers '', to be called inside an expression.
CREATE FUNCTION settle.at_check(of regclass, keys text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    known settle.enrolled;
    held record;
BEGIN
    SELECT * INTO known FROM settle.enrolled WHERE relation = of;
    IF NOT EXISTS (SELECT FROM settle.undo_log l WHERE l.enrolled = known.id AND l.holds) THEN
        RETURN '';  -- mostly; and what follows is planned each time
    ELSIF cardinality(known.key_columns) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'only rows with a primary key of one column can be asked about', DETAIL = of::text;
    END IF;
    EXECUTE (
        SELECT format($query$
            SELECT settle.at_label($3, coalesce(l.before, l.after)) AS key, l.xid
            FROM (SELECT k::%s AS %I FROM unnest($1) AS k) r
            JOIN settle.undo_log l ON l.enrolled = $2 AND l.holds AND l.key = %s
            WHERE l.xid <> coalesce(current_setting('settle.xid', true), '') ORDER BY l.key LIMIT 1$query$,
            c.type || coalesce(' COLLATE ' || c.collation_name, ''), c.name, settle.at_hash(of, known.key_columns, 'r'))
        FROM settle.at_columns(of) c WHERE c.name = known.key_columns[1])
    INTO held USING keys, known.id, known.key_columns;
    IF held.xid IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'ST001',
            MESSAGE = 'the row is held by an undecided global transaction',
            DETAIL = format('%s %s is held by %s', of, held.key, held.xid),
            HINT = 'Roll back and try again later.';
    END IF;
    RETURN '';
END
$$;

-- Raises ST009 when a transaction has noted more than `most` changes; looks at no more than it must.
CREATE FUNCTION settle.at_limit(wanted text, most bigint) RETURNS void
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM settle.undo_log WHERE xid = wanted LIMIT most + 1) changes) > most THEN
        RAISE EXCEPTION USING ERRCODE = 'ST009',
            MESSAGE = format('the global transaction changes more than %s rows here', most);
    END IF;
END
$$;

-- How many rows are held for transactions of which no branch is undecided: nobody will ever free them. From XID to XID by
-- the index, so that what one transaction holds is not read.
CREATE FUNCTION settle.at_ownerless() RETURNS bigint
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN (
        WITH RECURSIVE holder AS (
            (SELECT u.xid FROM settle.undo_log u WHERE u.xid > '' ORDER BY u.xid LIMIT 1)
            UNION ALL
            SELECT (SELECT u.xid FROM settle.undo_log u WHERE u.xid > holder.xid ORDER BY u.xid LIMIT 1)
            FROM holder WHERE holder.xid IS NOT NULL
        )
        SELECT coalesce(sum((SELECT count(*) FROM settle.undo_log u WHERE u.xid = holder.xid AND u.holds)), 0)
        FROM holder
        WHERE holder.xid IS NOT NULL AND NOT EXISTS (
            SELECT FROM settle.branch b WHERE b.xid = holder.xid COLLATE "default" AND b.state = 'undecided')
    );
END
$$;

REVOKE EXECUTE ON FUNCTION settle.at_check(regclass, text[]), settle.at_limit(text, bigint), settle.at_ownerless() FROM PUBLIC;
