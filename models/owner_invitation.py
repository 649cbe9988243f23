"""Ops invite an owner of a merchant who has none that may sign in; nobody else can, and one who can needs no ops."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, invitation, membership
from models.audit import Actor
from models.invitation import INVITATIONS, Invitation
from models.membership import MemberRole
from models.records import record
from models.representations import iso
from models.user import Role, User


class OwnerProblem(StrEnum):
    """Why ops may not invite an owner now."""

    OWNER_ACTIVE = "owner_active"
    OWN_DEACTIVATION = "own_deactivation"
    OWNER_INACTIVE = "duplicate_member"
    TOO_MANY = "rate_limited"


DETAILS = {
    OwnerProblem.OWNER_ACTIVE: "An owner who may sign in invites others; deactivate who must not.",
    OwnerProblem.OWN_DEACTIVATION: "You deactivated an owner: another of ops must invite.",
    OwnerProblem.OWNER_INACTIVE: "The address is that of an owner; activate the user.",
    OwnerProblem.TOO_MANY: "The merchant, or this address, was sent too many invitations within the hour.",
}


HAS_DEACTIVATED = """
SELECT EXISTS (
    SELECT FROM memberships m JOIN audit_log a ON a.target = m.user_id::text AND a.action = 'users.deactivate'
    WHERE m.merchant_id = %s AND m.role = 'owner' AND a.actor = %s)
"""
"""Whether this person of ops, or the shell, deactivated an owner: then they must not put another in their place."""


def invite(
    connection: Connection, merchant: User, email: str, actor: Actor, reason: str
) -> Invitation | OwnerProblem | None:
    """Invite an owner by mail, for seven days; None if the user is no merchant. An open one of the address ends."""
    if merchant.role != Role.MERCHANT:
        return None
    membership.lock(connection, merchant.id, merchant.id, with_owners=True)
    if membership.has_active_owner(connection, merchant.id):
        return OwnerProblem.OWNER_ACTIVE
    if connection.exec_driver_sql(HAS_DEACTIVATED, (merchant.id, actor.name)).scalar_one():
        return OwnerProblem.OWN_DEACTIVATION
    if membership.has_member(connection, merchant.id, email, MemberRole.OWNER):
        return OwnerProblem.OWNER_INACTIVE
    if not invitation.may_send(connection, merchant.id, email):
        return OwnerProblem.TOO_MANY
    id = str(uuid7())
    replaced = invitation.send(connection, id, merchant.id, email, MemberRole.OWNER, actor.user_id, reason)
    after = {"invitation": id, "email": email} | ({"replaces": replaced} if replaced else {})
    audit.note(connection, actor, "merchants.invite_owner", merchant.id, reason, after=after)
    return invitation.find(connection, merchant.id, id)


def withdraw(connection: Connection, id: str, actor: Actor, reason: str) -> Invitation | None:
    """End an open invitation that ops made, whose token is then invalid; None if it is none."""
    rows = connection.exec_driver_sql(f"{INVITATIONS} WHERE id = %s AND reason IS NOT NULL", (id,))
    offered = record(Invitation, rows)
    if offered is None or not invitation.withdraw(connection, offered.merchant_id, id):
        return None
    after = {"invitation": id, "email": offered.email}
    audit.note(connection, actor, "merchants.withdraw_owner", offered.merchant_id, reason, after=after)
    return invitation.find(connection, offered.merchant_id, id)


def body(offered: Invitation) -> dict[str, Any]:
    """The JSON of an invitation, for ops."""
    return {
        "id": offered.id,
        "merchant": offered.merchant_id,
        "email": offered.email,
        "role": offered.role,
        "state": invitation.state(offered),
        "is_by_ops": offered.reason is not None,
        "reason": offered.reason,
        **{name: getattr(offered, name) for name in ("invited_by", "accepted_by")},
        **{name: iso(getattr(offered, name)) for name in ("created_at", "expires_at")},
    }
