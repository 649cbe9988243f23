"""POST /v1/ops/users/{id}/invitations, /v1/ops/invitations/{id}/withdraw: owners for merchants who have none left."""

from flask import request

import bell
import celery_config
from gateway.auth.guards import actor, requires
from gateway.auth.rate_limit import too_many
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, not_found
from gateway.http.found import found, path_id
from gateway.ops.action_schemas import ActionInput
from gateway.ops.user_schemas import OwnerInvitationInput, OwnerInvitationSchema
from gateway.services import services
from models import owner_invitation, user
from models.owner_invitation import DETAILS, OwnerProblem
from models.session import transaction

owner_invitations = Blueprint(
    "owner_invitations", __name__, url_prefix="/v1/ops", description="Owners for merchants who have none left."
)

RETRY_SECONDS = 3600


@owner_invitations.route("/users/<id>/invitations", methods=["POST"])
@requires("ops:users", second_factor=True)
@owner_invitations.arguments(OwnerInvitationInput)
@owner_invitations.response(201, OwnerInvitationSchema)
def invite_owner(body: Body, id: str) -> JsonAnswer:
    """Invite an owner of a merchant by e-mail, for seven days; refused while an owner may sign in.

    Make sure first who asks. A member of the merchant becomes an owner when they accept. A merchant who was deactivated
    with the founding user stays so until you activate it, after the new owner accepted.
    """
    with transaction(services().engine) as connection:
        merchant = found(user.by_id(connection, path_id(id)))
        offered = owner_invitation.invite(connection, merchant, body["email"], actor(), body["reason"])
    if offered is OwnerProblem.TOO_MANY:
        raise too_many(RETRY_SECONDS)
    if isinstance(offered, OwnerProblem):
        raise ApiError(offered.value, DETAILS[offered])
    if offered is None:
        raise not_found()
    bell.ring(request.environ[REQUEST_ID], celery_config.MAIL)
    return owner_invitation.body(offered), {}


@owner_invitations.route("/invitations/<id>/withdraw", methods=["POST"])
@requires("ops:users", second_factor=True)
@owner_invitations.arguments(ActionInput)
@owner_invitations.response(200, OwnerInvitationSchema)
def withdraw_owner(body: Body, id: str) -> JsonAnswer:
    """Withdraw an open invitation that ops made: its token is invalid at once."""
    with transaction(services().engine) as connection:
        withdrawn = owner_invitation.withdraw(connection, path_id(id), actor(), body["reason"])
    if withdrawn is None:
        raise not_found()
    return owner_invitation.body(withdrawn), {}
