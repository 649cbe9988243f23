DROP TABLE final_payment_counts, imbalances;
DELETE FROM event_positions WHERE reader = 'counts';
DROP INDEX idempotency_keys_by_payment;
ALTER TABLE idempotency_keys DROP COLUMN is_action;
