ALTER TABLE webhook_endpoints DROP COLUMN payment_types;
