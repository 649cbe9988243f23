-- Changes that even a compromised gateway cannot make.

CREATE FUNCTION refuse_gateway() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'payments_gateway' THEN
        RAISE EXCEPTION '%: refused to the gateway', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- Only customers sign up.
CREATE TRIGGER users_who_sign_up_are_customers BEFORE INSERT ON users
    FOR EACH ROW WHEN (NEW.role NOT IN ('client', 'merchant')) EXECUTE FUNCTION refuse_gateway();

-- Only the operator grants the right to deposit money from outside.
CREATE FUNCTION tokens_deposits_are_the_operators() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'payments_gateway' AND (SELECT role FROM users WHERE id = NEW.user_id) <> 'ops' THEN
        RAISE EXCEPTION '%: refused to the gateway', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER tokens_deposits_are_the_operators BEFORE INSERT ON tokens FOR EACH ROW
    WHEN ('deposits:write' = ANY (NEW.scopes)) EXECUTE FUNCTION tokens_deposits_are_the_operators();

-- Technical accounts cannot be labelled or closed.
CREATE TRIGGER accounts_of_ours_are_not_the_gateways BEFORE UPDATE OF label, is_active, version ON accounts
    FOR EACH ROW WHEN (OLD.owner_id IS NULL) EXECUTE FUNCTION refuse_gateway();

-- Payments of the operator's own money are ordered by workers.
CREATE TRIGGER payments_of_the_house_are_the_workers BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.type = 'bonus') EXECUTE FUNCTION refuse_gateway();

-- An ended token stays ended and no lifetime is extended; a used confirmation stays used, a decided command decided.
CREATE TRIGGER tokens_stay_revoked BEFORE UPDATE ON tokens FOR EACH ROW
    WHEN (coalesce(NEW.expires_at, 'infinity') > coalesce(OLD.expires_at, 'infinity')
          OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
          OR (OLD.replaced_by IS NOT NULL AND (NEW.replaced_by IS DISTINCT FROM OLD.replaced_by
                                               OR NEW.expires_at IS DISTINCT FROM OLD.expires_at)))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER confirmations_are_used_once BEFORE UPDATE ON confirmations FOR EACH ROW
    WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commands_are_decided_once BEFORE UPDATE ON commands FOR EACH ROW
    WHEN (OLD.decided_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commands_are_never_deleted BEFORE DELETE ON commands
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commands_are_never_truncated BEFORE TRUNCATE ON commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
