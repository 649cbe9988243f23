-- The shell is one of the two who agree on an adjustment: it proposes, approves or rejects without a name. It never
-- approves what it proposed; what it approves is ordered in the name of the proposer. The gateway always names a user.
DROP TRIGGER adjustments_are_decided_once ON adjustments;
ALTER TABLE adjustments
    ALTER COLUMN proposed_by DROP NOT NULL,
    DROP CONSTRAINT adjustments_take_two_people,
    ADD CONSTRAINT adjustments_take_two_people CHECK (approved_at IS NULL OR approved_by IS DISTINCT FROM proposed_by),
    DROP CONSTRAINT adjustments_are_approved_wholly,
    ADD CONSTRAINT adjustments_are_approved_wholly
        CHECK (num_nonnulls(approved_at, payment_id) IN (0, 2)
               AND (num_nonnulls(approved_by, approval_reason) = 0 OR approved_at IS NOT NULL)),
    DROP CONSTRAINT adjustments_are_rejected_wholly,
    ADD CONSTRAINT adjustments_are_rejected_wholly
        CHECK (num_nonnulls(rejected_at, rejection_reason) IN (0, 2)
               AND (rejected_by IS NULL OR rejected_at IS NOT NULL)),
    DROP CONSTRAINT adjustments_are_approved_or_rejected,
    ADD CONSTRAINT adjustments_are_approved_or_rejected CHECK (approved_at IS NULL OR rejected_at IS NULL);
COMMENT ON COLUMN adjustments.proposed_by IS 'null: in a shell';
COMMENT ON COLUMN adjustments.approved_by IS 'null with a time: in a shell';
COMMENT ON COLUMN adjustments.rejected_by IS 'null with a time: in a shell';

CREATE TRIGGER adjustments_are_decided_once BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN (OLD.approved_at IS NOT NULL OR OLD.rejected_at IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.direction, NEW.amount, NEW.currency, NEW.reason, NEW.proposed_by,
              NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.direction, OLD.amount, OLD.currency, OLD.reason, OLD.proposed_by,
              OLD.created_at))
    EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION adjustments_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    is_nobodys boolean := CASE WHEN TG_OP = 'INSERT' THEN NEW.proposed_by IS NULL
                               WHEN NEW.approved_at IS NOT NULL THEN NEW.approved_by IS NULL
                               ELSE NEW.rejected_at IS NOT NULL AND NEW.rejected_by IS NULL END;
BEGIN
    IF is_nobodys AND current_user = 'payments_gateway'
       OR EXISTS (SELECT FROM users
                  WHERE id IN (NEW.proposed_by, NEW.approved_by, NEW.rejected_by) AND role <> 'ops') THEN
        RAISE EXCEPTION 'only ops propose, approve and reject adjustments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

GRANT INSERT (id, account_id, direction, amount, currency, reason, proposed_by),
      UPDATE (approved_by, approved_at, approval_reason, payment_id, rejected_by, rejected_at, rejection_reason)
    ON adjustments TO payments_worker;
