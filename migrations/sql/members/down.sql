-- Users who are members alone would break the old constraint: they are history, so then there is no way back.
ALTER TABLE users
    DROP CONSTRAINT users_role_is_known,
    ADD CONSTRAINT users_role_is_known CHECK (role IN ('client', 'merchant', 'ops', 'auditor'));
DROP TRIGGER users_who_sign_up_are_customers ON users;
CREATE TRIGGER users_who_sign_up_are_customers BEFORE INSERT ON users
    FOR EACH ROW WHEN (NEW.role NOT IN ('client', 'merchant')) EXECUTE FUNCTION refuse_gateway();
DELETE FROM confirmations WHERE purpose = 'invitation';
ALTER TABLE confirmations
    DROP COLUMN invitation_id,
    DROP CONSTRAINT confirmations_purpose_is_known,
    ADD CONSTRAINT confirmations_purpose_is_known CHECK (purpose IN ('email', 'password', 'webhook'));
DROP TRIGGER tokens_act_for_their_merchant ON tokens;
-- Who acted for another must not act for themselves with the same token.
UPDATE tokens SET revoked_at = now() WHERE merchant_id IS NOT NULL AND revoked_at IS NULL;
ALTER TABLE tokens DROP COLUMN merchant_id;
DROP TRIGGER users_found_merchants ON users;
DROP TABLE makers, invitations, memberships;
DROP FUNCTION memberships_are_of_customers, memberships_keep_an_owner, users_found_merchants,
    tokens_act_for_their_merchant;
