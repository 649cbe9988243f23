-- Bulks: many payments ordered at once, and the bank accounts in whose name an organisation pays.

CREATE TABLE bank_accounts (
    id                 uuid PRIMARY KEY,
    merchant_id        uuid NOT NULL REFERENCES users,
    organization_name  text NOT NULL,
    iban               text NOT NULL,
    bic                text,
    account_id         uuid NOT NULL REFERENCES accounts,
    is_active          boolean NOT NULL DEFAULT true,
    version            integer NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bank_accounts_one_per_iban UNIQUE (merchant_id, iban),
    CONSTRAINT bank_accounts_organization_name_is_bounded CHECK (length(organization_name) BETWEEN 1 AND 70),
    CONSTRAINT bank_accounts_iban_is_well_formed CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    CONSTRAINT bank_accounts_bic_is_well_formed CHECK (bic ~ '^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$')
);
COMMENT ON COLUMN bank_accounts.account_id IS 'the wallet that pays what is ordered in the name of this bank account';

CREATE FUNCTION bank_accounts_pay_from_own_wallets() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM accounts WHERE id = NEW.account_id AND owner_id = NEW.merchant_id) THEN
        RAISE EXCEPTION 'the wallet of a bank account is its merchant''s'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER bank_accounts_pay_from_own_wallets BEFORE INSERT ON bank_accounts
    FOR EACH ROW EXECUTE FUNCTION bank_accounts_pay_from_own_wallets();
