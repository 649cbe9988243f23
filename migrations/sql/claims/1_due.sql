-- Due payments in the order of payments_due. After a long history the statistics say that none is open: sorting them then
-- looks cheaper than reading that index of each month, and each claim would read and sort all that waits.
CREATE FUNCTION claim_due(most integer) RETURNS SETOF payments
    LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM payments p
    WHERE p.state = 'INITIATED' AND p.parked_at IS NULL AND p.due_at <= statement_timestamp()
    ORDER BY p.due_at, p.id
    LIMIT most
    FOR NO KEY UPDATE SKIP LOCKED;
END
$$;
COMMENT ON FUNCTION claim_due IS 'locks so many due payments, the oldest first, without those locked by others';

REVOKE ALL ON FUNCTION claim_due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_due TO payments_worker;
