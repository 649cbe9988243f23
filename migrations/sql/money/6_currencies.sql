-- Currencies that ops add and change at run time, withdrawals, and wallets with a new token.

ALTER TABLE currencies
    ADD COLUMN balance_maximum  numeric(38,0),
    ADD COLUMN version          integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT currencies_name_is_bounded CHECK (length(name) BETWEEN 1 AND 100),
    ADD CONSTRAINT currencies_balance_maximum_is_bounded CHECK (balance_maximum >= 1 AND balance_maximum < 1e38);
COMMENT ON COLUMN currencies.balance_maximum IS 'the ceiling of wallets that are opened from now on; null: none';

-- Fiat currencies are seeded; the gateway cannot add one.
CREATE TRIGGER currencies_of_states_are_not_the_gateways BEFORE INSERT ON currencies
    FOR EACH ROW WHEN (NEW.kind = 'fiat') EXECUTE FUNCTION refuse_gateway();

CREATE FUNCTION accounts_get_their_ceiling() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    NEW.ceiling := (SELECT balance_maximum FROM currencies WHERE code = NEW.currency);
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_get_their_ceiling BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL AND NEW.ceiling IS NULL) EXECUTE FUNCTION accounts_get_their_ceiling();

-- A user who ordered with an older token does not see the new one; a minute late, for orders under way.
ALTER TABLE accounts ADD COLUMN token_since timestamptz;
COMMENT ON COLUMN accounts.token_since IS 'payments from before then named an older token; null: there was none';
CREATE FUNCTION accounts_tell_a_new_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.token_since := clock_timestamp() + interval '1 minute';
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_tell_a_new_token BEFORE UPDATE OF token ON accounts
    FOR EACH ROW WHEN (NEW.token <> OLD.token) EXECUTE FUNCTION accounts_tell_a_new_token();

ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known
        CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund'));

REVOKE ALL ON FUNCTION accounts_get_their_ceiling, accounts_tell_a_new_token FROM PUBLIC;
GRANT INSERT (code, digits, kind, name, minimum, maximum, balance_maximum),
      UPDATE (name, minimum, maximum, balance_maximum, is_active, version)
    ON currencies TO payments_gateway;
GRANT UPDATE (token) ON accounts TO payments_gateway;
