"""/v1/members and /v1/memberships: who acts for a merchant, and for whom one acts."""

from flask import Response, g

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, no_content
from gateway.http.errors import ApiError
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.identity.member_schemas import MemberChange, MemberSchema, MembershipSchema
from gateway.lists.pagination import only_page, paginated
from gateway.services import services
from models import audit, membership
from models.membership import Member, MemberRole, Membership
from models.session import Connection, statements, transaction

members = Blueprint(
    "members", __name__, url_prefix="/v1", description="The people who act for a merchant, each as a user of their own."
)


@members.route("/members")
@requires("members:read")
@members.arguments(PageQuery, location="query")
@members.response(200, page_of(MemberSchema))
def list_members(query: Body) -> JsonAnswer:
    """List who acts for the merchant; the newest users first."""
    return paginated(query, membership.page, member_body, merchant_id=g.caller.id)


@members.route("/members/<id>", methods=["PATCH"])
@requires("members:write")
@members.arguments(MemberChange)
@members.response(200, MemberSchema)
def change_member(body: Body, id: str) -> JsonAnswer:
    """Give a member another role; at once their sessions and keys may do what it allows, and no more."""
    with transaction(services().engine) as connection:
        member = _member(connection, id)
        if body["role"] != member.role:
            if id == g.caller.id:
                raise ApiError("founder_is_owner", "The user who signed up as the merchant can only be removed.")
            _refuse_last_owner(connection, member)
            membership.change_role(connection, g.caller.id, id, body["role"])
            before, after = {"role": member.role}, {"role": body["role"], "merchant": g.caller.id}
            audit.note(connection, actor(), "members.change", id, before=before, after=after)
        changed = _member(connection, id)
    services().tokens.forget_everywhere(id)
    return member_body(changed), {}


@members.route("/members/<id>", methods=["DELETE"])
@requires("members:write")
@members.response(204)
def remove_member(id: str) -> Response:
    """Remove a member, or yourself: their sessions and keys for the merchant end at once. One owner must remain."""
    with transaction(services().engine) as connection:
        member = _member(connection, id)
        _refuse_last_owner(connection, member)
        ended = membership.remove(connection, g.caller.id, id)
        before, after = {"role": member.role}, {"merchant": g.caller.id, "ended": ended}
        audit.note(connection, actor(), "members.remove", id, before=before, after=after)
    services().tokens.forget_everywhere(id)
    return no_content()


@members.route("/memberships")
@requires("me:read")
@members.response(200, page_of(MembershipSchema))
def list_memberships() -> JsonAnswer:
    """List the merchants whom you may act for, the first of your memberships first; sign in with one as `merchant`."""
    with statements(services().engine) as connection:
        rows = membership.of_user(connection, g.caller.person_id)
    return only_page(map(_membership_body, rows))


def _member(connection: Connection, id: str) -> Member:
    """The member of the caller's merchant, both locked; raises ApiError not_found."""
    membership.lock(connection, g.caller.id, path_id(id))
    return found(membership.find(connection, g.caller.id, id))


def _refuse_last_owner(connection: Connection, member: Member) -> None:
    if member.role == MemberRole.OWNER and membership.is_last_owner(connection, g.caller.id, member.id):
        raise ApiError("last_owner", "Make another member an owner first.")


def member_body(member: Member) -> Body:
    """The member, as shown to members of the same merchant."""
    return {
        **member._asdict(),
        "is_you": member.id == g.caller.person_id,
        "created_at": member.created_at.isoformat(),
    }


def _membership_body(row: Membership) -> Body:
    return {**row._asdict(), "created_at": row.created_at.isoformat()}
