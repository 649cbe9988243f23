-- What ops do with bank statements over HTTP, the shell does too: nobody is named then. The gateway acts in the name of
-- an active ops user alone.
ALTER TABLE bank_statements ALTER COLUMN uploaded_by DROP NOT NULL;
COMMENT ON COLUMN bank_statements.uploaded_by IS 'null: in a shell';

DROP TRIGGER bank_statement_lines_are_matched_once ON bank_statement_lines;
ALTER TABLE bank_statement_lines
    DROP CONSTRAINT bank_statement_lines_are_matched_wholly,
    ADD CONSTRAINT bank_statement_lines_are_matched_wholly
        CHECK (num_nonnulls(matched_payment_id, match_reason, matched_at) IN (0, 3)
               AND (matched_by IS NULL OR matched_at IS NOT NULL)),
    DROP CONSTRAINT bank_statement_lines_matched_need_no_match,
    ADD CONSTRAINT bank_statement_lines_matched_need_no_match CHECK (verdict <> 'matched' OR matched_at IS NULL);
COMMENT ON COLUMN bank_statement_lines.matched_by IS 'null with a time: in a shell';
CREATE TRIGGER bank_statement_lines_are_matched_once BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (OLD.matched_at IS NOT NULL
          OR (NEW.statement_id, NEW.line, NEW.booked_on, NEW.direction, NEW.amount, NEW.currency, NEW.end_to_end_id,
              NEW.bank_reference, NEW.description, NEW.verdict, NEW.difference, NEW.payment_id)
             IS DISTINCT FROM
             (OLD.statement_id, OLD.line, OLD.booked_on, OLD.direction, OLD.amount, OLD.currency, OLD.end_to_end_id,
              OLD.bank_reference, OLD.description, OLD.verdict, OLD.difference, OLD.payment_id))
    EXECUTE FUNCTION refuse_change();

DROP INDEX bank_statement_lines_open;
CREATE INDEX bank_statement_lines_open ON bank_statement_lines (booked_on)
    WHERE verdict IN ('mismatched', 'missing_here', 'missing_there') AND matched_at IS NULL AND dismissed_at IS NULL;

CREATE FUNCTION statements_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    person uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
BEGIN
    IF (CASE WHEN person IS NULL THEN current_user = 'payments_gateway'
             ELSE NOT EXISTS (SELECT FROM users WHERE id = person AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION 'only ops upload statements and match lines'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER bank_statements_are_of_ops BEFORE INSERT ON bank_statements
    FOR EACH ROW EXECUTE FUNCTION statements_are_of_ops('uploaded_by');
CREATE TRIGGER bank_statement_lines_matches_are_of_ops BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (NEW.matched_at IS NOT NULL) EXECUTE FUNCTION statements_are_of_ops('matched_by');

REVOKE ALL ON FUNCTION statements_are_of_ops FROM PUBLIC;
GRANT INSERT (id, hash, form, account, begins_on, ends_on, set_aside, uploaded_by) ON bank_statements TO payments_worker;
GRANT INSERT (statement_id, line, account, booked_on, direction, amount, currency, end_to_end_id, bank_reference,
              description, verdict, difference, payment_id, value_date),
      UPDATE (matched_payment_id, match_reason, matched_by, matched_at)
    ON bank_statement_lines TO payments_worker;
