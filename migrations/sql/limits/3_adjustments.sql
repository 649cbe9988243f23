-- A proposal is approved or rejected once, by another ops user, or withdrawn by its proposer.
DROP TRIGGER adjustments_are_approved_once ON adjustments;
ALTER TABLE adjustments
    ADD COLUMN rejected_by       uuid REFERENCES users,
    ADD COLUMN rejected_at       timestamptz,
    ADD COLUMN rejection_reason  text,
    ADD CONSTRAINT adjustments_are_rejected_wholly
        CHECK (num_nonnulls(rejected_by, rejected_at, rejection_reason) IN (0, 3)),
    ADD CONSTRAINT adjustments_are_approved_or_rejected CHECK (approved_by IS NULL OR rejected_by IS NULL),
    ADD CONSTRAINT adjustments_rejection_reason_is_bounded CHECK (length(rejection_reason) BETWEEN 1 AND 500);

CREATE TRIGGER adjustments_are_decided_once BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN (OLD.approved_by IS NOT NULL OR OLD.rejected_by IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.direction, NEW.amount, NEW.currency, NEW.reason, NEW.proposed_by,
              NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.direction, OLD.amount, OLD.currency, OLD.reason, OLD.proposed_by,
              OLD.created_at))
    EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION adjustments_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM users
               WHERE id IN (NEW.proposed_by, NEW.approved_by, NEW.rejected_by) AND role <> 'ops') THEN
        RAISE EXCEPTION 'only ops propose, approve and reject adjustments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

GRANT UPDATE (rejected_by, rejected_at, rejection_reason) ON adjustments TO payments_gateway;
