-- The Request-Id that a client chose for an order; one that the gateway made is the id of its payment. Only who sends one
-- pays for it: some 30 bytes and one index insertion.
ALTER TABLE idempotency_keys
    ADD COLUMN request_id text,
    ADD CONSTRAINT idempotency_keys_request_id_is_bounded CHECK (length(request_id) BETWEEN 8 AND 64);
CREATE INDEX idempotency_keys_by_request ON idempotency_keys (request_id) WHERE request_id IS NOT NULL;
GRANT INSERT (request_id) ON idempotency_keys TO payments_gateway, payments_worker;
