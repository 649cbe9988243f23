-- Instructions to the bank, its answers, and the money that it sends back.

-- One row per withdrawal by wire. The gateway writes the payee, the worker the progress.
CREATE TABLE instructions (
    payment_id      uuid PRIMARY KEY,
    iban            text NOT NULL,
    bic             text,
    name            text NOT NULL,
    description     text,
    rail            text,
    due_at          timestamptz,
    attempts        smallint NOT NULL DEFAULT 0,
    submitted_at    timestamptz,
    pending_at      timestamptz,
    answer          text,
    answered_at     timestamptz,
    bank_reference  text,
    reason          text,
    last_error      text,
    CONSTRAINT instructions_iban_is_well_formed CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    CONSTRAINT instructions_bic_is_well_formed CHECK (bic ~ '^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$'),
    CONSTRAINT instructions_words_are_bounded
        CHECK (length(name) BETWEEN 1 AND 70 AND length(description) BETWEEN 1 AND 140),
    CONSTRAINT instructions_answers_are_bounded
        CHECK (length(rail) BETWEEN 1 AND 50 AND length(bank_reference) BETWEEN 1 AND 100
               AND length(reason) BETWEEN 1 AND 500 AND length(last_error) <= 500),
    CONSTRAINT instructions_attempts_are_not_negative CHECK (attempts >= 0),
    CONSTRAINT instructions_are_submitted_by_a_rail CHECK (submitted_at IS NULL OR rail IS NOT NULL),
    CONSTRAINT instructions_answer_is_known CHECK (answer IN ('confirmed', 'rejected')),
    CONSTRAINT instructions_answered_exactly_with_answer CHECK ((answered_at IS NOT NULL) = (answer IS NOT NULL)),
    CONSTRAINT instructions_answered_are_not_due CHECK (answer IS NULL OR due_at IS NULL)
);
CREATE INDEX instructions_due ON instructions (due_at, payment_id) WHERE due_at IS NOT NULL;
COMMENT ON COLUMN instructions.due_at IS 'null: the money is not held yet, the bank has answered, or the payment is parked';
COMMENT ON COLUMN instructions.submitted_at IS 'from when on the bank may know of it; null: it surely does not';
COMMENT ON COLUMN instructions.pending_at IS 'when the bank first said that it has it, since ops had it told';

CREATE TRIGGER instructions_are_answered_once BEFORE UPDATE ON instructions FOR EACH ROW
    WHEN (OLD.answer IS NOT NULL
          OR (NEW.payment_id, NEW.iban, NEW.bic, NEW.name, NEW.description)
             IS DISTINCT FROM (OLD.payment_id, OLD.iban, OLD.bic, OLD.name, OLD.description))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER instructions_are_never_deleted BEFORE DELETE ON instructions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER instructions_are_never_truncated BEFORE TRUNCATE ON instructions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Returns of confirmed withdrawals, by the bank's own number: stored once, however often the bank reports them. Some banks
-- number what they book within a statement, or not at all (NONREF), so the number is one of its withdrawal's.
CREATE TABLE returns (
    rail        text NOT NULL,
    bank_id     text NOT NULL,
    parent_id   uuid NOT NULL,
    amount      numeric(38,0) NOT NULL,
    reason      text,
    payment_id  uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rail, bank_id, parent_id),
    CONSTRAINT returns_one_a_payment UNIQUE (payment_id),
    CONSTRAINT returns_amount_is_positive CHECK (amount > 0 AND amount < 1e38),
    CONSTRAINT returns_words_are_bounded
        CHECK (length(rail) BETWEEN 1 AND 50 AND length(bank_id) BETWEEN 1 AND 100
               AND length(reason) BETWEEN 1 AND 500)
);
CREATE INDEX returns_open ON returns (parent_id) WHERE payment_id IS NULL;
CREATE INDEX returns_by_parent ON returns (parent_id);
COMMENT ON COLUMN returns.payment_id IS 'that gives the money back; null: its withdrawal is not COMPLETED yet';

CREATE TRIGGER returns_are_given_back_once BEFORE UPDATE ON returns FOR EACH ROW
    WHEN (OLD.payment_id IS NOT NULL
          OR (NEW.rail, NEW.bank_id, NEW.parent_id, NEW.amount, NEW.reason, NEW.created_at)
             IS DISTINCT FROM (OLD.rail, OLD.bank_id, OLD.parent_id, OLD.amount, OLD.reason, OLD.created_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER returns_are_never_deleted BEFORE DELETE ON returns
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER returns_are_never_truncated BEFORE TRUNCATE ON returns
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The position up to which the updates of a rail have been read.
CREATE TABLE rail_positions (
    rail        text PRIMARY KEY,
    position    text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rail_positions_are_bounded CHECK (length(rail) BETWEEN 1 AND 50 AND length(position) <= 500)
);

-- The bank's answer ends a withdrawal. It is a command without a user, and no user's command is in its way.
ALTER TABLE commands
    ALTER COLUMN user_id DROP NOT NULL,
    DROP CONSTRAINT commands_kind_is_known,
    ADD CONSTRAINT commands_kind_is_known
        CHECK (kind IN ('retry', 'capture', 'void', 'cancel', 'confirm', 'reject')),
    ADD CONSTRAINT commands_are_a_users_or_the_banks CHECK ((user_id IS NULL) = (kind IN ('confirm', 'reject')));
DROP INDEX commands_one_ending;
CREATE UNIQUE INDEX commands_one_ending ON commands (payment_id)
    WHERE kind IN ('capture', 'void', 'cancel') AND outcome IS DISTINCT FROM 'refused';
CREATE UNIQUE INDEX commands_one_answer ON commands (payment_id) WHERE kind IN ('confirm', 'reject');
CREATE TRIGGER commands_of_the_bank_are_the_workers BEFORE INSERT ON commands
    FOR EACH ROW WHEN (NEW.kind IN ('confirm', 'reject')) EXECUTE FUNCTION refuse_gateway();

-- A return is a payment of its own that names the withdrawal it gives back.
ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known CHECK (type IN (
        'deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange', 'adjustment', 'return')),
    DROP CONSTRAINT payments_refunds_name_their_charge,
    ADD CONSTRAINT payments_refunds_name_their_charge
        CHECK ((parent_id IS NOT NULL) = (type IN ('refund', 'return')));
CREATE TRIGGER payments_returns_are_the_workers BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.type = 'return') EXECUTE FUNCTION refuse_gateway();

REVOKE ALL ON instructions, returns, rail_positions FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON instructions, returns, rail_positions TO payments_worker, payments_gateway;
GRANT INSERT (payment_id, iban, bic, name, description) ON instructions TO payments_gateway;
GRANT UPDATE (rail, due_at, attempts, submitted_at, pending_at, answer, answered_at, bank_reference, reason, last_error)
    ON instructions TO payments_worker;
GRANT INSERT (rail, bank_id, parent_id, amount, reason), UPDATE (payment_id) ON returns TO payments_worker;
GRANT INSERT (rail, position), UPDATE (position, updated_at) ON rail_positions TO payments_worker;
GRANT INSERT (id, kind, payment_id, reason) ON commands TO payments_worker;
