-- The money of payments that wait for their bank would stay held, without a record of whether the bank has them.
DO $$
BEGIN
    IF EXISTS (SELECT FROM instructions i JOIN payments p ON p.id = i.payment_id WHERE p.finalized_at IS NULL) THEN
        RAISE EXCEPTION 'withdrawals wait for their bank: end them first';
    END IF;
END
$$;
-- Reconciliation: statements and their lines go, with what was matched by hand.
DROP TABLE bank_statement_lines, bank_statements;
-- Bulks: lines stay payments, without their bulk.
DROP TRIGGER payments_lines_fit_their_bulk ON payments;
DROP TRIGGER payments_stay_in_their_bulk ON payments;
ALTER TABLE payments DROP COLUMN bulk_id, DROP COLUMN bulk_line;
ALTER TABLE idempotency_keys DISABLE TRIGGER idempotency_keys_are_append_only;
DELETE FROM idempotency_keys WHERE bulk_id IS NOT NULL;
ALTER TABLE idempotency_keys ENABLE TRIGGER idempotency_keys_are_append_only;
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    DROP COLUMN bulk_id,
    ADD CONSTRAINT idempotency_keys_name_one_thing
        CHECK (num_nonnulls(payment_id, account_id, adjustment_id, signed_up) = 1);
DROP TRIGGER commands_leave_bulks_whole ON commands;
DROP TABLE bulks, bank_accounts;
DROP FUNCTION bank_accounts_pay_from_own_wallets, bulks_follow_their_lines, payments_lines_fit_their_bulk,
    commands_leave_bulks_whole;
-- Instructions: returns and the bank's answers would break the old constraints: they are history, so then there is no
-- way back.
DROP TRIGGER payments_returns_are_the_workers ON payments;
ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known
        CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange', 'adjustment')),
    DROP CONSTRAINT payments_refunds_name_their_charge,
    ADD CONSTRAINT payments_refunds_name_their_charge CHECK ((parent_id IS NOT NULL) = (type = 'refund'));
REVOKE INSERT ON commands FROM payments_worker;
DROP TRIGGER commands_of_the_bank_are_the_workers ON commands;
DROP INDEX commands_one_answer, commands_one_ending;
CREATE UNIQUE INDEX commands_one_ending ON commands (payment_id)
    WHERE kind <> 'retry' AND outcome IS DISTINCT FROM 'refused';
ALTER TABLE commands
    DROP CONSTRAINT commands_are_a_users_or_the_banks,
    DROP CONSTRAINT commands_kind_is_known,
    ADD CONSTRAINT commands_kind_is_known CHECK (kind IN ('retry', 'capture', 'void', 'cancel')),
    ALTER COLUMN user_id SET NOT NULL;
DROP TABLE rail_positions, returns, instructions;
