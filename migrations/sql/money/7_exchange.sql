-- Exchange: rates set by ops, quotes that freeze one for a while, and payments that arrive in another currency.

-- Append-only: which rate was in force when is never in doubt. The newest line with the latest valid_from counts.
CREATE TABLE exchange_rates (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL REFERENCES currencies,
    target       text NOT NULL REFERENCES currencies,
    rate         numeric(38,18) NOT NULL,
    spread       numeric(9,6) NOT NULL DEFAULT 0,
    source_name  text NOT NULL,
    valid_from   timestamptz NOT NULL DEFAULT now(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT exchange_rates_currencies_differ CHECK (source <> target),
    CONSTRAINT exchange_rates_rate_is_positive CHECK (rate > 0 AND rate < 1e20),
    CONSTRAINT exchange_rates_spread_is_bounded CHECK (spread >= 0 AND spread < 100),
    CONSTRAINT exchange_rates_source_name_is_bounded CHECK (length(source_name) BETWEEN 1 AND 100),
    CONSTRAINT exchange_rates_are_not_backdated CHECK (valid_from >= created_at)
);
CREATE INDEX exchange_rates_in_force ON exchange_rates (source, target, valid_from, id);
COMMENT ON COLUMN exchange_rates.rate IS 'how many of the target currency one of the source currency is worth';
COMMENT ON COLUMN exchange_rates.spread IS 'percent of the amount, taken as commission in the source currency';
CREATE TRIGGER exchange_rates_are_append_only BEFORE UPDATE OR DELETE ON exchange_rates
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER exchange_rates_are_never_truncated BEFORE TRUNCATE ON exchange_rates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE quotes (
    id               uuid PRIMARY KEY,
    type             text NOT NULL,
    user_id          uuid NOT NULL REFERENCES users,
    source_currency  text NOT NULL REFERENCES currencies,
    target_currency  text NOT NULL REFERENCES currencies,
    source_amount    numeric(38,0) NOT NULL,
    target_amount    numeric(38,0) NOT NULL,
    rate             numeric(38,18) NOT NULL,
    commission       numeric(38,0) NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    payment_id       uuid,
    CONSTRAINT quotes_type_is_known CHECK (type IN ('exchange', 'transfer')),
    CONSTRAINT quotes_currencies_differ CHECK (source_currency <> target_currency),
    CONSTRAINT quotes_amounts_are_positive
        CHECK (source_amount > 0 AND source_amount < 1e38 AND target_amount > 0 AND target_amount < 1e38),
    CONSTRAINT quotes_rate_is_positive CHECK (rate > 0 AND rate < 1e20),
    CONSTRAINT quotes_commission_is_within_amount CHECK (commission >= 0 AND commission < source_amount),
    CONSTRAINT quotes_expire CHECK (expires_at > created_at),
    CONSTRAINT quotes_one_a_payment UNIQUE (payment_id)
);
COMMENT ON COLUMN quotes.type IS 'of the payment that may use it';
COMMENT ON COLUMN quotes.payment_id IS 'the one payment that used it';
CREATE TRIGGER quotes_are_used_once BEFORE UPDATE ON quotes FOR EACH ROW
    WHEN (OLD.payment_id IS NOT NULL
          OR (NEW.id, NEW.type, NEW.user_id, NEW.source_currency, NEW.target_currency, NEW.source_amount,
              NEW.target_amount, NEW.rate, NEW.commission, NEW.created_at, NEW.expires_at)
             IS DISTINCT FROM
             (OLD.id, OLD.type, OLD.user_id, OLD.source_currency, OLD.target_currency, OLD.source_amount,
              OLD.target_amount, OLD.rate, OLD.commission, OLD.created_at, OLD.expires_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quotes_are_never_deleted BEFORE DELETE ON quotes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER quotes_are_never_truncated BEFORE TRUNCATE ON quotes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE payments
    ADD COLUMN quote_id         uuid,
    ADD COLUMN target_amount    numeric(38,0),
    ADD COLUMN target_currency  text,
    ADD COLUMN rate             numeric(38,18),
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known
        CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange')),
    ADD CONSTRAINT payments_are_quoted_wholly
        CHECK (num_nonnulls(quote_id, target_amount, target_currency, rate) IN (0, 4)),
    ADD CONSTRAINT payments_exchanges_are_quoted CHECK (type <> 'exchange' OR quote_id IS NOT NULL),
    ADD CONSTRAINT payments_quoted_are_at_once
        CHECK (quote_id IS NULL OR (type IN ('exchange', 'transfer') AND scheduled_at IS NULL)),
    ADD CONSTRAINT payments_target_amount_is_positive CHECK (target_amount > 0 AND target_amount < 1e38),
    ADD CONSTRAINT payments_rate_is_positive CHECK (rate > 0 AND rate < 1e20);
COMMENT ON COLUMN payments.target_currency IS 'what arrives, by the quote; null: the currency of the payment';

CREATE TRIGGER payments_stay_as_quoted BEFORE UPDATE OF quote_id, target_amount, target_currency, rate ON payments
    FOR EACH ROW WHEN ((NEW.quote_id, NEW.target_amount, NEW.target_currency, NEW.rate)
                       IS DISTINCT FROM (OLD.quote_id, OLD.target_amount, OLD.target_currency, OLD.rate))
    EXECUTE FUNCTION payments_orders_are_immutable();

REVOKE ALL ON exchange_rates, quotes FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON exchange_rates, quotes TO payments_worker, payments_gateway;
GRANT INSERT (source, target, rate, spread, source_name, valid_from) ON exchange_rates TO payments_gateway;
GRANT INSERT (id, type, user_id, source_currency, target_currency, source_amount, target_amount, rate, commission,
              expires_at), UPDATE (payment_id) ON quotes TO payments_gateway;
GRANT INSERT (quote_id, target_amount, target_currency, rate) ON payments TO payments_gateway, payments_worker;
