"""Members of merchants, invitations, tokens that act for a merchant, and makers."""

from tests.models.constraint_attacks.statements import (
    DENIED,
    NO_BREAK,
    Attack,
    confirmation,
    gateways,
    insert,
    new_user,
    token,
)

SETUP = """
INSERT INTO invitations (id, merchant_id, email, role, invited_by, accepted_at, accepted_by) VALUES
    (gen_random_uuid(), %(shop)s, 'old@example.com', 'viewer', %(shop)s, now(), %(ann)s),
    (gen_random_uuid(), %(shop)s, 'open@example.com', 'viewer', %(shop)s, NULL, NULL);
INSERT INTO makers (subject_id, user_id) VALUES (%(shop)s, %(ann)s);
"""


def membership(**columns: str) -> str:
    """A new membership of ann with the shop, with columns of it replaced."""
    return insert("memberships", {"merchant_id": "%(shop)s", "user_id": "%(ann)s", "role": "'viewer'"} | columns)


def invitation(**columns: str) -> str:
    """A new invitation by the shop, with columns of it replaced."""
    values = {"id": "%(new)s", "merchant_id": "%(shop)s", "email": "'new@example.com'", "role": "'viewer'"}
    return insert("invitations", values | {"invited_by": "%(shop)s"} | columns)


def of_invitation(assignments: str, name: str = "open") -> str:
    """A change of an invitation: one that is open, or old, thus accepted."""
    return f"UPDATE invitations SET {assignments} WHERE email = '{name}@example.com'"


INACTIVE = "UPDATE users SET is_active = false WHERE id = %(shop)s;"
"""Now the shop has no owner who is active."""


def by_ops(**columns: str) -> str:
    """An invitation by ops, with columns of it replaced."""
    return INACTIVE + invitation(**{"role": "'owner'", "invited_by": "%(ops)s", "reason": "'x'"} | columns)


BY_SHELL = insert(
    "invitations",
    {"id": "%(new)s", "merchant_id": "%(shop)s", "email": "'new@example.com'", "role": "'owner'", "reason": "'x'"},
)

FOUNDER = "merchant_id = %(shop)s AND user_id = %(shop)s"

