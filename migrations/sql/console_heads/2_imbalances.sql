-- What all balances of a currency sum to, as the auditor last saw it: zero, or money was made or lost.
CREATE TABLE imbalances (
    currency   text PRIMARY KEY REFERENCES currencies,
    amount     numeric NOT NULL,
    looked_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT imbalances_amount_is_whole CHECK (amount = trunc(amount) AND abs(amount) < 1e60)
);
COMMENT ON TABLE imbalances IS 'the sum of all balances by currency; a row that is not zero is a breach, too';

REVOKE ALL ON imbalances FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON imbalances TO payments_worker, payments_gateway;
GRANT INSERT (currency, amount), UPDATE (amount, looked_at) ON imbalances TO payments_worker;
