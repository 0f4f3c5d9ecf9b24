-- AT: reading enrolled tables as if no undecided global transaction had happened.

-- The query: rows that nobody holds, and of the held ones the image from before. Its holder sees his own changes. One
-- statement has one snapshot, so a transaction that ends meanwhile is seen either wholly or not at all.
CREATE FUNCTION settle.at_reading(of regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $function$
    SELECT format($$
            SELECT r.* FROM %1$s r
            WHERE NOT EXISTS (
                SELECT FROM settle.undo_log l
                WHERE l.enrolled = %2$s AND l.holds AND l.key = %3$s
                    AND l.xid <> coalesce(pg_catalog.current_setting('settle.xid', true), ''))
            UNION ALL
            SELECT %4$s FROM (
                SELECT %5$s FROM settle.undo_log l
                WHERE l.enrolled = %2$s AND l.holds AND l.before IS NOT NULL
                    AND l.xid <> coalesce(pg_catalog.current_setting('settle.xid', true), '')) i$$,
        of, e.id, settle.at_hash(of, e.key_columns, 'r'),
        -- A generated column is computed again: a virtual one is in no image.
        string_agg(CASE WHEN c.is_generated THEN format('(%s)::%s', c.expression, c.type) ELSE format('i.%I', c.name) END,
            ', ' ORDER BY c.number),
        string_agg(format('(l.before ->> %L)::%s%s AS %I', c.name, c.type,
            ' COLLATE ' || c.collation_name, c.name), ', ' ORDER BY c.number) FILTER (WHERE NOT c.is_generated))
    FROM settle.enrolled e CROSS JOIN settle.at_columns(of) c WHERE e.relation = of
    GROUP BY e.id, e.key_columns
$function$;

-- SELECT * FROM settle.as_committed(NULL::product): any enrolled table. It is made whole before a WHERE is looked at;
-- settle.as_committed_product(), which enroll wrote, is taken into the caller's query instead, and uses its indexes.
CREATE FUNCTION settle.as_committed(of anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE AS $$
DECLARE
    reading text := (SELECT settle.at_reading(t.typrelid) FROM pg_catalog.pg_type t WHERE t.oid = pg_typeof(of));
BEGIN
    IF reading IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('%s is not a row of an enrolled table', pg_typeof(of));
    END IF;
    RETURN QUERY EXECUTE reading;
END
$$;
