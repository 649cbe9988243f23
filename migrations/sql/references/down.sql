REVOKE UPDATE (payment_id) ON payment_references FROM payments_gateway;

DROP TRIGGER payment_references_pass_from_failed ON payment_references;
DROP TRIGGER payment_references_are_never_deleted ON payment_references;
CREATE TRIGGER payment_references_are_append_only BEFORE UPDATE OR DELETE ON payment_references
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

DROP FUNCTION payment_references_pass_from_failed;
