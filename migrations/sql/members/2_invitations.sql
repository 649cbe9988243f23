-- An invitation to act for a merchant: a worker mails its token, as it does for confirmations.

CREATE TABLE invitations (
    id            uuid PRIMARY KEY,
    merchant_id   uuid NOT NULL REFERENCES users,
    email         text NOT NULL,
    role          text NOT NULL,
    invited_by    uuid NOT NULL REFERENCES users,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL DEFAULT now() + interval '7 days',
    accepted_at   timestamptz,
    accepted_by   uuid REFERENCES users,
    withdrawn_at  timestamptz,
    CONSTRAINT invitations_role_is_known CHECK (role IN ('owner', 'operator', 'viewer')),
    CONSTRAINT invitations_email_is_bounded CHECK (length(email) BETWEEN 3 AND 254),
    CONSTRAINT invitations_are_accepted_wholly CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CONSTRAINT invitations_are_accepted_or_withdrawn CHECK (accepted_at IS NULL OR withdrawn_at IS NULL)
);
CREATE UNIQUE INDEX invitations_one_of_an_address ON invitations (merchant_id, lower(email))
    WHERE accepted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX invitations_by_merchant ON invitations (merchant_id, id);
CREATE TRIGGER invitations_end_once BEFORE UPDATE ON invitations
    FOR EACH ROW WHEN (OLD.accepted_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invitations_are_never_deleted BEFORE DELETE ON invitations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invitations_are_never_truncated BEFORE TRUNCATE ON invitations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE confirmations
    ADD COLUMN invitation_id uuid REFERENCES invitations,
    DROP CONSTRAINT confirmations_purpose_is_known,
    ADD CONSTRAINT confirmations_purpose_is_known CHECK (purpose IN ('email', 'password', 'webhook', 'invitation')),
    ADD CONSTRAINT confirmations_of_invitations_name_them CHECK ((purpose = 'invitation') = (invitation_id IS NOT NULL));
COMMENT ON COLUMN confirmations.invitation_id IS 'its address gets the mail, not that of the user, who is the merchant';

REVOKE ALL ON memberships, invitations, makers FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION memberships_are_of_customers, memberships_keep_an_owner, users_found_merchants,
    tokens_act_for_their_merchant FROM PUBLIC;
GRANT SELECT ON memberships, invitations, makers TO payments_worker, payments_gateway;
GRANT INSERT (merchant_id, user_id, role), UPDATE (role), DELETE ON memberships TO payments_gateway;
GRANT INSERT (id, merchant_id, email, role, invited_by), UPDATE (accepted_at, accepted_by, withdrawn_at)
    ON invitations TO payments_gateway;
GRANT INSERT (subject_id, user_id) ON makers TO payments_gateway;
GRANT INSERT (merchant_id) ON tokens TO payments_gateway;
GRANT INSERT (invitation_id) ON confirmations TO payments_gateway;
