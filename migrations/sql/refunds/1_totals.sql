-- Totals given back of a charge or a withdrawal. The payment itself is final and never changes, so the total stands
-- beside it: the database refuses whatever would go beyond what was taken, however the refunds' ids and times compare.

CREATE TABLE refund_totals (
    payment_id  uuid PRIMARY KEY,
    captured    numeric(38,0) NOT NULL,
    refunded    numeric(38,0) NOT NULL,
    CONSTRAINT refund_totals_are_within_captured
        CHECK (refunded > 0 AND refunded <= captured AND captured < 1e38)
);
COMMENT ON TABLE refund_totals IS 'charges and withdrawals of which something was given back';
COMMENT ON COLUMN refund_totals.captured IS 'of a charge what was captured, of a withdrawal what the bank was told to pay';
COMMENT ON COLUMN refund_totals.refunded IS 'the sum of its COMPLETED refunds or returns';

DO $$
DECLARE
    broken bigint;
BEGIN
    WITH given_back AS (
        SELECT p.id, sum(r.amount) AS refunded,
               CASE p.type WHEN 'withdrawal' THEN p.amount - p.commission
                           ELSE coalesce(p.captured_amount, p.amount) END AS captured
        FROM payments r JOIN payments p ON p.id = r.parent_id
        WHERE r.state = 'COMPLETED' GROUP BY p.id
    ), kept AS (
        INSERT INTO refund_totals (payment_id, captured, refunded)
        SELECT id, captured, least(refunded, captured) FROM given_back
    )
    SELECT count(*) INTO broken FROM given_back WHERE refunded > captured;
    IF broken > 0 THEN
        RAISE WARNING 'more was given back than taken of % payments: they count as wholly given back', broken;
    END IF;
END
$$;

-- Moved by the statement that completes a refund or a return, and by nothing else; what was captured is read once, from
-- a payment that is final.
CREATE FUNCTION payments_count_what_they_give_back() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO refund_totals AS total (payment_id, captured, refunded)
    SELECT p.id, CASE p.type WHEN 'withdrawal' THEN p.amount - p.commission
                             ELSE coalesce(p.captured_amount, p.amount) END, NEW.amount
    FROM payments p
    WHERE p.id = NEW.parent_id AND p.state = 'COMPLETED' AND p.currency = NEW.currency
      AND p.type = CASE NEW.type WHEN 'refund' THEN 'charge' ELSE 'withdrawal' END
    ON CONFLICT (payment_id) DO UPDATE SET refunded = total.refunded + excluded.refunded;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'payment % gives back %, of which nothing was taken', NEW.id, NEW.parent_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_count_what_they_give_back AFTER UPDATE OF state ON payments
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND NEW.state = 'COMPLETED')
    EXECUTE FUNCTION payments_count_what_they_give_back();

-- No role changes a total directly, not even the owner.
CREATE TRIGGER refund_totals_are_moved_by_refunds BEFORE INSERT OR UPDATE ON refund_totals
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_totals_are_never_deleted BEFORE DELETE ON refund_totals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_totals_are_never_truncated BEFORE TRUNCATE ON refund_totals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON refund_totals FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION payments_count_what_they_give_back FROM PUBLIC;
GRANT SELECT ON refund_totals TO payments_worker, payments_gateway;
