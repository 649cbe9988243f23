-- A transfer of a bulk may wait for its day, carry a structured reference of the creditor, and keep the ids of the file
-- that ordered it.

ALTER TABLE payments
    DROP CONSTRAINT payments_scheduled_are_orders,
    ADD CONSTRAINT payments_scheduled_are_orders
        CHECK (scheduled_at IS NULL OR type IN ('transfer', 'charge') OR (type = 'withdrawal' AND bulk_id IS NOT NULL)),
    DROP CONSTRAINT payments_bulks_are_of_withdrawals_or_charges,
    ADD CONSTRAINT payments_bulks_are_of_withdrawals_or_charges
        CHECK (bulk_id IS NULL OR (type IN ('withdrawal', 'charge') AND capture AND expires_at IS NULL
                                   AND (scheduled_at IS NULL OR type = 'withdrawal')));

ALTER TABLE instructions
    ADD COLUMN creditor_reference  text,
    ADD COLUMN instruction_id      text,
    ADD COLUMN end_to_end_id       text,
    ADD CONSTRAINT instructions_creditor_reference_is_well_formed
        CHECK (creditor_reference ~ '^(RF[0-9]{2}[A-Z0-9]{1,21}|[0-9]{27})$'),
    ADD CONSTRAINT instructions_remittance_is_of_one_kind CHECK (num_nonnulls(description, creditor_reference) <= 1),
    ADD CONSTRAINT instructions_ids_are_bounded
        CHECK (length(instruction_id) BETWEEN 1 AND 35 AND length(end_to_end_id) BETWEEN 1 AND 35);
COMMENT ON COLUMN instructions.creditor_reference IS 'ISO 11649 (RF), or that of a Swiss QR-bill; its check digits were verified';
COMMENT ON COLUMN instructions.instruction_id IS 'as the order names it; the bank is told the id of the payment';
COMMENT ON COLUMN instructions.end_to_end_id IS 'as the order names it; the bank is told the id of the payment';

CREATE TRIGGER instructions_orders_are_immutable BEFORE UPDATE ON instructions FOR EACH ROW
    WHEN ((NEW.creditor_reference, NEW.instruction_id, NEW.end_to_end_id)
          IS DISTINCT FROM (OLD.creditor_reference, OLD.instruction_id, OLD.end_to_end_id))
    EXECUTE FUNCTION refuse_change();

GRANT INSERT (creditor_reference, instruction_id, end_to_end_id) ON instructions TO payments_gateway;
