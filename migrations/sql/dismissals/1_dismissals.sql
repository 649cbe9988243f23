-- What a bank books tomorrow is expected, not missing; what is a fee or interest is put aside by a person, with a category.
ALTER TABLE bank_statement_lines
    ADD COLUMN value_date        date,
    ADD COLUMN dismiss_category  text,
    ADD COLUMN dismiss_reason    text,
    ADD COLUMN dismissed_by      uuid REFERENCES users,
    ADD COLUMN dismissed_at      timestamptz,
    DROP CONSTRAINT bank_statement_lines_verdict_is_known,
    ADD CONSTRAINT bank_statement_lines_verdict_is_known
        CHECK (verdict IN ('matched', 'mismatched', 'missing_here', 'missing_there', 'expected')),
    ADD CONSTRAINT bank_statement_lines_expected_on_a_day
        CHECK (isfinite(value_date) AND (verdict <> 'expected' OR value_date IS NOT NULL)),
    ADD CONSTRAINT bank_statement_lines_dismiss_category_is_known
        CHECK (dismiss_category IN ('fee', 'interest', 'tax', 'own_transfer', 'bank_correction', 'other')),
    ADD CONSTRAINT bank_statement_lines_dismiss_reason_is_bounded CHECK (length(dismiss_reason) BETWEEN 1 AND 500),
    ADD CONSTRAINT bank_statement_lines_are_dismissed_wholly
        CHECK (num_nonnulls(dismiss_category, dismiss_reason, dismissed_at) IN (0, 3)
               AND (dismissed_by IS NULL OR dismissed_at IS NOT NULL)),
    ADD CONSTRAINT bank_statement_lines_dismissed_are_the_banks
        CHECK (dismissed_at IS NULL OR (verdict IN ('mismatched', 'missing_here') AND matched_at IS NULL));
CREATE INDEX bank_statement_lines_expected ON bank_statement_lines (value_date) WHERE verdict = 'expected';
COMMENT ON COLUMN bank_statement_lines.value_date IS 'of what is ours: when the bank books it at the latest';
COMMENT ON COLUMN bank_statement_lines.dismissed_by IS 'null with a time: in a shell';

CREATE TRIGGER bank_statement_lines_are_dismissed_once BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (OLD.dismissed_at IS NOT NULL OR NEW.value_date IS DISTINCT FROM OLD.value_date)
    EXECUTE FUNCTION refuse_change();

-- The gateway puts aside in the name of an active ops user alone.
CREATE FUNCTION dismissals_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (CASE WHEN NEW.dismissed_by IS NULL THEN current_user = 'payments_gateway'
            ELSE NOT EXISTS (SELECT FROM users WHERE id = NEW.dismissed_by AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION 'only ops put lines aside'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER bank_statement_lines_dismissals_are_of_ops BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (NEW.dismissed_at IS NOT NULL) EXECUTE FUNCTION dismissals_are_of_ops();

REVOKE ALL ON FUNCTION dismissals_are_of_ops FROM PUBLIC;
GRANT INSERT (value_date) ON bank_statement_lines TO payments_gateway;
GRANT UPDATE (dismiss_category, dismiss_reason, dismissed_by, dismissed_at)
    ON bank_statement_lines TO payments_worker, payments_gateway;
