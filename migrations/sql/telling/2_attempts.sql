-- Failed attempts, one by one: payments and instructions have only the newest.

CREATE TABLE payment_attempts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id       uuid NOT NULL,
    actor            text NOT NULL,
    attempt          smallint NOT NULL,
    error            text,
    next_attempt_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payment_attempts_actor_is_known CHECK (actor IN ('worker', 'bank')),
    CONSTRAINT payment_attempts_attempt_is_not_negative CHECK (attempt >= 0),
    CONSTRAINT payment_attempts_error_is_bounded CHECK (length(error) <= 500)
);
CREATE INDEX payment_attempts_by_payment ON payment_attempts (payment_id, id);
COMMENT ON COLUMN payment_attempts.actor IS 'who had no success: the poster, or the rail with its bank';
COMMENT ON COLUMN payment_attempts.attempt IS 'counted from 1 again when ops retry it';
COMMENT ON COLUMN payment_attempts.next_attempt_at IS 'null: set aside for a person';

CREATE TRIGGER payment_attempts_are_append_only BEFORE UPDATE OR DELETE ON payment_attempts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_attempts_are_never_truncated BEFORE TRUNCATE ON payment_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON payment_attempts FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON payment_attempts TO payments_worker, payments_gateway;
GRANT INSERT (payment_id, actor, attempt, error, next_attempt_at) ON payment_attempts TO payments_worker;
