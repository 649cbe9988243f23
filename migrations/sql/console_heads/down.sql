DROP TABLE imbalances;
DROP INDEX idempotency_keys_by_payment;
ALTER TABLE idempotency_keys DROP COLUMN is_action;
