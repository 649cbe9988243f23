-- Webhooks: where events are sent to, signed with what, and how far each has come.

CREATE TABLE webhook_endpoints (
    id               uuid PRIMARY KEY,
    user_id          uuid NOT NULL REFERENCES users,
    url              text NOT NULL,
    event_types      text[] NOT NULL,
    description      text,
    is_active        boolean NOT NULL DEFAULT true,
    disabled_reason  text,
    failing_since    timestamptz,
    pings            integer NOT NULL DEFAULT 0,
    version          integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    deleted_at       timestamptz,
    CONSTRAINT webhook_endpoints_url_is_bounded CHECK (length(url) BETWEEN 8 AND 2000),
    CONSTRAINT webhook_endpoints_event_types_are_bounded
        CHECK (cardinality(event_types) BETWEEN 1 AND 20 AND array_position(event_types, NULL) IS NULL),
    CONSTRAINT webhook_endpoints_description_is_bounded CHECK (length(description) BETWEEN 1 AND 200),
    CONSTRAINT webhook_endpoints_disabled_reason_is_known CHECK (disabled_reason IN ('gone', 'failing')),
    CONSTRAINT webhook_endpoints_disabled_are_inactive CHECK (disabled_reason IS NULL OR NOT is_active),
    CONSTRAINT webhook_endpoints_deleted_are_inactive CHECK (deleted_at IS NULL OR NOT is_active),
    CONSTRAINT webhook_endpoints_pings_are_not_negative CHECK (pings >= 0)
);
CREATE INDEX webhook_endpoints_by_user ON webhook_endpoints (user_id, id) WHERE deleted_at IS NULL;
COMMENT ON COLUMN webhook_endpoints.event_types IS 'names of events, or their beginnings: payment.*, bulk.*, *';
COMMENT ON COLUMN webhook_endpoints.disabled_reason IS 'why we, not its owner, made it inactive';
COMMENT ON COLUMN webhook_endpoints.failing_since IS 'the first failure since the last success';
COMMENT ON COLUMN webhook_endpoints.version IS 'of the configuration';

CREATE TRIGGER webhook_endpoints_keep_their_owner BEFORE UPDATE ON webhook_endpoints FOR EACH ROW
    WHEN (OLD.deleted_at IS NOT NULL
          OR (NEW.id, NEW.user_id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.created_at))
    EXECUTE FUNCTION refuse_change();
-- An event names the version: one that was set back, or to the highest, would keep the worker from ever disabling it.
CREATE TRIGGER webhook_endpoints_count_their_versions BEFORE UPDATE ON webhook_endpoints FOR EACH ROW
    WHEN (NEW.version NOT IN (OLD.version, OLD.version + 1)) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhook_endpoints_are_disabled_by_workers BEFORE UPDATE ON webhook_endpoints FOR EACH ROW
    WHEN (NEW.disabled_reason IS NOT NULL AND NEW.disabled_reason IS DISTINCT FROM OLD.disabled_reason)
    EXECUTE FUNCTION refuse_gateway();
CREATE TRIGGER webhook_endpoints_are_never_deleted BEFORE DELETE ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhook_endpoints_are_never_truncated BEFORE TRUNCATE ON webhook_endpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A ping is asked for by counting one up; that we disabled an endpoint is an event as well, and a mail to its owner, of
-- which an endpoint that is disabled again and again makes one an hour. What a deleted one still waits for goes with it.
ALTER TABLE confirmations
    DROP CONSTRAINT confirmations_purpose_is_known,
    ADD CONSTRAINT confirmations_purpose_is_known CHECK (purpose IN ('email', 'password', 'webhook'));

