"""/v1/invitations: a merchant's owners invite people by e-mail, who accept with the token of the mail."""

from flask import Response, g, request
from uuid_utils import uuid7

import bell
import celery_config
from gateway.auth.guards import actor, public, requires
from gateway.auth.rate_limit import per_address, too_many
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import ApiError, invalid, not_found
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.identity import passwords
from gateway.identity.fields import refuse_weak
from gateway.identity.member_schemas import (
    AcceptanceInput,
    AcceptedInvitationSchema,
    InvitationInput,
)
from gateway.identity.schemas import InvitationSchema
from gateway.lists.pagination import paginated
from gateway.services import services
from models import audit, invitation, membership, owner_invitation, user
from models import token as tokens
from models.invitation import Invitation
from models.session import Connection, Contention, transaction
from models.user import NAME_LENGTH_MAX, NewUser, Role, User

invitations = Blueprint(
    "invitations", __name__, url_prefix="/v1/invitations", description="Inviting people to act for a merchant."
)

NEW_USER_FIELDS = ("password", "first_name", "last_name")
RETRY_SECONDS = 3600


@invitations.route("")
@requires("members:read")
@invitations.arguments(PageQuery, location="query")
@invitations.response(200, page_of(InvitationSchema))
def list_invitations(query: Body) -> JsonAnswer:
    """List invitations, newest first."""
    return paginated(query, invitation.page, invitation_body, merchant_id=g.caller.id)


@invitations.route("", methods=["POST"])
@requires("members:write")
@invitations.arguments(InvitationInput)
@invitations.response(201, InvitationSchema)
def create_invitation(body: Body) -> JsonAnswer:
    """Invite someone by e-mail, for seven days; an open invitation of the same address ends, and its token with it."""
    id, email, role = str(uuid7()), body["email"], body["role"]
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        if membership.has_member(connection, g.caller.id, email):
            raise ApiError("duplicate_member", "Change the role of the member instead.")
        if not invitation.may_send(connection, g.caller.id, email):
            raise too_many(RETRY_SECONDS)
        replaced = invitation.send(connection, id, g.caller.id, email, role, g.caller.person_id)
        after = {"email": email, "role": role, "merchant": g.caller.id} | ({"replaces": replaced} if replaced else {})
        audit.note(connection, actor(), "invitations.create", id, after=after)
        created = found(invitation.find(connection, g.caller.id, id))
    bell.ring(request.environ[REQUEST_ID], celery_config.MAIL)
    return invitation_body(created), {}


@invitations.route("/<id>", methods=["DELETE"])
@requires("members:write")
@invitations.response(204)
def withdraw_invitation(id: str) -> Response:
    """Withdraw an open invitation: its token is invalid at once."""
    with transaction(services().engine) as connection:
        if not invitation.withdraw(connection, g.caller.id, path_id(id)):
            raise not_found()
        audit.note(connection, actor(), "invitations.withdraw", id, after={"merchant": g.caller.id})
    return no_content()


@invitations.route("/accept", methods=["POST"])
@public
@per_address("confirm")
@invitations.arguments(AcceptanceInput)
@invitations.response(201, AcceptedInvitationSchema)
def accept_invitation(body: Body) -> JsonAnswer:
    """Accept an invitation with the token of its mail, once: you act for the merchant from your next sign-in.

    An address without a user needs names and a password too, and gets a user, whose address is confirmed. A user who
    never confirmed it is refused with 409: the person who signed up need not own it; a new password confirms it. A
    member whom the operator invites becomes an owner, unless the merchant has an active one by now.
    """
    hash = tokens.hash_of(body["token"])
    hashed = passwords.hash(body["password"]) if "password" in body else None
    with transaction(services().engine) as connection:
        offered, owner = _locked(connection, hash)
        is_new = owner is None
        if owner is None:
            owner = _new_user(connection, offered, body, hashed)
        _refuse(owner)
        _join(connection, offered, owner)
        invitation.accept(connection, offered.id, owner.id, hash)
        after = {"merchant": offered.merchant_id, "role": offered.role, "invitation": offered.id}
        audit.note(connection, actor(owner.id), "members.join", owner.id, after=after)
        merchant = found(user.by_id(connection, offered.merchant_id))
    return {
        "merchant": merchant.id,
        "merchant_name": merchant.name,
        "user": owner.id,
        "email": owner.email,
        "role": offered.role,
        "is_new_user": is_new,
    }, {}


def _locked(connection: Connection, hash: bytes) -> tuple[Invitation, User | None]:
    """The open invitation of the token and the user of its address, merchant and user locked; raises ApiError."""
    offered = _offered(connection, hash)
    owner = user.by_email(connection, offered.email)
    id, is_by_ops = owner.id if owner else offered.merchant_id, offered.reason is not None
    membership.lock(connection, offered.merchant_id, id, with_owners=is_by_ops)
    if is_by_ops and membership.has_active_owner(connection, offered.merchant_id):
        raise ApiError("owner_active", "An owner may sign in again: ask them to invite you.")
    return _offered(connection, hash), user.by_email(connection, offered.email)


def _offered(connection: Connection, hash: bytes) -> Invitation:
    offered = invitation.by_token(connection, hash)
    if offered is None:
        raise invalid([("/token", "invitation_invalid", "The token is unknown, expired, used or withdrawn.")])
    return offered


def _new_user(connection: Connection, offered: Invitation, body: Body, hashed: str | None) -> User:
    """A new user of the invited address; raises ApiError."""
    missing = [name for name in NEW_USER_FIELDS if name not in body]
    if missing or hashed is None:
        raise invalid([(f"/{name}", "required", "Nobody has this address yet.") for name in missing])
    refuse_weak(body["password"], offered.email)
    first, last = body["first_name"], body["last_name"]
    name = f"{first} {last}"[:NAME_LENGTH_MAX]
    new = NewUser(str(uuid7()), offered.email, Role.MEMBER, name, first, last, None, None, hashed)
    if not user.sign_up(connection, new):
        raise Contention
    user.confirm_email(connection, new.id)
    audit.note(connection, actor(new.id), "users.sign_up", new.id, after={"role": new.role, "email": new.email})
    return found(user.by_id(connection, new.id))


def _join(connection: Connection, offered: Invitation, person: User) -> None:
    """Make the person a member, or a member an owner whom the operator invited; raises ApiError."""
    if membership.add(connection, offered.merchant_id, person.id, offered.role):
        return
    if offered.reason is None:
        raise ApiError("duplicate_member", "You act for the merchant already.")
    membership.change_role(connection, offered.merchant_id, person.id, offered.role)


def _refuse(owner: User) -> None:
    """Refuse users who cannot act for a merchant; raises ApiError."""
    if not owner.is_active:
        raise ApiError("user_inactive", "This user has been deactivated.")
    if not owner.is_confirmed:
        raise ApiError("user_unconfirmed", "Set a new password first: POST /v1/password-resets.")
    if owner.role in (Role.OPS, Role.AUDITOR):
        raise invalid([("/token", "invitation_invalid", "The operator's users cannot act for merchants.")])


def invitation_body(offered: Invitation) -> Body:
    """The invitation, as shown to members of its merchant: who of ops invited, and why, is not theirs to see."""
    body = owner_invitation.body(offered)
    del body["merchant"], body["reason"]
    return {**body, "invited_by": None} if body["is_by_ops"] else body
