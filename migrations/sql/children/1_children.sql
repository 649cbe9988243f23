-- The refunds and returns of a payment, by its id: payments that name it as their parent may be in any later month, and
-- to look for them would read the index of every one.
CREATE TABLE payment_children (
    parent_id  uuid NOT NULL,
    child_id   uuid NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);
COMMENT ON TABLE payment_children IS 'refunds and returns by the payment that they give back';

CREATE FUNCTION payments_are_listed_with_their_parent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO payment_children (parent_id, child_id) VALUES (NEW.parent_id, NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_are_listed_with_their_parent AFTER INSERT ON payments
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION payments_are_listed_with_their_parent();

INSERT INTO payment_children (parent_id, child_id) SELECT parent_id, id FROM payments WHERE parent_id IS NOT NULL;

-- No role changes the list directly, not even the owner.
CREATE TRIGGER payment_children_are_listed_by_payments BEFORE INSERT OR UPDATE OR DELETE ON payment_children
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_children_are_never_truncated BEFORE TRUNCATE ON payment_children
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON payment_children FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION payments_are_listed_with_their_parent FROM PUBLIC;
GRANT SELECT ON payment_children TO payments_worker, payments_gateway;