CREATE FUNCTION webhook_endpoints_tell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.disabled_reason IS NOT NULL AND OLD.disabled_reason IS NULL THEN
        INSERT INTO events (subject_id, version, name, user_id)
        VALUES (NEW.id, NEW.version, 'webhook_endpoint.disabled', NEW.user_id);
        INSERT INTO confirmations (id, user_id, purpose) SELECT gen_random_uuid(), NEW.user_id, 'webhook'
        WHERE NOT EXISTS (SELECT FROM confirmations WHERE user_id = NEW.user_id AND purpose = 'webhook'
                                                      AND created_at > now() - interval '1 hour');
    END IF;
    IF NEW.deleted_at IS NOT NULL THEN
        DELETE FROM webhook_deliveries WHERE id IN (
            SELECT id FROM webhook_deliveries WHERE endpoint_id = NEW.id AND state = 'pending' LIMIT 10000);
    END IF;
    IF NEW.pings > OLD.pings THEN
        INSERT INTO events (subject_id, version, name, user_id) VALUES (NEW.id, NEW.pings, 'ping', NEW.user_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER webhook_endpoints_tell AFTER UPDATE ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION webhook_endpoints_tell();

CREATE TABLE webhook_secrets (
    id           uuid PRIMARY KEY,
    endpoint_id  uuid NOT NULL REFERENCES webhook_endpoints,
    secret       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    CONSTRAINT webhook_secrets_are_well_formed CHECK (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$')
);
CREATE INDEX webhook_secrets_by_endpoint ON webhook_secrets (endpoint_id);
CREATE UNIQUE INDEX webhook_secrets_one_newest ON webhook_secrets (endpoint_id) WHERE expires_at IS NULL;
COMMENT ON COLUMN webhook_secrets.secret IS 'the gateway writes it and cannot read it';
COMMENT ON COLUMN webhook_secrets.expires_at IS 'null: the newest';

CREATE TRIGGER webhook_secrets_only_end BEFORE UPDATE ON webhook_secrets FOR EACH ROW
    WHEN ((NEW.id, NEW.endpoint_id, NEW.secret, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.endpoint_id, OLD.secret, OLD.created_at)
          OR coalesce(NEW.expires_at, 'infinity') > coalesce(OLD.expires_at, 'infinity'))
    EXECUTE FUNCTION refuse_change();

CREATE TABLE webhook_deliveries (
    id               uuid PRIMARY KEY,
    endpoint_id      uuid NOT NULL REFERENCES webhook_endpoints,
    sequence         bigint NOT NULL,
    name             text NOT NULL,
    subject_id       uuid NOT NULL,
    version          integer NOT NULL,
    occurred_at      timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'pending',
    attempts         integer NOT NULL DEFAULT 0,
    tries_left       smallint NOT NULL DEFAULT 10,
    next_attempt_at  timestamptz DEFAULT now(),
    last_status      smallint,
    last_error       text,
    finished_at      timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_deliveries_one_per_event UNIQUE (endpoint_id, sequence),
    CONSTRAINT webhook_deliveries_state_is_known CHECK (state IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_pending_exactly_with_next CHECK ((next_attempt_at IS NOT NULL) = (state = 'pending')),
    CONSTRAINT webhook_deliveries_finished_exactly_when_done CHECK ((finished_at IS NULL) = (state = 'pending')),
    CONSTRAINT webhook_deliveries_attempts_are_not_negative CHECK (attempts >= 0),
    CONSTRAINT webhook_deliveries_tries_are_bounded CHECK (tries_left BETWEEN 0 AND 10),
    CONSTRAINT webhook_deliveries_last_error_is_bounded CHECK (length(last_error) BETWEEN 1 AND 100)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint_id, subject_id, sequence)
    WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_given_up ON webhook_deliveries (endpoint_id, id) WHERE state = 'failed';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'made so far, redeliveries included';
COMMENT ON COLUMN webhook_deliveries.tries_left IS 'until it is given up; a redelivery gives it all of them again';
COMMENT ON COLUMN webhook_deliveries.last_error IS 'what kind of failure; never what the receiver answered';

CREATE TRIGGER webhook_deliveries_keep_their_event BEFORE UPDATE ON webhook_deliveries FOR EACH ROW
    WHEN ((NEW.id, NEW.endpoint_id, NEW.sequence, NEW.name, NEW.subject_id, NEW.version, NEW.occurred_at, NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.endpoint_id, OLD.sequence, OLD.name, OLD.subject_id, OLD.version, OLD.occurred_at, OLD.created_at))
    EXECUTE FUNCTION refuse_change();

-- The gateway has it sent again, and nothing else: it neither says that it arrived nor puts it off.
CREATE TRIGGER webhook_deliveries_are_sent_again BEFORE UPDATE ON webhook_deliveries FOR EACH ROW
    WHEN (NEW.state <> 'pending' OR NEW.tries_left <> 10 OR NEW.next_attempt_at > now() OR NEW.next_attempt_at IS NULL)
    EXECUTE FUNCTION refuse_gateway();

CREATE TABLE webhook_attempts (
    delivery_id   uuid NOT NULL REFERENCES webhook_deliveries ON DELETE CASCADE,
    attempt       integer NOT NULL,
    status        smallint,
    error         text,
    milliseconds  integer NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT webhook_attempts_error_is_bounded CHECK (length(error) BETWEEN 1 AND 100)
);

-- The positions of the readers of the events.
CREATE TABLE event_positions (
    reader      text PRIMARY KEY,
    xact        xid8 NOT NULL,
    sequence    bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO event_positions (reader, xact, sequence)
SELECT 'webhooks', '3', coalesce(max(sequence), 0) FROM events;

REVOKE ALL ON webhook_endpoints, webhook_secrets, webhook_deliveries, webhook_attempts, event_positions
    FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION webhook_endpoints_tell FROM PUBLIC;
GRANT SELECT ON webhook_endpoints, webhook_deliveries, webhook_attempts TO payments_worker, payments_gateway;
GRANT INSERT (id, user_id, url, event_types, description),
      UPDATE (url, event_types, description, is_active, disabled_reason, failing_since, pings, version, deleted_at)
    ON webhook_endpoints TO payments_gateway;
GRANT UPDATE (is_active, disabled_reason, failing_since, version) ON webhook_endpoints TO payments_worker;
GRANT SELECT (id, endpoint_id, created_at, expires_at), INSERT (id, endpoint_id, secret), UPDATE (expires_at)
    ON webhook_secrets TO payments_gateway;
GRANT SELECT ON webhook_secrets, event_positions TO payments_worker;
GRANT UPDATE (state, tries_left, next_attempt_at, finished_at) ON webhook_deliveries TO payments_gateway;
GRANT INSERT (id, endpoint_id, sequence, name, subject_id, version, occurred_at, next_attempt_at), DELETE,
      UPDATE (state, attempts, tries_left, next_attempt_at, last_status, last_error, finished_at)
    ON webhook_deliveries TO payments_worker;
GRANT INSERT (delivery_id, attempt, status, error, milliseconds), DELETE ON webhook_attempts TO payments_worker;
GRANT UPDATE (xact, sequence, updated_at) ON event_positions TO payments_worker;
