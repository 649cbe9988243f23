-- A file may be of several accounts, and a line of it that cannot be read is set aside, not the whole file.

ALTER TABLE bank_statements
    ADD COLUMN set_aside jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT bank_statements_set_aside_is_a_short_list
        CHECK (CASE WHEN jsonb_typeof(set_aside) = 'array' THEN jsonb_array_length(set_aside) <= 1000 ELSE false END);
COMMENT ON COLUMN bank_statements.set_aside IS 'what could not be read: pointer, code and detail of each line';

ALTER TABLE bank_statement_lines
    ADD COLUMN account text,
    ADD CONSTRAINT bank_statement_lines_account_is_bounded CHECK (length(account) BETWEEN 1 AND 140);
COMMENT ON COLUMN bank_statement_lines.account IS 'whose account it is, as the bank names it';

CREATE TRIGGER bank_statement_lines_stay_with_their_account BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (NEW.account IS DISTINCT FROM OLD.account) EXECUTE FUNCTION refuse_change();

GRANT INSERT (set_aside) ON bank_statements TO payments_gateway;
GRANT INSERT (account) ON bank_statement_lines TO payments_gateway;
