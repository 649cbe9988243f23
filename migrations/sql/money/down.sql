-- Commands of the new kinds, holds and refunds would break the old constraints: they are history, so then there is
-- no way back.
DROP TRIGGER payments_stay_as_quoted ON payments;
DROP TABLE quotes, exchange_rates;
DROP TRIGGER payments_orders_are_immutable ON payments;
DROP TRIGGER payments_wait_for_their_time ON payments;
DROP FUNCTION payments_wait_for_their_time, payments_orders_are_immutable;
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    DROP COLUMN adjustment_id,
    ADD CONSTRAINT idempotency_keys_name_one_thing CHECK (num_nonnulls(payment_id, account_id, signed_up) = 1);
DROP TABLE adjustments;
DROP FUNCTION adjustments_are_of_ops;
DROP TRIGGER currencies_of_states_are_not_the_gateways ON currencies;
DROP TRIGGER accounts_get_their_ceiling ON accounts;
DROP TRIGGER accounts_tell_a_new_token ON accounts;
DROP FUNCTION accounts_get_their_ceiling, accounts_tell_a_new_token;
REVOKE INSERT, UPDATE ON currencies FROM payments_gateway;
REVOKE UPDATE (token) ON accounts FROM payments_gateway;
ALTER TABLE accounts DROP COLUMN token_since;
ALTER TABLE currencies
    DROP CONSTRAINT currencies_name_is_bounded, DROP COLUMN balance_maximum, DROP COLUMN version;
DROP TABLE commission_terms;
DROP FUNCTION commission_terms_are_told_ahead;
DROP INDEX commands_one_ending;
ALTER TABLE commands
    DROP COLUMN amount,
    DROP CONSTRAINT commands_retries_have_reasons,
    DROP CONSTRAINT commands_kind_is_known,
    ADD CONSTRAINT commands_kind_is_known CHECK (kind IN ('retry')),
    ALTER COLUMN reason SET NOT NULL;
ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known CHECK (type IN ('deposit', 'transfer', 'charge', 'bonus')),
    DROP COLUMN quote_id, DROP COLUMN target_amount, DROP COLUMN target_currency, DROP COLUMN rate,
    DROP COLUMN parent_id, DROP COLUMN reason,
    DROP COLUMN capture, DROP COLUMN captured_amount, DROP COLUMN hold_expires_at, DROP COLUMN scheduled_at,
    DROP COLUMN expires_at;
