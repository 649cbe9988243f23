-- Operations are what the ledger writes, and nothing beside it: of payments that the same transaction completed, in the
-- currency of their account, numbered up to its last_seq and leading to its balance. One check for the whole batch; it
-- runs at the end of the statement that writes payments, operations and balances at once. It sees payments by their ids
-- and accounts one by one, so that no plan made for a small batch reads a table for a large one.
CREATE OR REPLACE FUNCTION operations_sum_to_zero() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    written record;
    this xid := pg_current_xact_id()::xid;
BEGIN
    SELECT array_agg(DISTINCT payment_id) AS payment_ids, sum(lines) AS lines,
           max(payment_id::text) FILTER (WHERE total <> 0) AS culprit INTO written
    FROM (SELECT payment_id, sum(amount) AS total, count(*) AS lines FROM inserted GROUP BY payment_id, currency) sums;
    IF written.culprit IS NOT NULL THEN
        RAISE EXCEPTION 'operations of payment % do not sum to zero', written.culprit
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    -- Final is final, so the version of the row that this transaction wrote is the one that completed it.
    IF (SELECT count(*) FROM payments p
        WHERE p.id = ANY(written.payment_ids) AND p.state = 'COMPLETED' AND p.xmin = this)
       < cardinality(written.payment_ids) THEN
        RAISE EXCEPTION 'operations of a payment that this transaction did not complete'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'operations_are_of_what_is_completed';
    END IF;
    -- As many numbers as lines, none above the last and none below as many before it: dense, since none occurs twice.
    IF (SELECT coalesce(sum(lines), 0) FROM (
            SELECT count(*) AS lines FROM inserted o CROSS JOIN LATERAL (
                SELECT currency, last_seq, balance FROM accounts WHERE id = o.account_id OFFSET 0) a
            WHERE o.currency = a.currency
              AND (o.account_seq < a.last_seq OR (o.account_seq = a.last_seq AND o.balance_after = a.balance))
            GROUP BY o.account_id, a.last_seq HAVING min(o.account_seq) = a.last_seq - count(*) + 1) led)
       < written.lines THEN
        RAISE EXCEPTION 'operations that do not lead to the balance of their account'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'operations_lead_to_the_balance';
    END IF;
    RETURN NULL;
END
$$;
