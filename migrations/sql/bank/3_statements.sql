-- The bookings that a bank reports, line by line, and their match with payments. They move no money.

CREATE TABLE bank_statements (
    id           uuid PRIMARY KEY,
    hash         bytea NOT NULL,
    form         text NOT NULL,
    account      text,
    begins_on    date NOT NULL,
    ends_on      date NOT NULL,
    uploaded_by  uuid NOT NULL REFERENCES users,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bank_statements_one_per_file UNIQUE (hash),
    CONSTRAINT bank_statements_hash_is_sha256 CHECK (length(hash) = 32),
    CONSTRAINT bank_statements_form_is_known CHECK (form IN ('csv', 'camt.053')),
    CONSTRAINT bank_statements_account_is_bounded CHECK (length(account) BETWEEN 1 AND 140),
    CONSTRAINT bank_statements_period_is_bounded CHECK (begins_on <= ends_on AND ends_on <= begins_on + 366)
);
COMMENT ON COLUMN bank_statements.account IS 'whose account it is, as the bank names it';

CREATE TABLE bank_statement_lines (
    statement_id        uuid NOT NULL REFERENCES bank_statements,
    line                integer NOT NULL,
    booked_on           date NOT NULL,
    direction           text NOT NULL,
    amount              numeric(38,0) NOT NULL,
    currency            text NOT NULL REFERENCES currencies,
    end_to_end_id       text,
    bank_reference      text,
    description         text,
    verdict             text NOT NULL,
    difference          text,
    payment_id          uuid,
    matched_payment_id  uuid,
    match_reason        text,
    matched_by          uuid REFERENCES users,
    matched_at          timestamptz,
    PRIMARY KEY (statement_id, line),
    CONSTRAINT bank_statement_lines_number_is_bounded CHECK (line BETWEEN 1 AND 100000),
    CONSTRAINT bank_statement_lines_direction_is_known CHECK (direction IN ('credit', 'debit')),
    CONSTRAINT bank_statement_lines_amount_is_positive CHECK (amount > 0 AND amount < 1e38),
    CONSTRAINT bank_statement_lines_texts_are_bounded
        CHECK (length(end_to_end_id) <= 140 AND length(bank_reference) <= 140 AND length(description) <= 140),
    CONSTRAINT bank_statement_lines_verdict_is_known
        CHECK (verdict IN ('matched', 'mismatched', 'missing_here', 'missing_there')),
    CONSTRAINT bank_statement_lines_mismatched_say_how
        CHECK ((verdict = 'mismatched') = (difference IS NOT NULL)
               AND difference IN ('direction', 'currency', 'amount', 'state', 'duplicate')),
    CONSTRAINT bank_statement_lines_name_what_is_here CHECK ((verdict = 'missing_here') = (payment_id IS NULL)),
    CONSTRAINT bank_statement_lines_are_matched_wholly
        CHECK (num_nonnulls(matched_payment_id, match_reason, matched_by, matched_at) IN (0, 4)),
    CONSTRAINT bank_statement_lines_matched_need_no_match CHECK (verdict <> 'matched' OR matched_by IS NULL),
    CONSTRAINT bank_statement_lines_match_reason_is_bounded CHECK (length(match_reason) BETWEEN 1 AND 500)
);
CREATE INDEX bank_statement_lines_by_payment ON bank_statement_lines (payment_id) WHERE payment_id IS NOT NULL;
COMMENT ON COLUMN bank_statement_lines.line IS 'as in the file, from 1; what is missing there is appended';
COMMENT ON COLUMN bank_statement_lines.verdict IS 'as found at the upload; matched_payment_id says what a person found';
COMMENT ON COLUMN bank_statement_lines.payment_id IS 'ours, by end-to-end id or by the reference of the bank';

CREATE INDEX bank_statement_lines_by_match ON bank_statement_lines (matched_payment_id)
    WHERE matched_payment_id IS NOT NULL;
CREATE INDEX instructions_by_bank_reference ON instructions (bank_reference) WHERE bank_reference IS NOT NULL;
CREATE INDEX instructions_by_answer ON instructions (answered_at) WHERE answer = 'confirmed';
CREATE INDEX returns_by_bank_id ON returns (bank_id);
CREATE INDEX returns_by_time ON returns (created_at);

CREATE TRIGGER bank_statements_are_append_only BEFORE UPDATE OR DELETE ON bank_statements
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statements_are_never_truncated BEFORE TRUNCATE ON bank_statements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_lines_are_matched_once BEFORE UPDATE ON bank_statement_lines FOR EACH ROW
    WHEN (OLD.matched_by IS NOT NULL
          OR (NEW.statement_id, NEW.line, NEW.booked_on, NEW.direction, NEW.amount, NEW.currency, NEW.end_to_end_id,
              NEW.bank_reference, NEW.description, NEW.verdict, NEW.difference, NEW.payment_id)
             IS DISTINCT FROM
             (OLD.statement_id, OLD.line, OLD.booked_on, OLD.direction, OLD.amount, OLD.currency, OLD.end_to_end_id,
              OLD.bank_reference, OLD.description, OLD.verdict, OLD.difference, OLD.payment_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_lines_are_never_deleted BEFORE DELETE ON bank_statement_lines
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_lines_are_never_truncated BEFORE TRUNCATE ON bank_statement_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON bank_statements, bank_statement_lines FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON bank_statements, bank_statement_lines TO payments_worker, payments_gateway;
GRANT INSERT (id, hash, form, account, begins_on, ends_on, uploaded_by) ON bank_statements TO payments_gateway;
GRANT INSERT (statement_id, line, booked_on, direction, amount, currency, end_to_end_id, bank_reference, description,
              verdict, difference, payment_id),
      UPDATE (matched_payment_id, match_reason, matched_by, matched_at)
    ON bank_statement_lines TO payments_gateway;