CREATE TRIGGER bank_accounts_stay_as_registered BEFORE UPDATE ON bank_accounts FOR EACH ROW
    WHEN ((NEW.id, NEW.merchant_id, NEW.organization_name, NEW.iban, NEW.bic, NEW.account_id, NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.merchant_id, OLD.organization_name, OLD.iban, OLD.bic, OLD.account_id, OLD.created_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_accounts_are_never_deleted BEFORE DELETE ON bank_accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_accounts_are_never_truncated BEFORE TRUNCATE ON bank_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE bulks (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL,
    mode             text NOT NULL,
    user_id          uuid NOT NULL REFERENCES users,
    bank_account_id  uuid REFERENCES bank_accounts,
    source_id        uuid,
    target_id        uuid,
    currency         text NOT NULL,
    total            numeric(38,0) NOT NULL,
    lines            integer NOT NULL,
    is_open          boolean NOT NULL DEFAULT false,
    state            text NOT NULL DEFAULT 'INITIATED',
    held             numeric(38,0) NOT NULL DEFAULT 0,
    is_decided       boolean NOT NULL DEFAULT false,
    failure_code     text,
    authorized       integer NOT NULL DEFAULT 0,
    completed        integer NOT NULL DEFAULT 0,
    failed           integer NOT NULL DEFAULT 0,
    version          integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    finalized_at     timestamptz,
    CONSTRAINT bulks_kind_is_known CHECK (kind IN ('transfers', 'charges')),
    CONSTRAINT bulks_mode_is_known CHECK (mode IN ('atomic', 'best_effort')),
    CONSTRAINT bulks_state_is_known CHECK (state IN ('INITIATED', 'COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED')),
    CONSTRAINT bulks_transfers_come_from_a_bank_account
        CHECK (kind = CASE WHEN num_nonnulls(bank_account_id, source_id) = 2 AND target_id IS NULL THEN 'transfers'
                           WHEN num_nonnulls(bank_account_id, source_id) = 0 AND target_id IS NOT NULL THEN 'charges'
                      END IS TRUE),
    CONSTRAINT bulks_atomic_are_transfers_at_once CHECK (mode <> 'atomic' OR (kind = 'transfers' AND NOT is_open)),
    CONSTRAINT bulks_lines_are_bounded
        CHECK (lines BETWEEN 0 AND CASE mode WHEN 'atomic' THEN 1000 ELSE 100000 END AND (lines > 0 OR is_open)),
    CONSTRAINT bulks_total_is_bounded CHECK (total >= lines AND total < 1e38),
    CONSTRAINT bulks_held_is_within_total CHECK (held >= 0 AND held <= total AND (held = 0 OR mode = 'atomic')),
    CONSTRAINT bulks_counts_are_within_lines
        CHECK (authorized >= 0 AND completed >= 0 AND failed >= 0 AND authorized + completed + failed <= lines),
    CONSTRAINT bulks_failure_is_bounded CHECK (length(failure_code) BETWEEN 1 AND 100),
    CONSTRAINT bulks_finalized_exactly_when_final CHECK ((finalized_at IS NULL) = (state = 'INITIATED'))
);
CREATE INDEX bulks_by_user ON bulks (user_id, id);
COMMENT ON COLUMN bulks.source_id IS 'of transfers: the wallet that pays';
COMMENT ON COLUMN bulks.target_id IS 'of charges: the wallet that is paid';
COMMENT ON COLUMN bulks.is_open IS 'lines are still being added; it is not final before it is closed';
COMMENT ON COLUMN bulks.held IS 'what is held of the source for lines that have not taken their share yet';
COMMENT ON COLUMN bulks.is_decided IS 'of an atomic one: its total was held, or all its lines fail with failure_code';

-- The order of a bulk never changes. Lines are added while it is open; it is final with its last line, for good.
CREATE FUNCTION bulks_follow_their_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'INITIATED' THEN
        RAISE EXCEPTION 'bulk % is final', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bulks_final_is_final';
    END IF;
    IF (NEW.id, NEW.kind, NEW.mode, NEW.user_id, NEW.bank_account_id, NEW.source_id, NEW.target_id, NEW.currency,
        NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.kind, OLD.mode, OLD.user_id, OLD.bank_account_id, OLD.source_id, OLD.target_id, OLD.currency,
        OLD.created_at)
       OR (NOT OLD.is_open AND (NEW.is_open, NEW.lines, NEW.total) IS DISTINCT FROM (false, OLD.lines, OLD.total))
       OR NEW.lines < OLD.lines OR NEW.total < OLD.total
    THEN
        RAISE EXCEPTION 'the order of bulk % cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bulks_orders_are_immutable';
    END IF;
    IF NEW.completed < OLD.completed OR NEW.failed < OLD.failed
       OR (OLD.is_decided AND (NEW.is_decided, NEW.failure_code) IS DISTINCT FROM (true, OLD.failure_code))
    THEN
        RAISE EXCEPTION 'bulk % is decided', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'bulks_are_decided_once';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.state := CASE WHEN NEW.is_open OR NEW.completed + NEW.failed < NEW.lines THEN 'INITIATED'
                      WHEN NEW.failed = 0 THEN 'COMPLETED'
                      WHEN NEW.completed = 0 THEN 'FAILED'
                      ELSE 'PARTIALLY_COMPLETED' END;
    NEW.finalized_at := CASE WHEN NEW.state <> 'INITIATED' THEN clock_timestamp() END;
    RETURN NEW;
END
$$;
CREATE TRIGGER bulks_follow_their_lines BEFORE UPDATE ON bulks
    FOR EACH ROW EXECUTE FUNCTION bulks_follow_their_lines();
CREATE TRIGGER bulks_are_never_deleted BEFORE DELETE ON bulks
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bulks_are_never_truncated BEFORE TRUNCATE ON bulks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE payments
    ADD COLUMN bulk_id    uuid,
    ADD COLUMN bulk_line  integer,
    ADD CONSTRAINT payments_lines_are_of_a_bulk CHECK (num_nonnulls(bulk_id, bulk_line) IN (0, 2)),
    ADD CONSTRAINT payments_bulk_line_is_positive CHECK (bulk_line > 0),
    ADD CONSTRAINT payments_bulks_are_of_withdrawals_or_charges
        CHECK (bulk_id IS NULL OR (type IN ('withdrawal', 'charge') AND capture AND scheduled_at IS NULL
                                   AND expires_at IS NULL));
CREATE INDEX payments_by_bulk ON payments (bulk_id, bulk_line) WHERE bulk_id IS NOT NULL;
COMMENT ON COLUMN payments.bulk_line IS 'from 1, as the lines were given';

CREATE TRIGGER payments_stay_in_their_bulk BEFORE UPDATE OF bulk_id, bulk_line ON payments
    FOR EACH ROW WHEN ((NEW.bulk_id, NEW.bulk_line) IS DISTINCT FROM (OLD.bulk_id, OLD.bulk_line))
    EXECUTE FUNCTION payments_orders_are_immutable();

-- A line says what its bulk says, under a number of its own, and an atomic bulk gets all its lines at once: nobody slips
-- a payment into another's bulk, or has more held than its lines will take.
CREATE FUNCTION payments_lines_fit_their_bulk() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    named uuid[] := ARRAY(SELECT DISTINCT bulk_id FROM inserted WHERE bulk_id IS NOT NULL);
    culprit uuid;
BEGIN
    IF named = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM FROM bulks WHERE id = ANY (named) ORDER BY id FOR NO KEY UPDATE;  -- who adds lines has it locked already
    SELECT i.id INTO culprit
    FROM inserted i LEFT JOIN (SELECT * FROM bulks WHERE id = ANY (named)) b ON b.id = i.bulk_id
    WHERE i.bulk_id IS NOT NULL AND (
        (b.kind, b.user_id, b.currency, coalesce(b.source_id, i.source_id), coalesce(b.target_id, i.target_id))
        IS DISTINCT FROM
        (CASE i.type WHEN 'charge' THEN 'charges' ELSE 'transfers' END, i.user_id, i.currency, i.source_id, i.target_id)
        OR i.bulk_line > b.lines
        OR (b.kind = 'transfers' AND NOT EXISTS (SELECT FROM accounts a WHERE a.id = i.target_id AND a.code = 'wire')))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'payment % is no line of its bulk', culprit
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    SELECT b.id INTO culprit
    FROM (SELECT bulk_id, count(*) AS lines, count(DISTINCT bulk_line) AS numbers, sum(amount) AS total,
                 min(bulk_line) AS first, max(bulk_line) AS last
          FROM inserted WHERE bulk_id = ANY (named) GROUP BY bulk_id) i JOIN bulks b ON b.id = i.bulk_id
    WHERE i.lines <> i.numbers
       OR i.lines <> (SELECT count(*) FROM payments p WHERE p.bulk_id = b.id AND p.bulk_line BETWEEN i.first AND i.last)
       OR (b.mode = 'atomic' AND (i.lines, i.total) <> (b.lines, b.total))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'bulk % has other lines', culprit
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_lines_fit_their_bulk AFTER INSERT ON payments
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION payments_lines_fit_their_bulk();

-- An atomic bulk is paid whole or not at all: no line can be taken out of it.
CREATE FUNCTION commands_leave_bulks_whole() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM payments p JOIN bulks b ON b.id = p.bulk_id
               WHERE p.id = NEW.payment_id AND b.mode = 'atomic') THEN
        RAISE EXCEPTION 'payment % goes with its bulk', NEW.payment_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER commands_leave_bulks_whole BEFORE INSERT ON commands
    FOR EACH ROW WHEN (NEW.kind = 'cancel') EXECUTE FUNCTION commands_leave_bulks_whole();

ALTER TABLE idempotency_keys
    ADD COLUMN bulk_id uuid,
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    ADD CONSTRAINT idempotency_keys_name_one_thing
        CHECK (num_nonnulls(payment_id, account_id, adjustment_id, bulk_id, signed_up) = 1);

REVOKE ALL ON bank_accounts, bulks FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION bank_accounts_pay_from_own_wallets, bulks_follow_their_lines, payments_lines_fit_their_bulk,
    commands_leave_bulks_whole FROM PUBLIC;
GRANT SELECT ON bank_accounts, bulks TO payments_worker, payments_gateway;
GRANT INSERT (id, merchant_id, organization_name, iban, bic, account_id), UPDATE (is_active, version)
    ON bank_accounts TO payments_gateway;
GRANT INSERT (id, kind, mode, user_id, bank_account_id, source_id, target_id, currency, total, lines, is_open),
      UPDATE (total, lines, is_open)
    ON bulks TO payments_gateway;
GRANT UPDATE (held, is_decided, failure_code, authorized, completed, failed) ON bulks TO payments_worker;
GRANT INSERT (bulk_id, bulk_line) ON payments TO payments_gateway;
GRANT INSERT (bulk_id) ON idempotency_keys TO payments_gateway;
