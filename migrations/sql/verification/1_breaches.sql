-- A row that breaks an invariant is a breach: found by a worker, healed when it is not found any more, acknowledged by ops.
CREATE TABLE breaches (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invariant        text NOT NULL,
    subject          text NOT NULL,
    details          jsonb NOT NULL,
    found_at         timestamptz NOT NULL DEFAULT now(),
    healed_at        timestamptz,
    acknowledged_at  timestamptz,
    acknowledged_by  text,
    reason           text,
    CONSTRAINT breaches_invariant_is_bounded CHECK (length(invariant) BETWEEN 1 AND 200),
    CONSTRAINT breaches_subject_is_bounded CHECK (length(subject) BETWEEN 1 AND 500),
    CONSTRAINT breaches_reason_is_bounded CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT breaches_acknowledged_by_somebody_with_reason
        CHECK (num_nonnulls(acknowledged_at, acknowledged_by, reason) IN (0, 3))
);
CREATE UNIQUE INDEX breaches_one_open ON breaches (invariant, subject) WHERE healed_at IS NULL;
CREATE INDEX breaches_open ON breaches (id) WHERE healed_at IS NULL AND acknowledged_at IS NULL;
COMMENT ON TABLE breaches IS 'rows that break an invariant of the books';
COMMENT ON COLUMN breaches.subject IS 'the row: the id of a payment with the line of its operation, an account, a batch';
COMMENT ON COLUMN breaches.acknowledged_by IS 'actor as in audit_log';

CREATE FUNCTION breaches_are_history() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.invariant, NEW.subject, NEW.details, NEW.found_at)
       IS DISTINCT FROM (OLD.id, OLD.invariant, OLD.subject, OLD.details, OLD.found_at)
       OR (OLD.healed_at IS NOT NULL AND NEW.healed_at IS DISTINCT FROM OLD.healed_at)
       OR (OLD.acknowledged_at IS NOT NULL
           AND (NEW.acknowledged_at, NEW.acknowledged_by, NEW.reason)
               IS DISTINCT FROM (OLD.acknowledged_at, OLD.acknowledged_by, OLD.reason)) THEN
        RAISE EXCEPTION 'breach % is what was found', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER breaches_are_history BEFORE UPDATE ON breaches FOR EACH ROW EXECUTE FUNCTION breaches_are_history();
CREATE TRIGGER breaches_are_never_deleted BEFORE DELETE ON breaches FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER breaches_are_never_truncated BEFORE TRUNCATE ON breaches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How far the books are verified: events and batches up to here, and again from the beginning, batch by batch.
CREATE TABLE verification_positions (
    is_only      boolean PRIMARY KEY DEFAULT true,
    xact         xid8 NOT NULL,
    sequence     bigint NOT NULL,
    batch        bigint NOT NULL,
    batch_hash   bytea NOT NULL,
    again        bigint NOT NULL,
    verified_at  timestamptz,
    full_at      timestamptz,
    CONSTRAINT verification_positions_are_one CHECK (is_only)
);
INSERT INTO verification_positions (xact, sequence, batch, batch_hash, again)
SELECT '0', 0, 0, hash, 0 FROM ledger_batches WHERE number = 0;
COMMENT ON COLUMN verification_positions.batch_hash IS 'of that batch when it was verified: a rebuilt chain differs';
COMMENT ON COLUMN verification_positions.again IS 'last batch that was verified once more';

REVOKE ALL ON breaches, verification_positions FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION breaches_are_history FROM PUBLIC;
GRANT SELECT ON breaches TO payments_worker, payments_gateway;
GRANT SELECT ON verification_positions TO payments_worker, payments_gateway;
GRANT INSERT (invariant, subject, details), UPDATE (healed_at, acknowledged_at, acknowledged_by, reason)
    ON breaches TO payments_worker;
GRANT UPDATE (acknowledged_at, acknowledged_by, reason) ON breaches TO payments_gateway;
GRANT UPDATE (xact, sequence, batch, batch_hash, again, verified_at, full_at) ON verification_positions
    TO payments_worker;