ATTACKS = {
    "member who signs up": Attack(new_user(role="'member'"), *[NO_BREAK] * 3),
    "member in a new role": gateways(membership(role="'boss'"), "memberships_role_is_known"),
    "member twice": gateways(membership(user_id="%(shop)s", role="'owner'"), "memberships_pkey"),
    "member of a client": gateways(membership(merchant_id="%(ann)s"), "memberships_are_of_customers"),
    "member of nobody": gateways(membership(merchant_id="%(new)s"), "memberships_are_of_customers"),
    "member from ops": gateways(membership(user_id="%(ops)s"), "memberships_are_of_customers"),
    "member who is nobody": gateways(membership(user_id="%(new)s"), "memberships_user_id_fkey"),
    "last owner removed": gateways(f"DELETE FROM memberships WHERE {FOUNDER}", "memberships_keep_an_owner"),
    "last owner made a viewer": gateways(
        f"UPDATE memberships SET role = 'viewer' WHERE {FOUNDER}", "memberships_keep_an_owner_of_each"
    ),
    "founder made a viewer": Attack(
        "INSERT INTO memberships (merchant_id, user_id, role) VALUES (%(shop)s, %(ann)s, 'owner');"
        f"UPDATE memberships SET role = 'viewer' WHERE {FOUNDER}",
        "memberships_of_founders_are_owners",
        DENIED,
        "memberships_of_founders_are_owners",
    ),
    "last owner given to another": Attack(
        f"UPDATE memberships SET user_id = %(ann)s WHERE {FOUNDER}", "memberships_keep_an_owner_of_each"
    ),
    "token for a merchant of others": gateways(token(merchant_id="%(shop)s"), "tokens_act_for_their_merchant"),
    "token for oneself as a merchant": gateways(token(merchant_id="%(ann)s"), "tokens_act_for_their_merchant"),
    "token of the founder for the founder": gateways(
        token(user_id="%(shop)s", merchant_id="%(shop)s"), "tokens_act_for_another"
    ),
    "invitation in a new role": gateways(invitation(role="'boss'"), "invitations_role_is_known"),
    "invitation of no address": gateways(invitation(email="''"), "invitations_email_is_bounded"),
    "invitation of an address that is invited": gateways(
        invitation(email="'OPEN@example.com'"), "invitations_one_of_an_address"
    ),
    "invitation by nobody": Attack(of_invitation("invited_by = %(new)s"), "invitations_invited_by_fkey"),
    "invitation by a client": gateways(invitation(invited_by="%(ann)s"), "invitations_are_of_owners_or_ops"),
    "invitation by ops without a reason": gateways(
        invitation(invited_by="%(ops)s"), "invitations_are_of_owners_or_ops"
    ),
    "invitation with a reason by an owner": gateways(by_ops(invited_by="%(shop)s"), "invitations_are_of_owners_or_ops"),
    "invitation of which nobody is the maker any more": Attack(
        of_invitation("invited_by = NULL"), "invitations_by_nobody_have_a_reason"
    ),
    "invitation of a viewer by ops": gateways(by_ops(role="'viewer'"), "invitations_with_a_reason_are_of_owners"),
    "invitation by ops for an empty reason": gateways(by_ops(reason="''"), "invitations_reason_is_bounded"),
    "invitation by ops beside an owner": gateways(
        by_ops().removeprefix(INACTIVE), "invitations_by_ops_replace_no_owner"
    ),
    "invitation by ops for a client": gateways(by_ops(merchant_id="%(ann)s"), "invitations_by_ops_replace_no_owner"),
    "invitation by the shell": Attack(INACTIVE + BY_SHELL, NO_BREAK, NO_BREAK, "invitations_are_of_owners_or_ops"),
    "invitation by who deactivated the owner": gateways(
        "INSERT INTO audit_log (actor, action, target) VALUES (%(ops)s, 'users.deactivate', %(shop)s);" + by_ops(),
        "invitations_by_ops_take_two_people",
    ),
    "invitation by ops accepted beside an owner": gateways(
        f"{by_ops()};UPDATE users SET is_active = true WHERE id = %(shop)s;"
        + of_invitation("accepted_at = now(), accepted_by = %(ann)s", "new"),
        "invitations_by_ops_replace_no_new_owner",
    ),
    "mail by a worker that gives a password": Attack(
        confirmation(purpose="'password'"), NO_BREAK, "confirmations_by_workers_are_of_invitations", NO_BREAK
    ),
    "invitation accepted by nobody": gateways(of_invitation("accepted_at = now()"), "invitations_are_accepted_wholly"),
    "invitation accepted and withdrawn": gateways(
        of_invitation("accepted_at = now(), accepted_by = %(ann)s, withdrawn_at = now()"),
        "invitations_are_accepted_or_withdrawn",
    ),
    "invitation accepted again": gateways(of_invitation("accepted_by = %(shop)s", "old"), "invitations_end_once"),
    "invitation for longer": Attack(of_invitation("expires_at = 'infinity'"), NO_BREAK),
    "DELETE FROM invitations": Attack("DELETE FROM invitations", "invitations_are_never_deleted"),
    "TRUNCATE invitations": Attack("TRUNCATE invitations CASCADE", "invitations_are_never_truncated"),
    "mail of no invitation": Attack(
        confirmation(purpose="'invitation'"),
        "confirmations_of_invitations_name_them",
        "confirmations_by_workers_are_of_invitations",
        "confirmations_of_invitations_name_them",
    ),
    "mail of an invitation that is none": Attack(
        confirmation(purpose="'invitation'", invitation_id="%(new)s"), *["confirmations_invitation_id_fkey"] * 3
    ),
    "maker twice": gateways(insert("makers", {"subject_id": "%(shop)s", "user_id": "%(ann)s"}), "makers_pkey"),
    "maker who is nobody": gateways(
        insert("makers", {"subject_id": "%(new)s", "user_id": "%(new)s"}), "makers_user_id_fkey"
    ),
    "another maker": Attack("UPDATE makers SET user_id = %(shop)s", "makers_are_append_only"),
    "DELETE FROM makers": Attack("DELETE FROM makers", "makers_are_append_only"),
    "TRUNCATE makers": Attack("TRUNCATE makers", "makers_are_never_truncated"),
}
