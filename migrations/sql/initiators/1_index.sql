-- An index that the version before reads stays for a day, in which its processes are replaced; upkeep drops it then.
CREATE FUNCTION drop_superseded_indexes() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    superseded regclass;
    dropped integer := 0;
BEGIN
    FOR superseded IN
        SELECT indexrelid::regclass FROM pg_index CROSS JOIN LATERAL obj_description(indexrelid, 'pg_class') AS comment
        WHERE indrelid = 'payments'::regclass AND starts_with(comment, 'superseded until ')
          AND now() >= replace(comment, 'superseded until ', '')::timestamptz
    LOOP
        EXECUTE format('DROP INDEX %s', superseded);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION drop_superseded_indexes IS 'indexes whose comment says so, since it says; returns how many';

-- Without payments there is nothing to be slow at.
CREATE FUNCTION supersede_index(index regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('COMMENT ON INDEX %s IS %L', index, 'superseded until ' ||
        CASE WHEN EXISTS (SELECT FROM payments) THEN now() + interval '1 day' ELSE now() END);
    PERFORM drop_superseded_indexes();
END
$$;

-- Who orders a transfer or a charge owns one of its sides, whose index finds it: by their initiator only other payments
-- need one. Each entry in an index of random order costs a payment twice, when it is accepted and when it is posted.
SELECT supersede_index('payments_by_user');
CREATE INDEX payments_by_initiator ON payments (user_id, id) WHERE type NOT IN ('transfer', 'charge');

REVOKE ALL ON FUNCTION drop_superseded_indexes, supersede_index FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_superseded_indexes TO payments_worker;
