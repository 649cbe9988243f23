-- A reference passes from a payment that FAILED to a new one of the same merchant's, and never otherwise: FAILED is
-- final, so of all that race for it under the row's lock one wins, and it cannot come back to the old one.
-- AFTER, so that a statement which keeps payments and references together may be judged by all that it wrote.
CREATE FUNCTION payment_references_pass_from_failed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.merchant_id, NEW.reference) IS DISTINCT FROM (OLD.merchant_id, OLD.reference)
       OR NOT EXISTS (SELECT FROM payments WHERE id = OLD.payment_id AND state = 'FAILED')
       OR NOT EXISTS (SELECT FROM payments WHERE id = NEW.payment_id AND state = 'INITIATED'
                      AND user_id = NEW.merchant_id AND reference = NEW.reference)
    THEN
        RAISE EXCEPTION 'the reference of payment % cannot pass to %', OLD.payment_id, NEW.payment_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION payment_references_pass_from_failed FROM PUBLIC;

DROP TRIGGER payment_references_are_append_only ON payment_references;
CREATE TRIGGER payment_references_are_never_deleted BEFORE DELETE ON payment_references
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_references_pass_from_failed AFTER UPDATE ON payment_references
    FOR EACH ROW EXECUTE FUNCTION payment_references_pass_from_failed();

GRANT UPDATE (payment_id) ON payment_references TO payments_gateway;
