-- Invitations by the shell name nobody, which the schema before forbids: they are history, so then there is no way back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM invitations WHERE invited_by IS NULL) THEN
        RAISE EXCEPTION 'owners were invited in a shell: these invitations name nobody';
    END IF;
END
$$;
REVOKE INSERT (id, user_id, purpose, invitation_id) ON confirmations FROM payments_worker;
REVOKE INSERT (id, merchant_id, email, role, reason), UPDATE (withdrawn_at) ON invitations FROM payments_worker;
DROP TRIGGER confirmations_by_workers_are_of_invitations ON confirmations;
DROP TRIGGER invitations_are_of_owners_or_ops ON invitations;
DROP TRIGGER invitations_by_ops_replace_no_owner ON invitations;
DROP TRIGGER invitations_by_ops_replace_no_new_owner ON invitations;
DROP TRIGGER invitations_by_ops_take_two_people ON invitations;
DROP FUNCTION invitations_are_of_owners_or_ops, invitations_by_ops_replace_no_owner,
    invitations_by_ops_take_two_people, confirmations_by_workers_are_of_invitations;
COMMENT ON COLUMN invitations.invited_by IS NULL;
ALTER TABLE invitations ALTER COLUMN invited_by SET NOT NULL, DROP COLUMN reason;
