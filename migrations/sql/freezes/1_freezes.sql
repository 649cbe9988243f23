-- Ops freeze a wallet, or a user and so all wallets of theirs, also those opened later, until they are thawed.

CREATE TABLE freezes (
    id           uuid PRIMARY KEY,
    account_id   uuid REFERENCES accounts,
    user_id      uuid REFERENCES users,
    reason       text NOT NULL,
    frozen_by    uuid REFERENCES users,
    frozen_at    timestamptz NOT NULL DEFAULT now(),
    thaw_reason  text,
    thawed_by    uuid REFERENCES users,
    thawed_at    timestamptz,
    CONSTRAINT freezes_name_one_thing CHECK (num_nonnulls(account_id, user_id) = 1),
    CONSTRAINT freezes_reasons_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(thaw_reason) BETWEEN 1 AND 500),
    CONSTRAINT freezes_are_thawed_wholly
        CHECK (num_nonnulls(thaw_reason, thawed_at) IN (0, 2) AND (thawed_by IS NULL OR thawed_at IS NOT NULL))
);
CREATE UNIQUE INDEX freezes_one_of_an_account ON freezes (account_id) WHERE thawed_at IS NULL;
CREATE UNIQUE INDEX freezes_one_of_a_user ON freezes (user_id) WHERE thawed_at IS NULL;
CREATE INDEX freezes_by_account ON freezes (account_id, id);
CREATE INDEX freezes_by_user ON freezes (user_id, id);
COMMENT ON COLUMN freezes.frozen_by IS 'null: the operator, in a shell; so is thawed_by';

CREATE TRIGGER freezes_are_thawed_once BEFORE UPDATE ON freezes FOR EACH ROW
    WHEN (OLD.thawed_at IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.user_id, NEW.reason, NEW.frozen_by, NEW.frozen_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.user_id, OLD.reason, OLD.frozen_by, OLD.frozen_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER freezes_are_never_deleted BEFORE DELETE ON freezes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER freezes_are_never_truncated BEFORE TRUNCATE ON freezes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The gateway freezes and thaws in the name of an active ops user alone; what is frozen belongs to a customer.
CREATE FUNCTION freezes_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    acting uuid := CASE WHEN TG_OP = 'INSERT' THEN NEW.frozen_by ELSE NEW.thawed_by END;
BEGIN
    IF (CASE WHEN acting IS NULL THEN current_user = 'payments_gateway'
            ELSE NOT EXISTS (SELECT FROM users WHERE id = acting AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION 'only ops freeze and thaw'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF EXISTS (SELECT FROM accounts WHERE id = NEW.account_id AND owner_id IS NULL) THEN
        RAISE EXCEPTION 'account % is technical', NEW.account_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'freezes_are_of_customers';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER freezes_are_of_ops BEFORE INSERT OR UPDATE ON freezes
    FOR EACH ROW EXECUTE FUNCTION freezes_are_of_ops();

-- accounts.is_frozen is written here alone, under the locks that posting takes: a payment is decided before or after.
CREATE FUNCTION accounts_tell_whether_they_are_frozen() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = NEW.user_id ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM accounts WHERE id = NEW.account_id OR owner_id = NEW.user_id ORDER BY id FOR NO KEY UPDATE;
    UPDATE accounts a SET is_frozen = NOT a.is_frozen, version = a.version + 1
    WHERE (a.id = NEW.account_id OR a.owner_id = NEW.user_id)
      AND a.is_frozen <> EXISTS (SELECT FROM freezes f
                                 WHERE f.thawed_at IS NULL AND (f.account_id = a.id OR f.user_id = a.owner_id));
    RETURN NULL;
END
$$;
CREATE TRIGGER freezes_reach_accounts AFTER INSERT OR UPDATE ON freezes
    FOR EACH ROW EXECUTE FUNCTION accounts_tell_whether_they_are_frozen();

-- A wallet that a frozen user opens is frozen; the user's lock decides which of the two came first.
CREATE FUNCTION accounts_open_frozen_with_their_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = NEW.owner_id ORDER BY id FOR NO KEY UPDATE;
    NEW.is_frozen := NEW.is_frozen OR EXISTS (SELECT FROM freezes WHERE user_id = NEW.owner_id AND thawed_at IS NULL);
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_open_frozen_with_their_owner BEFORE INSERT ON accounts
    FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL) EXECUTE FUNCTION accounts_open_frozen_with_their_owner();

-- What was frozen before freezes were recorded can be thawed too.
INSERT INTO freezes (id, account_id, reason)
SELECT gen_random_uuid(), id, 'Frozen before freezes were recorded' FROM accounts
WHERE is_frozen AND owner_id IS NOT NULL;

REVOKE ALL ON freezes FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION freezes_are_of_ops, accounts_tell_whether_they_are_frozen,
    accounts_open_frozen_with_their_owner FROM PUBLIC;
GRANT SELECT ON freezes TO payments_worker, payments_gateway;
GRANT INSERT (id, account_id, user_id, reason, frozen_by), UPDATE (thaw_reason, thawed_by, thawed_at)
    ON freezes TO payments_worker, payments_gateway;
