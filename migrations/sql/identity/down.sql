-- Payments of the new type would break the old constraint: they are history, so then there is no way back.
ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known CHECK (type IN ('deposit', 'transfer', 'charge'));
DROP TRIGGER payments_of_the_house_are_the_workers ON payments;
REVOKE INSERT ON payments, accounts, idempotency_keys FROM payments_worker;
REVOKE UPDATE ON accounts FROM payments_gateway;
DROP TRIGGER accounts_of_ours_are_not_the_gateways ON accounts;

ALTER TABLE idempotency_keys DISABLE TRIGGER idempotency_keys_are_append_only;
DELETE FROM idempotency_keys WHERE signed_up;
ALTER TABLE idempotency_keys ENABLE TRIGGER idempotency_keys_are_append_only;
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    DROP COLUMN signed_up,
    ADD CONSTRAINT idempotency_keys_name_one_thing CHECK (num_nonnulls(payment_id, account_id) = 1);

REVOKE SELECT, INSERT ON audit_log FROM payments_gateway;
ALTER TABLE audit_log DROP COLUMN token_id, DROP COLUMN address, DROP COLUMN request_id, DROP COLUMN written_by;
DROP INDEX audit_log_by_actor;
DROP TABLE commands, login_throttles, confirmations;

DROP TRIGGER tokens_stay_revoked ON tokens;
DROP TRIGGER tokens_deposits_are_the_operators ON tokens;
REVOKE INSERT, UPDATE ON tokens FROM payments_gateway;
GRANT UPDATE (last_used_at) ON tokens TO payments_gateway;
ALTER TABLE tokens
    DROP COLUMN kind, DROP COLUMN name, DROP COLUMN address, DROP COLUMN user_agent, DROP COLUMN replaced_by;

DROP TRIGGER users_who_sign_up_are_customers ON users;
REVOKE INSERT, UPDATE ON users FROM payments_gateway;
REVOKE UPDATE ON users FROM payments_worker;
ALTER TABLE users
    DROP COLUMN first_name, DROP COLUMN last_name, DROP COLUMN phone_number, DROP COLUMN url,
    DROP COLUMN password_hash, DROP COLUMN email_confirmed_at, DROP COLUMN welcomed_at;
DROP FUNCTION refuse_gateway, tokens_deposits_are_the_operators;
