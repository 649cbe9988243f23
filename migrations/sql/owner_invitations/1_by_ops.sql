-- Owners invite people. Ops, who state a reason, invite an owner of a merchant who has none that is active; the shell
-- does too, and nobody is named then. The gateway acts in the name of an active ops user alone.
ALTER TABLE invitations
    ALTER COLUMN invited_by DROP NOT NULL,
    ADD COLUMN reason text,
    ADD CONSTRAINT invitations_reason_is_bounded CHECK (length(reason) BETWEEN 1 AND 500),
    ADD CONSTRAINT invitations_with_a_reason_are_of_owners CHECK (reason IS NULL OR role = 'owner'),
    ADD CONSTRAINT invitations_by_nobody_have_a_reason CHECK (num_nonnulls(invited_by, reason) > 0);
COMMENT ON COLUMN invitations.invited_by IS 'null: in a shell';
COMMENT ON COLUMN invitations.reason IS 'why ops invited an owner; null: an owner invited';

CREATE FUNCTION invitations_are_of_owners_or_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (CASE WHEN NEW.reason IS NULL
                 THEN NOT EXISTS (SELECT FROM memberships WHERE merchant_id = NEW.merchant_id
                                                                AND user_id = NEW.invited_by AND role = 'owner')
             WHEN NEW.invited_by IS NULL THEN current_user = 'payments_gateway'
             ELSE NOT EXISTS (SELECT FROM users WHERE id = NEW.invited_by AND role = 'ops' AND is_active) END) THEN
        RAISE EXCEPTION '%: owners invite, or ops with a reason', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invitations_are_of_owners_or_ops BEFORE INSERT ON invitations
    FOR EACH ROW EXECUTE FUNCTION invitations_are_of_owners_or_ops();

-- Asked when it is made and when it is accepted. The merchant is locked first, so that of two that are accepted at once
-- the second sees the owner whom the first made.
CREATE FUNCTION invitations_by_ops_replace_no_owner() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM users WHERE id = NEW.merchant_id ORDER BY id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id
               WHERE m.merchant_id = NEW.merchant_id AND m.role = 'owner' AND u.is_active
                     AND m.user_id IS DISTINCT FROM NEW.accepted_by)
       OR (SELECT role FROM users WHERE id = NEW.merchant_id) IS DISTINCT FROM 'merchant' THEN
        RAISE EXCEPTION '%: the merchant has an active owner, who invites', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invitations_by_ops_replace_no_owner BEFORE INSERT ON invitations
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL) EXECUTE FUNCTION invitations_by_ops_replace_no_owner();
CREATE TRIGGER invitations_by_ops_replace_no_new_owner BEFORE UPDATE ON invitations
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL AND NEW.accepted_at IS NOT NULL)
    EXECUTE FUNCTION invitations_by_ops_replace_no_owner();

-- One person of ops alone, the shell being one, does not take a merchant over: who deactivated an owner, as the audit log
-- says, invites no other in their place.
CREATE FUNCTION invitations_by_ops_take_two_people() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM memberships m
               JOIN audit_log a ON a.target = m.user_id::text AND a.action = 'users.deactivate'
                                   AND a.actor = coalesce(NEW.invited_by::text, 'shell')
               WHERE m.merchant_id = NEW.merchant_id AND m.role = 'owner') THEN
        RAISE EXCEPTION '%: who deactivated an owner invites no other', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invitations_by_ops_take_two_people BEFORE INSERT ON invitations
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL) EXECUTE FUNCTION invitations_by_ops_take_two_people();

-- The shell asks for the mail of an invitation, and for no other: such a token gives nobody a password.
CREATE FUNCTION confirmations_by_workers_are_of_invitations() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'payments_worker' THEN
        RAISE EXCEPTION '%: the gateway asks for other mails', TG_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER confirmations_by_workers_are_of_invitations BEFORE INSERT ON confirmations
    FOR EACH ROW WHEN (NEW.invitation_id IS NULL) EXECUTE FUNCTION confirmations_by_workers_are_of_invitations();

REVOKE ALL ON FUNCTION invitations_are_of_owners_or_ops, invitations_by_ops_replace_no_owner,
    invitations_by_ops_take_two_people, confirmations_by_workers_are_of_invitations FROM PUBLIC;
GRANT INSERT (reason) ON invitations TO payments_gateway;
GRANT INSERT (id, merchant_id, email, role, reason), UPDATE (withdrawn_at) ON invitations TO payments_worker;
GRANT INSERT (id, user_id, purpose, invitation_id) ON confirmations TO payments_worker;
