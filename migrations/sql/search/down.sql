DROP INDEX accounts_by_last4, audit_log_by_request, commands_by_request, batches_by_request,
    bank_statement_lines_by_bank_reference, resolutions_by_bank_reference;

ALTER TABLE payment_references
    DROP CONSTRAINT payment_references_pkey,
    ADD CONSTRAINT payment_references_pkey PRIMARY KEY (merchant_id, reference);
ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_pkey,
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key);
