-- What was done in a shell names nobody, which the schema before forbids: it is history, so then there is no way back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM bank_statements WHERE uploaded_by IS NULL)
       OR EXISTS (SELECT FROM bank_statement_lines WHERE matched_at IS NOT NULL AND matched_by IS NULL)
       OR EXISTS (SELECT FROM adjustments
                  WHERE proposed_by IS NULL OR (approved_at IS NOT NULL AND approved_by IS NULL)
                        OR (rejected_at IS NOT NULL AND rejected_by IS NULL)) THEN
        RAISE EXCEPTION 'statements, matches or adjustments were made in a shell: they name nobody';
    END IF;
END
$$;
REVOKE INSERT (id, account_id, direction, amount, currency, reason, proposed_by),
       UPDATE (approved_by, approved_at, approval_reason, payment_id, rejected_by, rejected_at, rejection_reason)
    ON adjustments FROM payments_worker;
DROP TRIGGER adjustments_are_decided_once ON adjustments;
ALTER TABLE adjustments
    ALTER COLUMN proposed_by SET NOT NULL,
    DROP CONSTRAINT adjustments_take_two_people,
    ADD CONSTRAINT adjustments_take_two_people CHECK (approved_by <> proposed_by),
    DROP CONSTRAINT adjustments_are_approved_wholly,
    ADD CONSTRAINT adjustments_are_approved_wholly
        CHECK (num_nonnulls(approved_by, approved_at, payment_id) IN (0, 3)
               AND (approval_reason IS NULL OR approved_by IS NOT NULL)),
    DROP CONSTRAINT adjustments_are_rejected_wholly,
    ADD CONSTRAINT adjustments_are_rejected_wholly
        CHECK (num_nonnulls(rejected_by, rejected_at, rejection_reason) IN (0, 3)),
    DROP CONSTRAINT adjustments_are_approved_or_rejected,
    ADD CONSTRAINT adjustments_are_approved_or_rejected CHECK (approved_by IS NULL OR rejected_by IS NULL);
COMMENT ON COLUMN adjustments.proposed_by IS NULL;
COMMENT ON COLUMN adjustments.approved_by IS NULL;
COMMENT ON COLUMN adjustments.rejected_by IS NULL;
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

REVOKE INSERT (id, hash, form, account, begins_on, ends_on, set_aside, uploaded_by)
    ON bank_statements FROM payments_worker;
REVOKE INSERT (statement_id, line, account, booked_on, direction, amount, currency, end_to_end_id, bank_reference,
               description, verdict, difference, payment_id, value_date),
       UPDATE (matched_payment_id, match_reason, matched_by, matched_at)
    ON bank_statement_lines FROM payments_worker;
DROP TRIGGER bank_statements_are_of_ops ON bank_statements;
DROP TRIGGER bank_statement_lines_matches_are_of_ops ON bank_statement_lines;
DROP FUNCTION statements_are_of_ops;
DROP TRIGGER bank_statement_lines_are_matched_once ON bank_statement_lines;
ALTER TABLE bank_statement_lines
    DROP CONSTRAINT bank_statement_lines_are_matched_wholly,
    ADD CONSTRAINT bank_statement_lines_are_matched_wholly
        CHECK (num_nonnulls(matched_payment_id, match_reason, matched_by, matched_at) IN (0, 4)),
    DROP CONSTRAINT bank_statement_lines_matched_need_no_match,
    ADD CONSTRAINT bank_statement_lines_matched_need_no_match CHECK (verdict <> 'matched' OR matched_by IS NULL);
COMMENT ON COLUMN bank_statement_lines.matched_by IS NULL;
DROP INDEX bank_statement_lines_open;
CREATE INDEX bank_statement_lines_open ON bank_statement_lines (booked_on)
    WHERE verdict IN ('mismatched', 'missing_here', 'missing_there') AND matched_by IS NULL AND dismissed_at IS NULL;
CREATE TRIGGER bank_statement_lines_are_matched_once BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (OLD.matched_by IS NOT NULL
          OR (NEW.statement_id, NEW.line, NEW.booked_on, NEW.direction, NEW.amount, NEW.currency, NEW.end_to_end_id,
              NEW.bank_reference, NEW.description, NEW.verdict, NEW.difference, NEW.payment_id)
             IS DISTINCT FROM
             (OLD.statement_id, OLD.line, OLD.booked_on, OLD.direction, OLD.amount, OLD.currency, OLD.end_to_end_id,
              OLD.bank_reference, OLD.description, OLD.verdict, OLD.difference, OLD.payment_id))
    EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN bank_statements.uploaded_by IS NULL;
ALTER TABLE bank_statements ALTER COLUMN uploaded_by SET NOT NULL;
