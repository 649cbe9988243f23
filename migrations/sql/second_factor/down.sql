REVOKE UPDATE (revoked_at) ON tokens FROM payments_worker;
DROP TRIGGER tokens_second_factors_are_proved_now ON tokens;
DROP TRIGGER tokens_second_factors_are_proved_again_now ON tokens;
ALTER TABLE tokens DROP COLUMN second_factor_at;
DROP TABLE recovery_codes, second_factors;
