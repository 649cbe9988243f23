-- The most that a client lets merchants take out of a wallet, and the merchants who may take nothing.

ALTER TABLE accounts ADD COLUMN is_limited boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN accounts.is_limited IS 'whether there are limits or blocked merchants; told by triggers alone';

CREATE TABLE charge_limits (
    account_id   uuid NOT NULL REFERENCES accounts,
    merchant_id  uuid REFERENCES users,
    per_charge   numeric(38,0),
    per_day      numeric(38,0),
    CONSTRAINT charge_limits_one_per_merchant UNIQUE NULLS NOT DISTINCT (account_id, merchant_id),
    CONSTRAINT charge_limits_per_charge_is_positive CHECK (per_charge > 0 AND per_charge < 1e38),
    CONSTRAINT charge_limits_per_day_is_positive CHECK (per_day > 0 AND per_day < 1e38),
    CONSTRAINT charge_limits_limit_something CHECK (num_nonnulls(per_charge, per_day) > 0)
);
COMMENT ON COLUMN charge_limits.merchant_id IS 'null: any; per_day is then what all of them take together';

CREATE TABLE blocked_merchants (
    account_id   uuid NOT NULL REFERENCES accounts,
    merchant_id  uuid NOT NULL REFERENCES users,
    PRIMARY KEY (account_id, merchant_id)
);

-- A charge that was scheduled counts on its day, however long before it was ordered.
CREATE INDEX payments_scheduled_by_source ON payments (source_id, scheduled_at)
    WHERE type = 'charge' AND scheduled_at IS NOT NULL;

-- The poster reads limits only of accounts that have some by this column.
CREATE FUNCTION accounts_tell_whether_they_are_limited() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE accounts a
    SET is_limited = EXISTS (SELECT FROM charge_limits l WHERE l.account_id = a.id)
                     OR EXISTS (SELECT FROM blocked_merchants b WHERE b.account_id = a.id)
    WHERE a.id IN (SELECT account_id FROM changed);
    RETURN NULL;
END
$$;
CREATE TRIGGER charge_limits_tell_new AFTER INSERT ON charge_limits
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION accounts_tell_whether_they_are_limited();
CREATE TRIGGER charge_limits_tell_gone AFTER DELETE ON charge_limits
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION accounts_tell_whether_they_are_limited();
CREATE TRIGGER blocked_merchants_tell_new AFTER INSERT ON blocked_merchants
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION accounts_tell_whether_they_are_limited();
CREATE TRIGGER blocked_merchants_tell_gone AFTER DELETE ON blocked_merchants
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION accounts_tell_whether_they_are_limited();

REVOKE ALL ON charge_limits, blocked_merchants FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION accounts_tell_whether_they_are_limited FROM PUBLIC;
GRANT SELECT ON charge_limits, blocked_merchants TO payments_worker, payments_gateway;
GRANT DELETE ON charge_limits, blocked_merchants TO payments_gateway;
GRANT INSERT (account_id, merchant_id, per_charge, per_day) ON charge_limits TO payments_gateway;
GRANT INSERT (account_id, merchant_id) ON blocked_merchants TO payments_gateway;
