-- What a merchant's wallet took in, summed up behind the posters: of its operations up to account_seq, by the quarter
-- of an hour. A day of any time zone in use begins with one. What is left is read from the operations themselves.
CREATE TABLE merchant_sum_positions (
    account_id   uuid PRIMARY KEY REFERENCES accounts,
    account_seq  bigint NOT NULL DEFAULT 0,
    CONSTRAINT merchant_sum_positions_are_not_negative CHECK (account_seq >= 0)
);
COMMENT ON TABLE merchant_sum_positions IS 'wallets of merchants, and how far their operations are summed up';

CREATE TABLE merchant_sums (
    account_id  uuid NOT NULL REFERENCES merchant_sum_positions,
    quarter     timestamptz NOT NULL,
    gross       numeric(38,0) NOT NULL,
    commission  numeric(38,0) NOT NULL,
    refunds     numeric(38,0) NOT NULL,
    PRIMARY KEY (account_id, quarter),
    CONSTRAINT merchant_sums_are_of_quarters
        CHECK (quarter = date_bin('15 minutes', quarter, '2000-01-01T00:00:00Z')),
    CONSTRAINT merchant_sums_are_not_negative CHECK (gross >= 0 AND refunds >= 0)
);
COMMENT ON COLUMN merchant_sums.commission IS 'taken less given back: below zero where only refunds were';

-- Every wallet of a merchant has a position, from its first moment.
CREATE FUNCTION accounts_of_merchants_are_summed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO merchant_sum_positions (account_id)
    SELECT NEW.id FROM users WHERE id = NEW.owner_id AND role = 'merchant';
    RETURN NULL;
END
$$;
CREATE TRIGGER accounts_of_merchants_are_summed AFTER INSERT ON accounts
    FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL) EXECUTE FUNCTION accounts_of_merchants_are_summed();
INSERT INTO merchant_sum_positions (account_id)
SELECT a.id FROM accounts a JOIN users u ON u.id = a.owner_id WHERE u.role = 'merchant';

-- No operation is summed twice, or before it is posted.
CREATE FUNCTION merchant_sum_positions_follow_operations() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.account_id <> OLD.account_id OR NEW.account_seq < OLD.account_seq
       OR NEW.account_seq > (SELECT last_seq FROM accounts WHERE id = NEW.account_id) THEN
        RAISE EXCEPTION 'the sums of account % do not go from % to %', OLD.account_id, OLD.account_seq, NEW.account_seq
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER merchant_sum_positions_follow_operations BEFORE UPDATE ON merchant_sum_positions
    FOR EACH ROW EXECUTE FUNCTION merchant_sum_positions_follow_operations();
CREATE TRIGGER merchant_sum_positions_are_never_deleted BEFORE DELETE ON merchant_sum_positions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER merchant_sum_positions_are_never_truncated BEFORE TRUNCATE ON merchant_sum_positions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER merchant_sums_only_grow BEFORE UPDATE ON merchant_sums FOR EACH ROW
    WHEN (NEW.account_id <> OLD.account_id OR NEW.quarter <> OLD.quarter OR NEW.gross < OLD.gross OR NEW.refunds < OLD.refunds)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER merchant_sums_are_never_deleted BEFORE DELETE ON merchant_sums
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER merchant_sums_are_never_truncated BEFORE TRUNCATE ON merchant_sums
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON merchant_sum_positions, merchant_sums FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION accounts_of_merchants_are_summed, merchant_sum_positions_follow_operations FROM PUBLIC;
GRANT SELECT ON merchant_sum_positions, merchant_sums TO payments_worker, payments_gateway;
GRANT UPDATE (account_seq) ON merchant_sum_positions TO payments_worker;
GRANT INSERT (account_id, quarter, gross, commission, refunds), UPDATE (gross, commission, refunds) ON merchant_sums
    TO payments_worker;
