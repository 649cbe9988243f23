-- Users beyond name and role, the proof of their identity, and the limits on guesses.

ALTER TABLE users
    ADD COLUMN first_name          text,
    ADD COLUMN last_name           text,
    ADD COLUMN phone_number        text,
    ADD COLUMN url                 text,
    ADD COLUMN password_hash       text,
    ADD COLUMN email_confirmed_at  timestamptz,
    ADD COLUMN welcomed_at         timestamptz,
    ADD CONSTRAINT users_first_name_is_bounded CHECK (length(first_name) BETWEEN 1 AND 50),
    ADD CONSTRAINT users_last_name_is_bounded CHECK (length(last_name) BETWEEN 1 AND 50),
    ADD CONSTRAINT users_phone_number_is_e164 CHECK (phone_number ~ '^\+[1-9][0-9]{7,14}$'),
    ADD CONSTRAINT users_url_is_bounded CHECK (length(url) BETWEEN 8 AND 200),
    ADD CONSTRAINT users_password_is_hashed CHECK (password_hash LIKE '$argon2id$%' AND length(password_hash) <= 200),
    ADD CONSTRAINT users_phone_number_is_unique UNIQUE (phone_number);
COMMENT ON COLUMN users.name IS 'shown to the other side of payments';
COMMENT ON COLUMN users.welcomed_at IS 'null: a worker has yet to open the default wallets and pay the bonus';
-- Existing users were created by the operator, who vouches for their address and opens their wallets.
UPDATE users SET email_confirmed_at = created_at, welcomed_at = created_at;
CREATE INDEX users_to_welcome ON users (id) WHERE welcomed_at IS NULL;

ALTER TABLE tokens
    ADD COLUMN kind         text NOT NULL DEFAULT 'api_key',
    ADD COLUMN name         text,
    ADD COLUMN address      text,
    ADD COLUMN user_agent   text,
    ADD COLUMN replaced_by  uuid,
    ADD CONSTRAINT tokens_kind_is_known CHECK (kind IN ('api_key', 'session')),
    ADD CONSTRAINT tokens_sessions_expire CHECK (kind <> 'session' OR expires_at IS NOT NULL),
    ADD CONSTRAINT tokens_name_is_bounded CHECK (length(name) BETWEEN 1 AND 100),
    ADD CONSTRAINT tokens_user_agent_is_bounded CHECK (length(user_agent) BETWEEN 1 AND 200);
COMMENT ON COLUMN tokens.replaced_by IS 'of a rolled key: the key that succeeds it';

-- A request for proof of an e-mail address: a worker mails a token, and the owner of the address returns it.
CREATE TABLE confirmations (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users,
    purpose     text NOT NULL,
    hash        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),
    attempts    smallint NOT NULL DEFAULT 0,
    last_error  text,
    sent_at     timestamptz,
    expires_at  timestamptz,
    used_at     timestamptz,
    CONSTRAINT confirmations_purpose_is_known CHECK (purpose IN ('email', 'password')),
    CONSTRAINT confirmations_hash_is_unique UNIQUE (hash),
    CONSTRAINT confirmations_hash_is_sha256 CHECK (length(hash) = 32),
    CONSTRAINT confirmations_expire CHECK ((hash IS NULL) = (expires_at IS NULL)),
    CONSTRAINT confirmations_are_used_once_given CHECK (used_at IS NULL OR hash IS NOT NULL),
    CONSTRAINT confirmations_attempts_are_not_negative CHECK (attempts >= 0),
    CONSTRAINT confirmations_last_error_is_bounded CHECK (length(last_error) <= 500)
);
CREATE INDEX confirmations_to_mail ON confirmations (due_at, id) WHERE sent_at IS NULL;
CREATE INDEX confirmations_user_id ON confirmations (user_id, purpose, created_at);
COMMENT ON COLUMN confirmations.hash IS 'SHA-256 of the token in the newest mail; null: none has been mailed yet';

-- Guesses at passwords, counted before each is checked, so that concurrent guesses count too.
CREATE TABLE login_throttles (
    subject       bytea PRIMARY KEY,
    attempts      integer NOT NULL,
    locked_until  timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT login_throttles_subject_is_sha256 CHECK (length(subject) = 32),
    CONSTRAINT login_throttles_attempts_are_positive CHECK (attempts > 0)
);
CREATE INDEX login_throttles_seen_at ON login_throttles (seen_at);
COMMENT ON COLUMN login_throttles.subject IS 'hash of an e-mail address, known or not, or of a network address';

-- A later request about a payment: the gateway inserts it, a worker decides it under the payment's lock.
CREATE TABLE commands (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    payment_id  uuid NOT NULL,
    user_id     uuid NOT NULL,
    token_id    uuid,
    address     text,
    request_id  text,
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz,
    outcome     text,
    CONSTRAINT commands_kind_is_known CHECK (kind IN ('retry')),
    CONSTRAINT commands_outcome_is_known CHECK (outcome IN ('done', 'refused')),
    CONSTRAINT commands_decided_exactly_with_outcome CHECK ((decided_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT commands_reason_is_bounded CHECK (length(reason) BETWEEN 1 AND 500)
);
CREATE UNIQUE INDEX commands_one_open_retry ON commands (payment_id) WHERE kind = 'retry' AND decided_at IS NULL;
CREATE INDEX commands_open ON commands (id) WHERE decided_at IS NULL;
CREATE INDEX commands_by_payment ON commands (payment_id);

ALTER TABLE audit_log
    ADD COLUMN token_id    uuid,
    ADD COLUMN address     text,
    ADD COLUMN request_id  text,
    ADD COLUMN written_by  text NOT NULL DEFAULT current_user;
CREATE INDEX audit_log_by_actor ON audit_log (actor, id);
COMMENT ON COLUMN audit_log.actor IS 'id of a user; shell: whoever runs the commands; worker: nobody asked';
COMMENT ON COLUMN audit_log.written_by IS 'the database role, which nobody can choose: a forged line shows where it came from';

-- A key may belong to a sign-up; it is then the first of its user.
ALTER TABLE idempotency_keys
    ADD COLUMN signed_up boolean,
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    ADD CONSTRAINT idempotency_keys_name_one_thing CHECK (num_nonnulls(payment_id, account_id, signed_up) = 1);

ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known CHECK (type IN ('deposit', 'transfer', 'charge', 'bonus'));
