-- What became final and what it moved, summed up behind the posters by the day (UTC) and by the quarter of an hour, up to
-- a position in the feed of events. A month of any time zone in use is days, and quarters before and after these.
CREATE TABLE payment_sums (
    span      text NOT NULL,
    period    timestamptz NOT NULL,
    type      text NOT NULL,
    state     text NOT NULL,
    currency  text NOT NULL REFERENCES currencies,
    number    bigint NOT NULL,
    amount    numeric NOT NULL,
    PRIMARY KEY (span, period, type, state, currency),
    CONSTRAINT payment_sums_are_of_their_span CHECK (period = date_bin(
        CASE span WHEN 'day' THEN interval '1 day' WHEN 'quarter' THEN interval '15 minutes' END, period,
        '2000-01-01T00:00:00Z') AND span IN ('day', 'quarter')),
    CONSTRAINT payment_sums_state_is_known CHECK (state IN ('INITIATED', 'AUTHORIZED', 'COMPLETED', 'FAILED')),
    CONSTRAINT payment_sums_of_final_are_positive
        CHECK (state IN ('INITIATED', 'AUTHORIZED') OR (number > 0 AND amount > 0)),
    CONSTRAINT payment_sums_amount_is_whole CHECK (amount = trunc(amount) AND abs(amount) < 1e60)
);
COMMENT ON TABLE payment_sums IS 'final payments by when they came into a state, up to the position of the reader "sums" in event_positions';
COMMENT ON COLUMN payment_sums.number IS 'that came into the state less those that left it; of a payment that was final within its first quarter of an hour only its end';

CREATE TABLE movement_sums (
    span         text NOT NULL,
    period       timestamptz NOT NULL,
    code         text NOT NULL,
    type         text NOT NULL,
    merchant_id  uuid REFERENCES users,
    kind         text NOT NULL,
    currency     text NOT NULL REFERENCES currencies,
    debits       numeric NOT NULL,
    credits      numeric NOT NULL,
    payments     bigint NOT NULL,
    CONSTRAINT movement_sums_one_per_period
        UNIQUE NULLS NOT DISTINCT (span, period, code, type, merchant_id, kind, currency),
    CONSTRAINT movement_sums_are_of_their_span CHECK (period = date_bin(
        CASE span WHEN 'day' THEN interval '1 day' WHEN 'quarter' THEN interval '15 minutes' END, period,
        '2000-01-01T00:00:00Z') AND span IN ('day', 'quarter')),
    CONSTRAINT movement_sums_are_positive CHECK (debits >= 0 AND credits >= 0 AND payments > 0),
    CONSTRAINT movement_sums_are_whole CHECK (debits = trunc(debits) AND credits = trunc(credits) AND debits < 1e60 AND credits < 1e60)
);
COMMENT ON COLUMN movement_sums.code IS 'of our account; "customer" of all wallets';
COMMENT ON COLUMN movement_sums.merchant_id IS 'who ordered what bore commission; null: not commission, or no merchant';

INSERT INTO event_positions (reader, xact, sequence) VALUES ('sums', '0', 0);

CREATE TRIGGER payment_sums_only_grow BEFORE UPDATE ON payment_sums FOR EACH ROW
    WHEN ((NEW.span, NEW.period, NEW.type, NEW.state, NEW.currency)
          IS DISTINCT FROM (OLD.span, OLD.period, OLD.type, OLD.state, OLD.currency)
          OR NEW.state IN ('COMPLETED', 'FAILED') AND (NEW.number < OLD.number OR NEW.amount < OLD.amount))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_sums_are_never_deleted BEFORE DELETE ON payment_sums
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_sums_are_never_truncated BEFORE TRUNCATE ON payment_sums
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER movement_sums_only_grow BEFORE UPDATE ON movement_sums FOR EACH ROW
    WHEN ((NEW.span, NEW.period, NEW.code, NEW.type, NEW.merchant_id, NEW.kind, NEW.currency)
          IS DISTINCT FROM (OLD.span, OLD.period, OLD.code, OLD.type, OLD.merchant_id, OLD.kind, OLD.currency)
          OR NEW.debits < OLD.debits OR NEW.credits < OLD.credits OR NEW.payments < OLD.payments)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER movement_sums_are_never_deleted BEFORE DELETE ON movement_sums
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER movement_sums_are_never_truncated BEFORE TRUNCATE ON movement_sums
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON payment_sums, movement_sums FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON payment_sums, movement_sums TO payments_worker, payments_gateway;
GRANT INSERT (span, period, type, state, currency, number, amount), UPDATE (number, amount) ON payment_sums
    TO payments_worker;
GRANT INSERT (span, period, code, type, merchant_id, kind, currency, debits, credits, payments),
      UPDATE (debits, credits, payments) ON movement_sums TO payments_worker;
