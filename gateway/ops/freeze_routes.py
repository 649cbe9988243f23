"""GET and POST /v1/ops/freezes, and POST /{id}/thaw: freezing wallets, and users with all their wallets."""

from flask import Response

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, JsonResponse, encode
from gateway.http.errors import invalid
from gateway.http.found import found, path_id
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.pause_schemas import FreezeInput, FreezeQuery, FreezeSchema, ThawInput
from gateway.services import services
from models import account, freeze, user
from models.freeze import FreezeTarget
from models.session import Connection, transaction

freezes = Blueprint(
    "freezes",
    __name__,
    url_prefix="/v1/ops/freezes",
    description="Wallets and users from and to whose wallets nothing is posted.",
)


@freezes.route("")
@requires("ops:read")
@freezes.arguments(FreezeQuery, location="query")
@freezes.response(200, page_of(FreezeSchema))
def list_freezes(query: Body) -> JsonAnswer:
    """List freezes and how they were thawed, newest first; those of a wallet do not include those of its owner."""
    filters = {"account_id": query.get("account"), "user_id": query.get("user"), "is_open": query.get("in_force")}
    return paginated(query, freeze.page, freeze.body, **filters)


@freezes.route("", methods=["POST"])
@requires("ops:freeze")
@freezes.arguments(FreezeInput)
@freezes.response(201, FreezeSchema)
@freezes.alt_response(200, schema=FreezeSchema, description="It was frozen already: this is the freeze in force.")
def create_freeze(body: Body) -> JsonAnswer | Response:
    """Freeze a wallet, or a user with all wallets, also those opened later: payments from and to them FAIL.

    Their code is `account_frozen`; so FAIL captures of what is held, which is released. Not refused are what the bank
    answers about a withdrawal, what it sends back, and lines of an atomic bulk that was decided before.
    """
    with transaction(services().engine) as connection:
        kept, is_new = freeze.freeze(connection, _target(connection, body), body["reason"], actor())
    if is_new:
        return freeze.body(kept), {}
    return JsonResponse(encode(freeze.body(kept)), 200, content_type="application/json")


@freezes.route("/<id>/thaw", methods=["POST"])
@requires("ops:freeze")
@freezes.arguments(ThawInput)
@freezes.response(200, FreezeSchema)
def thaw(body: Body, id: str) -> JsonAnswer:
    """Thaw what was frozen; a wallet stays frozen while its owner is. A freeze that has ended is answered as it is."""
    with transaction(services().engine) as connection:
        record = found(freeze.by_id(connection, path_id(id)))
        thawed = freeze.thaw(connection, record, body["reason"], actor())
    return freeze.body(thawed), {}


def _target(connection: Connection, body: Body) -> FreezeTarget:
    """What the body names; raises ApiError if there is none."""
    if "user" in body:
        if user.by_id(connection, body["user"]) is None:
            raise invalid([("/user", "not_found", "There is no such user.")])
        return FreezeTarget(user_id=body["user"])
    name = "account" if "account" in body else "wallet"
    find = account.wallet_by_id if name == "account" else account.wallet_by_token
    wallet = find(connection, body[name])
    if wallet is None:
        raise invalid([(f"/{name}", "not_found", "There is no such wallet.")])
    return FreezeTarget(account_id=wallet.id)
