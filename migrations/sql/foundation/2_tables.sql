-- Amounts are minor units in numeric(38,0). NaN sorts above every number, so every CHECK has an upper bound.

CREATE TABLE users (
    id          uuid PRIMARY KEY,
    email       text NOT NULL,
    role        text NOT NULL,
    name        text NOT NULL,
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_role_is_known CHECK (role IN ('client', 'merchant', 'ops', 'auditor')),
    CONSTRAINT users_email_is_bounded CHECK (length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_name_is_bounded CHECK (length(name) BETWEEN 1 AND 100)
);
CREATE UNIQUE INDEX users_email_is_unique ON users (lower(email));

CREATE TABLE tokens (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users,
    hash          bytea NOT NULL,
    prefix        text NOT NULL,
    last4         text NOT NULL,
    scopes        text[],
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    CONSTRAINT tokens_hash_is_unique UNIQUE (hash),
    CONSTRAINT tokens_hash_is_sha256 CHECK (length(hash) = 32)
);
CREATE INDEX tokens_user_id ON tokens (user_id);
COMMENT ON COLUMN tokens.scopes IS 'null: all that the role has; else these and no others';

CREATE TABLE currencies (
    code        text PRIMARY KEY,
    digits      smallint NOT NULL,
    kind        text NOT NULL,
    name        text NOT NULL,
    minimum     numeric(38,0),
    maximum     numeric(38,0),
    is_active   boolean NOT NULL DEFAULT true,
    CONSTRAINT currencies_code_is_well_formed CHECK (code ~ '^[A-Z][A-Z0-9]{2,11}$'),
    CONSTRAINT currencies_digits_are_bounded CHECK (digits BETWEEN 0 AND 18),
    CONSTRAINT currencies_kind_is_known CHECK (kind IN ('fiat', 'crypto', 'custom')),
    CONSTRAINT currencies_minimum_is_bounded CHECK (minimum >= 1 AND minimum < 1e38),
    CONSTRAINT currencies_maximum_is_bounded CHECK (maximum >= coalesce(minimum, 1) AND maximum < 1e38)
);

CREATE TABLE accounts (
    id          uuid PRIMARY KEY,
    token       text,
    owner_id    uuid REFERENCES users,
    code        text,
    currency    text NOT NULL REFERENCES currencies,
    label       text,
    balance     numeric(38,0) NOT NULL DEFAULT 0,
    held        numeric(38,0) NOT NULL DEFAULT 0,
    floor       numeric(38,0) DEFAULT 0,
    ceiling     numeric(38,0),
    is_active   boolean NOT NULL DEFAULT true,
    is_frozen   boolean NOT NULL DEFAULT false,
    last_seq    bigint NOT NULL DEFAULT 0,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_token_is_unique UNIQUE (token),
    CONSTRAINT accounts_token_is_well_formed CHECK (token ~ '^wal_[A-Za-z0-9_-]{22,64}$'),
    CONSTRAINT accounts_technical_one_per_code UNIQUE (code, currency),
    CONSTRAINT accounts_technical_code_is_known
        CHECK (code IN ('internal', 'commission', 'wire', 'wallet', 'crypto', 'exchange')),
    CONSTRAINT accounts_are_owned_or_technical
        CHECK ((owner_id IS NULL) = (code IS NOT NULL) AND (owner_id IS NULL) = (token IS NULL)),
    CONSTRAINT accounts_owned_have_a_floor CHECK (owner_id IS NULL OR floor IS NOT NULL),
    CONSTRAINT accounts_label_is_bounded CHECK (length(label) BETWEEN 1 AND 100),
    CONSTRAINT accounts_balance_is_bounded CHECK (balance > -1e38 AND balance < 1e38),
    CONSTRAINT accounts_held_is_not_negative CHECK (held >= 0 AND held < 1e38),
    CONSTRAINT accounts_floor_is_bounded CHECK (floor > -1e38 AND floor < 1e38),
    CONSTRAINT accounts_ceiling_is_bounded CHECK (ceiling >= 0 AND ceiling < 1e38),
    CONSTRAINT accounts_available_not_below_floor CHECK (balance - held >= floor),
    CONSTRAINT accounts_balance_not_above_ceiling CHECK (balance <= ceiling),
    CONSTRAINT accounts_last_seq_is_not_negative CHECK (last_seq >= 0)
);
CREATE INDEX accounts_owner ON accounts (owner_id, currency, id);
COMMENT ON COLUMN accounts.floor IS 'null: no floor, which only a technical account may have';
COMMENT ON COLUMN accounts.last_seq IS 'account_seq of the newest operation';
COMMENT ON COLUMN accounts.version IS 'of the configuration (label, flags), not of the balance';

CREATE TABLE payments (
    id            uuid NOT NULL,
    type          text NOT NULL,
    state         text NOT NULL DEFAULT 'INITIATED',
    user_id       uuid NOT NULL,
    source_id     uuid NOT NULL,
    target_id     uuid NOT NULL,
    amount        numeric(38,0) NOT NULL,
    currency      text NOT NULL,
    commission    numeric(38,0) NOT NULL DEFAULT 0,
    summary       text,
    reference     text,
    metadata      jsonb,
    due_at        timestamptz NOT NULL DEFAULT now(),
    attempts      smallint NOT NULL DEFAULT 0,
    last_error    text,
    parked_at     timestamptz,
    failure_code  text,
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finalized_at  timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT payments_type_is_known CHECK (type IN ('deposit', 'transfer', 'charge')),
    CONSTRAINT payments_state_is_known CHECK (state IN ('INITIATED', 'AUTHORIZED', 'COMPLETED', 'FAILED')),
    CONSTRAINT payments_amount_is_positive CHECK (amount > 0 AND amount < 1e38),
    CONSTRAINT payments_commission_is_within_amount CHECK (commission >= 0 AND commission <= amount),
    CONSTRAINT payments_source_is_not_target CHECK (source_id <> target_id),
    CONSTRAINT payments_summary_is_bounded CHECK (length(summary) <= 70),
    CONSTRAINT payments_reference_is_bounded CHECK (length(reference) BETWEEN 1 AND 100),
    CONSTRAINT payments_last_error_is_bounded CHECK (length(last_error) <= 500),
    CONSTRAINT payments_attempts_are_not_negative CHECK (attempts >= 0),
    CONSTRAINT payments_finalized_exactly_when_final
        CHECK ((finalized_at IS NOT NULL) = (state IN ('COMPLETED', 'FAILED'))),
    CONSTRAINT payments_failure_exactly_when_failed CHECK ((failure_code IS NOT NULL) = (state = 'FAILED')),
    CONSTRAINT payments_parked_only_while_open
        CHECK (parked_at IS NULL OR state IN ('INITIATED', 'AUTHORIZED'))
) PARTITION BY RANGE (id);
-- The poster claims from this index; final and parked payments are not in it, so it stays small.
CREATE INDEX payments_due ON payments (due_at, id) WHERE state = 'INITIATED' AND parked_at IS NULL;
CREATE INDEX payments_parked ON payments (parked_at) WHERE parked_at IS NOT NULL;
CREATE INDEX payments_by_user ON payments (user_id, id);
CREATE INDEX payments_by_source ON payments (source_id, id);
CREATE INDEX payments_by_target ON payments (target_id, id);
COMMENT ON COLUMN payments.user_id IS 'who ordered it';
COMMENT ON COLUMN payments.version IS 'counted by the trigger; the ETag of the payment';

CREATE TABLE operations (
    payment_id     uuid NOT NULL,
    line           smallint NOT NULL,
    account_id     uuid NOT NULL,
    amount         numeric(38,0) NOT NULL,
    currency       text NOT NULL,
    kind           text NOT NULL,
    balance_after  numeric(38,0) NOT NULL,
    account_seq    bigint NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, line),
    CONSTRAINT operations_line_is_not_negative CHECK (line >= 0),
    CONSTRAINT operations_amount_is_not_zero CHECK (amount <> 0 AND amount > -1e38 AND amount < 1e38),
    CONSTRAINT operations_kind_is_known CHECK (kind IN ('transfer', 'commission', 'exchange')),
    CONSTRAINT operations_balance_after_is_bounded CHECK (balance_after > -1e38 AND balance_after < 1e38),
    CONSTRAINT operations_account_seq_is_positive CHECK (account_seq > 0)
) PARTITION BY RANGE (payment_id);

CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL,
    key          text NOT NULL,
    fingerprint  bytea NOT NULL,
    payment_id   uuid,
    account_id   uuid,
    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_key_is_bounded CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_fingerprint_is_sha256 CHECK (length(fingerprint) = 32),
    CONSTRAINT idempotency_keys_name_one_thing CHECK (num_nonnulls(payment_id, account_id) = 1)
);

CREATE TABLE payment_references (
    merchant_id  uuid NOT NULL,
    reference    text NOT NULL,
    payment_id   uuid NOT NULL,
    PRIMARY KEY (merchant_id, reference),
    CONSTRAINT payment_references_reference_is_bounded CHECK (length(reference) BETWEEN 1 AND 100)
);

CREATE TABLE payment_events (
    sequence    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  uuid NOT NULL,
    version     integer NOT NULL,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_events_one_per_version UNIQUE (payment_id, version)
);

CREATE TABLE worker_heartbeats (
    name        text PRIMARY KEY,
    seen_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT worker_heartbeats_name_is_bounded CHECK (length(name) BETWEEN 1 AND 255)
);

CREATE TABLE audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,
    action      text NOT NULL,
    target      text NOT NULL,
    reason      text,
    before      jsonb,
    after       jsonb,
    CONSTRAINT audit_log_actor_is_bounded CHECK (length(actor) BETWEEN 1 AND 255),
    CONSTRAINT audit_log_action_is_bounded CHECK (length(action) BETWEEN 1 AND 100),
    CONSTRAINT audit_log_reason_is_bounded CHECK (length(reason) BETWEEN 1 AND 500)
);
CREATE INDEX audit_log_by_target ON audit_log (target, id);
