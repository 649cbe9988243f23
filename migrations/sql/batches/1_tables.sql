-- Retries of many payments: a selection holds those that one of ops was shown, a batch retries exactly these.

CREATE TABLE selections (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      uuid REFERENCES users,
    filter       jsonb NOT NULL,
    payment_ids  uuid[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL DEFAULT clock_timestamp() + interval '15 minutes',
    CONSTRAINT selections_filter_is_bounded
        CHECK (jsonb_typeof(filter) = 'object' AND length(filter::text) <= 100000),
    CONSTRAINT selections_payments_are_bounded
        CHECK (cardinality(payment_ids) BETWEEN 1 AND 10000 AND array_position(payment_ids, NULL) IS NULL)
);
CREATE INDEX selections_by_expiry ON selections (expires_at);
COMMENT ON COLUMN selections.user_id IS 'who was shown it and may use it; null: the shell';

CREATE TABLE batches (
    id            uuid PRIMARY KEY,
    selection_id  uuid NOT NULL REFERENCES selections,
    user_id       uuid REFERENCES users,
    token_id      uuid,
    address       text,
    request_id    text,
    reason        text NOT NULL,
    total         integer NOT NULL,
    retried       integer NOT NULL DEFAULT 0,
    skipped       integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    stopped_at    timestamptz,
    stopped_by    uuid REFERENCES users,
    stop_reason   text,
    ended_at      timestamptz,
    CONSTRAINT batches_use_a_selection_once UNIQUE (selection_id),
    CONSTRAINT batches_reasons_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(stop_reason) BETWEEN 1 AND 500),
    CONSTRAINT batches_are_stopped_wholly
        CHECK ((stopped_at IS NULL) = (stop_reason IS NULL) AND (stopped_by IS NULL OR stopped_at IS NOT NULL)),
    CONSTRAINT batches_count_each_payment_once CHECK (retried >= 0 AND skipped >= 0 AND retried + skipped <= total),
    CONSTRAINT batches_end_exactly_when_all_are_decided
        CHECK ((ended_at IS NOT NULL) = (retried + skipped = total))
);
CREATE INDEX batches_open ON batches (id) WHERE ended_at IS NULL;
COMMENT ON COLUMN batches.total IS 'payments of its selection; counted by a trigger';
COMMENT ON COLUMN batches.ended_at IS 'when the last of its payments was retried or skipped';

CREATE TABLE batch_items (
    batch_id     uuid NOT NULL REFERENCES batches,
    payment_id   uuid NOT NULL,
    outcome      text,
    skip_reason  text,
    decided_at   timestamptz,
    PRIMARY KEY (batch_id, payment_id),
    CONSTRAINT batch_items_outcome_is_known CHECK (outcome IN ('retried', 'skipped')),
    CONSTRAINT batch_items_skip_reason_is_known CHECK (skip_reason IN ('final', 'moved_on', 'stopped')),
    CONSTRAINT batch_items_are_decided_wholly
        CHECK ((decided_at IS NULL) = (outcome IS NULL)
               AND (skip_reason IS NOT NULL) = (outcome IS NOT DISTINCT FROM 'skipped'))
);
CREATE INDEX batch_items_waiting ON batch_items (batch_id, payment_id) WHERE outcome IS NULL;
CREATE INDEX batch_items_by_payment ON batch_items (payment_id);
