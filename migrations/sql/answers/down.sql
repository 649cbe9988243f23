ALTER TABLE webhook_attempts DROP COLUMN answer, DROP COLUMN reason;
