-- Several people act for a merchant, each as a user of their own; their role narrows what they may do.

ALTER TABLE users
    DROP CONSTRAINT users_role_is_known,
    ADD CONSTRAINT users_role_is_known CHECK (role IN ('client', 'merchant', 'ops', 'auditor', 'member'));
DROP TRIGGER users_who_sign_up_are_customers ON users;
CREATE TRIGGER users_who_sign_up_are_customers BEFORE INSERT ON users
    FOR EACH ROW WHEN (NEW.role NOT IN ('client', 'merchant', 'member')) EXECUTE FUNCTION refuse_gateway();

CREATE TABLE memberships (
    merchant_id  uuid NOT NULL REFERENCES users,
    user_id      uuid NOT NULL REFERENCES users,
    role         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (merchant_id, user_id),
    CONSTRAINT memberships_role_is_known CHECK (role IN ('owner', 'operator', 'viewer')),
    CONSTRAINT memberships_of_founders_are_owners CHECK (merchant_id <> user_id OR role = 'owner')
);
CREATE INDEX memberships_by_user ON memberships (user_id, created_at);
COMMENT ON TABLE memberships IS 'who may act for a merchant; the user who signed up as the merchant is its first owner';

CREATE FUNCTION memberships_are_of_customers() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (SELECT role FROM users WHERE id = NEW.merchant_id) IS DISTINCT FROM 'merchant'
       OR (SELECT role FROM users WHERE id = NEW.user_id) NOT IN ('client', 'merchant', 'member') THEN
        RAISE EXCEPTION '%: customers act for merchants', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER memberships_are_of_customers BEFORE INSERT OR UPDATE OF merchant_id, user_id ON memberships
    FOR EACH ROW EXECUTE FUNCTION memberships_are_of_customers();

-- The merchant is locked first, so that two owners who remove each other wait, and the second sees what the first did.
CREATE FUNCTION memberships_keep_an_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = OLD.merchant_id ORDER BY id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM memberships
                   WHERE merchant_id = OLD.merchant_id AND user_id <> OLD.user_id AND role = 'owner') THEN
        RAISE EXCEPTION '%: the merchant would have no owner', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE TRIGGER memberships_keep_an_owner BEFORE DELETE ON memberships
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION memberships_keep_an_owner();
CREATE TRIGGER memberships_keep_an_owner_of_each BEFORE UPDATE ON memberships
    FOR EACH ROW WHEN (OLD.role = 'owner'
                       AND (NEW.role, NEW.merchant_id, NEW.user_id) IS DISTINCT FROM ('owner', OLD.merchant_id, OLD.user_id))
    EXECUTE FUNCTION memberships_keep_an_owner();

CREATE FUNCTION users_found_merchants() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO memberships (merchant_id, user_id, role) VALUES (NEW.id, NEW.id, 'owner');
    RETURN NULL;
END
$$;
CREATE TRIGGER users_found_merchants AFTER INSERT ON users
    FOR EACH ROW WHEN (NEW.role = 'merchant') EXECUTE FUNCTION users_found_merchants();
INSERT INTO memberships (merchant_id, user_id, role, created_at)
    SELECT id, id, 'owner', created_at FROM users WHERE role = 'merchant';

-- A token acts for the merchant that it names, else for its user. Without a membership there is no new one; the user is
-- locked, as removal does too, so that one waits for the other: the second sees what the first did.
ALTER TABLE tokens
    ADD COLUMN merchant_id uuid REFERENCES users,
    ADD CONSTRAINT tokens_act_for_another CHECK (merchant_id <> user_id);
COMMENT ON COLUMN tokens.merchant_id IS 'the merchant whom its user acts for; null: for themselves';
CREATE FUNCTION tokens_act_for_their_merchant() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.merchant_id IS NULL AND (SELECT role FROM users WHERE id = NEW.user_id) <> 'merchant' THEN
        RETURN NEW;
    END IF;
    PERFORM FROM users WHERE id = NEW.user_id ORDER BY id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM memberships
                   WHERE merchant_id = coalesce(NEW.merchant_id, NEW.user_id) AND user_id = NEW.user_id) THEN
        RAISE EXCEPTION '%: its user does not act for the merchant', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER tokens_act_for_their_merchant BEFORE INSERT ON tokens
    FOR EACH ROW EXECUTE FUNCTION tokens_act_for_their_merchant();

-- Who ordered what in a merchant's name; without a row it was the merchant's own user.
CREATE TABLE makers (
    subject_id  uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN makers.subject_id IS 'a payment or a bulk';
CREATE TRIGGER makers_are_append_only BEFORE UPDATE OR DELETE ON makers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER makers_are_never_truncated BEFORE TRUNCATE ON makers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
