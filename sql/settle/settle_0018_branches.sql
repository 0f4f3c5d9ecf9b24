-- Several branches of one transaction at one participant: two calls, or two ways to it. A branch is named by the path of its
-- calls, 1, 2, 1.2; rows from before, and callers who name none, are branch 1. The key of the table follows in settle_0025.
ALTER TABLE settle.branch
    ADD branch_id text NOT NULL DEFAULT '1',
    -- The rows that are there need not be read for it.
    ADD CONSTRAINT branch_branch_id_check CHECK (length(branch_id) BETWEEN 1 AND 64) NOT VALID,
    -- Mode `mt`: the row comes before the part, and has no answer until that is done. What ends the part may be away.
    DROP CONSTRAINT branch_mode_check,
    ADD CONSTRAINT branch_mode_check CHECK (mode IN ('at', 'tcc', 'xa', 'saga', 'mt')) NOT VALID,
    ADD tries integer NOT NULL DEFAULT 0,  -- how often the resource could not be told the end
    ADD retry_time timestamptz;            -- before that it is not tried again

-- A transaction ends here with all of its branches. So each branch that is done passes this gate, and the rollback that ends
-- them closes it: what has passed is waited for, and seen; what comes after finds what the rollback has left, and is refused.
-- The gate is shared by the branches, so two in mode `xa`, which keep it until they have ended, do not wait for each other.
--
-- PL/pgSQL, so that the look at the table has a snapshot of its own, taken when the gate was passed.
CREATE FUNCTION settle.branch_gate(transaction text) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    branches bigint;
    ended bigint;
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended(transaction, 0));
    SELECT count(*), count(b.ended_at) INTO branches, ended FROM settle.branch b WHERE b.xid = transaction;
    IF ended > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'ST011', MESSAGE = 'the global transaction has ended here';
    ELSIF branches >= 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'ST012', MESSAGE = 'the global transaction has too many branches here';
    END IF;
    RETURN true;
END
$$;
