-- A verdict that the schema before does not know becomes the one that it had.
DROP TRIGGER bank_statement_lines_are_matched_once ON bank_statement_lines;
DROP TRIGGER bank_statement_lines_are_dismissed_once ON bank_statement_lines;
DROP TRIGGER bank_statement_lines_dismissals_are_of_ops ON bank_statement_lines;
DROP FUNCTION dismissals_are_of_ops;
ALTER TABLE bank_statement_lines
    DROP COLUMN dismiss_category,
    DROP COLUMN dismiss_reason,
    DROP COLUMN dismissed_by,
    DROP COLUMN dismissed_at,
    DROP CONSTRAINT bank_statement_lines_expected_on_a_day;
UPDATE bank_statement_lines SET verdict = 'missing_there' WHERE verdict = 'expected';
ALTER TABLE bank_statement_lines
    DROP COLUMN value_date,
    DROP CONSTRAINT bank_statement_lines_verdict_is_known,
    ADD CONSTRAINT bank_statement_lines_verdict_is_known
        CHECK (verdict IN ('matched', 'mismatched', 'missing_here', 'missing_there'));
CREATE TRIGGER bank_statement_lines_are_matched_once BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (OLD.matched_by IS NOT NULL
          OR (NEW.statement_id, NEW.line, NEW.booked_on, NEW.direction, NEW.amount, NEW.currency, NEW.end_to_end_id,
              NEW.bank_reference, NEW.description, NEW.verdict, NEW.difference, NEW.payment_id)
             IS DISTINCT FROM
             (OLD.statement_id, OLD.line, OLD.booked_on, OLD.direction, OLD.amount, OLD.currency, OLD.end_to_end_id,
              OLD.bank_reference, OLD.description, OLD.verdict, OLD.difference, OLD.payment_id))
    EXECUTE FUNCTION refuse_change();
