-- The gate of settle_0018 for many branches at once: they pass it in a statement of their own, and the one that remembers them
-- looks at the table itself, which takes a tenth more than without, where a call of `branch_gate` for each took twice as long.
-- This only raises what it finds. Returns text, to stand in the place of a state.
CREATE FUNCTION settle.branch_refuse(code text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = CASE code
        WHEN 'ST011' THEN 'the global transaction has ended here'
        ELSE 'the global transaction has too many branches here' END;
END
$$;
