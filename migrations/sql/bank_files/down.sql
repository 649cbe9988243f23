-- Scheduled payments would be paid at once, and those not sent yet would lose their reference.
DO $$
BEGIN
    IF EXISTS (SELECT FROM payments p JOIN instructions i ON i.payment_id = p.id
               WHERE p.finalized_at IS NULL AND (p.scheduled_at IS NOT NULL OR i.creditor_reference IS NOT NULL)) THEN
        RAISE EXCEPTION 'withdrawals wait for their day or carry a reference: end them first';
    END IF;
END
$$;
DROP TRIGGER bank_statement_lines_stay_with_their_account ON bank_statement_lines;
ALTER TABLE bank_statement_lines DROP COLUMN account;
ALTER TABLE bank_statements DROP COLUMN set_aside;
DROP TRIGGER instructions_orders_are_immutable ON instructions;
ALTER TABLE instructions DROP COLUMN creditor_reference, DROP COLUMN instruction_id, DROP COLUMN end_to_end_id;
-- Scheduled withdrawals that are final would break the old constraints: they are history, so then there is no way back.
ALTER TABLE payments
    DROP CONSTRAINT payments_scheduled_are_orders,
    ADD CONSTRAINT payments_scheduled_are_orders CHECK (scheduled_at IS NULL OR type IN ('transfer', 'charge')),
    DROP CONSTRAINT payments_bulks_are_of_withdrawals_or_charges,
    ADD CONSTRAINT payments_bulks_are_of_withdrawals_or_charges
        CHECK (bulk_id IS NULL OR (type IN ('withdrawal', 'charge') AND capture AND scheduled_at IS NULL
                                   AND expires_at IS NULL));
