-- Who of ops took an open item, something that no machine goes on with, until they give it back or it is done.
CREATE TABLE assignments (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL,
    subject       text NOT NULL,
    since         timestamptz NOT NULL,
    reason        text,
    taken_by      uuid REFERENCES users,
    taken_at      timestamptz NOT NULL DEFAULT now(),
    given_by      uuid REFERENCES users,
    given_at      timestamptz,
    given_reason  text,
    CONSTRAINT assignments_kind_is_known CHECK (kind IN (
        'parked', 'undecided', 'adjustments_proposed', 'resolutions_proposed', 'reconciliation_exceptions',
        'endpoints_disabled', 'breaches')),
    CONSTRAINT assignments_subject_is_bounded CHECK (length(subject) BETWEEN 1 AND 100),
    CONSTRAINT assignments_reasons_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(given_reason) BETWEEN 1 AND 500),
    CONSTRAINT assignments_are_given_back_wholly
        CHECK (given_at IS NOT NULL OR num_nonnulls(given_by, given_reason) = 0)
);
CREATE UNIQUE INDEX assignments_one_of_each ON assignments (kind, subject, since) WHERE given_at IS NULL;
COMMENT ON COLUMN assignments.since IS 'from when on the item waits: if it waits again later, it is another item';
COMMENT ON COLUMN assignments.taken_by IS 'null: the operator, in a shell; so is given_by';

CREATE TRIGGER assignments_end_once BEFORE UPDATE ON assignments FOR EACH ROW
    WHEN (OLD.given_at IS NOT NULL
          OR (NEW.id, NEW.kind, NEW.subject, NEW.since, NEW.reason, NEW.taken_by, NEW.taken_at)
             IS DISTINCT FROM (OLD.id, OLD.kind, OLD.subject, OLD.since, OLD.reason, OLD.taken_by, OLD.taken_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assignments_are_never_deleted BEFORE DELETE ON assignments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER assignments_are_never_truncated BEFORE TRUNCATE ON assignments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The gateway takes and gives back in the name of an active ops user alone.
CREATE FUNCTION assignments_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    acting uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.taken_by ELSE NEW.given_by END;
BEGIN
    IF (CASE WHEN acting IS NULL THEN current_user = 'payments_gateway'
            ELSE NOT EXISTS (SELECT FROM users WHERE id = acting AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION 'only ops take what needs a person'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER assignments_are_of_ops BEFORE INSERT OR UPDATE ON assignments
    FOR EACH ROW EXECUTE FUNCTION assignments_are_of_ops();

REVOKE ALL ON assignments FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION assignments_are_of_ops FROM PUBLIC;
GRANT SELECT ON assignments TO payments_worker, payments_gateway;
GRANT INSERT (id, kind, subject, since, reason, taken_by), UPDATE (given_by, given_at, given_reason)
    ON assignments TO payments_worker, payments_gateway;
