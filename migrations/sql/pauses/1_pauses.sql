-- Ops pause posting of a type, a merchant or a currency, or a rail, until they resume it or its end comes.

CREATE TABLE pauses (
    id             uuid PRIMARY KEY,
    type           text,
    merchant_id    uuid REFERENCES users,
    currency       text REFERENCES currencies,
    rail           text,
    reason         text NOT NULL,
    paused_by      uuid REFERENCES users,
    paused_at      timestamptz NOT NULL DEFAULT now(),
    until          timestamptz,
    resume_reason  text,
    resumed_by     uuid REFERENCES users,
    resumed_at     timestamptz,
    released_at    timestamptz,
    CONSTRAINT pauses_name_one_thing CHECK (num_nonnulls(type, merchant_id, currency, rail) = 1),
    CONSTRAINT pauses_type_is_known
        CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange', 'adjustment',
                        'return')),
    CONSTRAINT pauses_rail_is_well_formed CHECK (rail ~ '^[a-z][a-z0-9_]{0,29}$'),
    CONSTRAINT pauses_reasons_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(resume_reason) BETWEEN 1 AND 500),
    CONSTRAINT pauses_end_after_they_begin CHECK (until > paused_at AND until < 'infinity'),
    CONSTRAINT pauses_are_resumed_wholly
        CHECK (num_nonnulls(resume_reason, resumed_at) IN (0, 2) AND (resumed_by IS NULL OR resumed_at IS NOT NULL)),
    CONSTRAINT pauses_are_released_at_their_end
        CHECK (released_at IS NULL OR resumed_at IS NOT NULL OR (until IS NOT NULL AND released_at >= until))
);
CREATE UNIQUE INDEX pauses_one_of_each ON pauses (type, merchant_id, currency, rail) NULLS NOT DISTINCT
    WHERE resumed_at IS NULL AND released_at IS NULL;
CREATE INDEX pauses_unreleased ON pauses (id) WHERE released_at IS NULL;
COMMENT ON COLUMN pauses.merchant_id IS 'pauses the payments that this user ordered';
COMMENT ON COLUMN pauses.paused_by IS 'null: the operator, in a shell; so is resumed_by';
COMMENT ON COLUMN pauses.released_at IS 'when a worker had made its payments due again';

CREATE TRIGGER pauses_end_once BEFORE UPDATE ON pauses FOR EACH ROW
    WHEN (OLD.released_at IS NOT NULL
          OR (OLD.resumed_at IS NOT NULL AND (NEW.resumed_at, NEW.resumed_by, NEW.resume_reason)
              IS DISTINCT FROM (OLD.resumed_at, OLD.resumed_by, OLD.resume_reason))
          OR (NEW.id, NEW.type, NEW.merchant_id, NEW.currency, NEW.rail, NEW.reason, NEW.paused_by, NEW.paused_at,
              NEW.until)
             IS DISTINCT FROM
             (OLD.id, OLD.type, OLD.merchant_id, OLD.currency, OLD.rail, OLD.reason, OLD.paused_by, OLD.paused_at,
              OLD.until))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pauses_are_never_deleted BEFORE DELETE ON pauses
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pauses_are_never_truncated BEFORE TRUNCATE ON pauses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The gateway pauses and resumes in the name of an active ops user alone.
CREATE FUNCTION pauses_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    acting uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.paused_by ELSE NEW.resumed_by END;
BEGIN
    IF (CASE WHEN acting IS NULL THEN current_user = 'payments_gateway'
            ELSE NOT EXISTS (SELECT FROM users WHERE id = acting AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION 'only ops pause and resume'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER pauses_are_of_ops BEFORE INSERT OR UPDATE OF resumed_at, resumed_by, resume_reason ON pauses
    FOR EACH ROW EXECUTE FUNCTION pauses_are_of_ops();

-- Payments set aside: not due until their pause is released, or until they expire. A payment has no foreign key.
CREATE TABLE paused_payments (
    payment_id  uuid PRIMARY KEY,
    pause_id    uuid NOT NULL REFERENCES pauses,
    due_at      timestamptz NOT NULL,
    since       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX paused_payments_by_pause ON paused_payments (pause_id, due_at, payment_id);
COMMENT ON COLUMN paused_payments.due_at IS 'when the payment was due, and will be again';

REVOKE ALL ON pauses, paused_payments FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION pauses_are_of_ops FROM PUBLIC;
GRANT SELECT ON pauses, paused_payments TO payments_worker, payments_gateway;
GRANT INSERT (id, type, merchant_id, currency, rail, reason, paused_by, until),
      UPDATE (resume_reason, resumed_by, resumed_at)
    ON pauses TO payments_worker, payments_gateway;
GRANT UPDATE (released_at) ON pauses TO payments_worker;
GRANT INSERT (payment_id, pause_id, due_at), UPDATE (pause_id), DELETE ON paused_payments TO payments_worker;
