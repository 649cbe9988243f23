-- The second factor of a user: a secret for time-based one-time passwords (RFC 6238), and recovery codes.

CREATE TABLE second_factors (
    user_id       uuid PRIMARY KEY REFERENCES users,
    secret        bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    confirmed_at  timestamptz,
    last_step     bigint NOT NULL DEFAULT 0,
    CONSTRAINT second_factors_secret_is_encrypted CHECK (length(secret) = 48),
    CONSTRAINT second_factors_last_step_is_not_negative CHECK (last_step >= 0),
    CONSTRAINT second_factors_are_confirmed_by_a_code CHECK (confirmed_at IS NULL OR last_step > 0)
);
COMMENT ON TABLE second_factors IS 'a row without confirmed_at is not asked for: no code of its secret was shown yet';
COMMENT ON COLUMN second_factors.secret IS 'AES-256-GCM under a key of SECOND_FACTOR_KEYS: nonce, 20 bytes, tag';
COMMENT ON COLUMN second_factors.last_step IS 'the newest step of 30 s whose code was used; it and older ones are refused';

CREATE TABLE recovery_codes (
    user_id     uuid NOT NULL REFERENCES second_factors ON DELETE CASCADE,
    hash        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz,
    PRIMARY KEY (user_id, hash),
    CONSTRAINT recovery_codes_hash_is_sha256 CHECK (length(hash) = 32)
);
COMMENT ON TABLE recovery_codes IS 'each replaces a one-time password once, for a user who lost the device';

-- A code is used once, whoever asks.
CREATE TRIGGER second_factors_steps_are_used_once BEFORE UPDATE ON second_factors FOR EACH ROW
    WHEN (NEW.last_step < OLD.last_step OR NEW.user_id <> OLD.user_id
          OR (OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER recovery_codes_are_used_once BEFORE UPDATE ON recovery_codes FOR EACH ROW
    WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_change();

-- When a session proved the second factor, at sign-in or later; never at a time that is not now.
ALTER TABLE tokens
    ADD COLUMN second_factor_at timestamptz,
    ADD CONSTRAINT tokens_second_factors_are_of_sessions CHECK (second_factor_at IS NULL OR kind = 'session');
CREATE TRIGGER tokens_second_factors_are_proved_now BEFORE INSERT ON tokens FOR EACH ROW
    WHEN (NEW.second_factor_at <> now()) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tokens_second_factors_are_proved_again_now BEFORE UPDATE ON tokens FOR EACH ROW
    WHEN (NEW.second_factor_at IS DISTINCT FROM OLD.second_factor_at
          AND coalesce(NEW.second_factor_at, 'infinity') <> now())
    EXECUTE FUNCTION refuse_change();

REVOKE ALL ON second_factors, recovery_codes FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT, DELETE ON second_factors TO payments_gateway;
GRANT INSERT (user_id, secret), UPDATE (secret, created_at, confirmed_at, last_step) ON second_factors TO payments_gateway;
GRANT SELECT, DELETE ON recovery_codes TO payments_gateway;
GRANT INSERT (user_id, hash), UPDATE (used_at) ON recovery_codes TO payments_gateway;
GRANT INSERT (second_factor_at), UPDATE (second_factor_at) ON tokens TO payments_gateway;

-- The operator resets it from the shell, ends the sessions, and reads no secret.
GRANT SELECT (user_id, created_at, confirmed_at), DELETE ON second_factors TO payments_worker;
GRANT UPDATE (revoked_at) ON tokens TO payments_worker;
