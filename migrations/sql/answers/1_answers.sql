-- The beginning of what a receiver answered, for the owner of the endpoint and for ops, and why a try failed, in words.
-- The bytes as they came: what is no UTF-8, or has NUL, is no text of PostgreSQL.
ALTER TABLE webhook_attempts
    ADD COLUMN answer bytea,
    ADD COLUMN reason text,
    ADD CONSTRAINT webhook_attempts_answer_is_bounded CHECK (octet_length(answer) BETWEEN 1 AND 1024),
    ADD CONSTRAINT webhook_attempts_reason_is_bounded CHECK (length(reason) BETWEEN 1 AND 200);
COMMENT ON COLUMN webhook_attempts.answer IS 'its first KiB, if it had a body';

GRANT INSERT (answer, reason) ON webhook_attempts TO payments_worker;
