-- The price of payments: terms by type, currency and merchant, the narrowest that apply. Append-only: a payment's
-- terms are always those in force when it was accepted.

CREATE TABLE commission_terms (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type         text NOT NULL,
    currency     text REFERENCES currencies,
    merchant_id  uuid REFERENCES users,
    percent      numeric(9,6) NOT NULL DEFAULT 0,
    fixed        numeric(38,0) NOT NULL DEFAULT 0,
    minimum      numeric(38,0) NOT NULL DEFAULT 0,
    maximum      numeric(38,0),
    valid_from   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT commission_terms_type_is_known CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge')),
    CONSTRAINT commission_terms_percent_is_bounded CHECK (percent >= 0 AND percent <= 100),
    CONSTRAINT commission_terms_fixed_is_bounded CHECK (fixed >= 0 AND fixed < 1e38),
    CONSTRAINT commission_terms_bounds_are_in_order
        CHECK (minimum >= 0 AND minimum < 1e38 AND maximum >= minimum AND maximum < 1e38),
    CONSTRAINT commission_terms_amounts_have_a_currency
        CHECK (currency IS NOT NULL OR (fixed = 0 AND minimum = 0 AND maximum IS NULL)),
    CONSTRAINT commission_terms_one_at_a_time UNIQUE NULLS NOT DISTINCT (type, currency, merchant_id, valid_from)
);
COMMENT ON COLUMN commission_terms.merchant_id IS 'who orders the payment; null: anybody';

INSERT INTO commission_terms (type, percent, valid_from)
VALUES ('transfer', 2, '1970-01-01T00:00Z'), ('charge', 2, '1970-01-01T00:00Z');

CREATE TRIGGER commission_terms_are_append_only BEFORE UPDATE OR DELETE ON commission_terms
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commission_terms_are_never_truncated BEFORE TRUNCATE ON commission_terms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The poster caches the terms for half a minute, so new ones are announced a minute ahead.
CREATE FUNCTION commission_terms_are_told_ahead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'terms are valid from a minute after they are made at the earliest'
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END
$$;
CREATE TRIGGER commission_terms_are_told_ahead BEFORE INSERT ON commission_terms
    FOR EACH ROW WHEN (NEW.valid_from < now() + interval '1 minute') EXECUTE FUNCTION commission_terms_are_told_ahead();

REVOKE ALL ON commission_terms FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION commission_terms_are_told_ahead FROM PUBLIC;
GRANT SELECT ON commission_terms TO payments_worker, payments_gateway;
GRANT INSERT (type, currency, merchant_id, percent, fixed, minimum, maximum, valid_from)
    ON commission_terms TO payments_gateway;
