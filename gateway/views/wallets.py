"""POST and GET /v1/wallets, GET and PATCH /v1/wallets/{token}, POST /v1/wallets/{token}/rotate."""

from typing import Any

from flask import Response, g, request
from uuid_utils import uuid7

from gateway import auth, lists
from gateway.auth import requires
from gateway.contract import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, Blueprint
from gateway.errors import Refusal, flawed, not_found
from gateway.fields import is_wallet_token
from gateway.idempotency import fingerprint_of, key_of
from gateway.parsing import body_of_request
from gateway.schemas import RotationInput, WalletChange, WalletInput, WalletQuery, WalletSchema, page_of
from gateway.services import services
from gateway.showing import etag, wallet_body
from models import account, audit, idempotency, user
from models.account import Wallet
from models.session import Connection, Contention, statements, transaction
from models.user import Role

wallets = Blueprint("wallets", __name__, url_prefix="/v1/wallets", description="Balances, one currency each.")

Answer = tuple[dict[str, Any], dict[str, str]]


@wallets.route("", methods=["POST"])
@requires("wallets:write")
@wallets.doc(parameters=[IDEMPOTENCY_KEY])
@wallets.arguments(WalletInput)
@wallets.response(201, WalletSchema)
def open_wallet(body: dict[str, Any]) -> Answer:
    """Open a wallet in one currency, with nothing in it."""
    currency = services().catalogue.currency(body["currency"])
    key = key_of(request.environ) if "Idempotency-Key" in request.headers else None
    print_ = fingerprint_of(request.path, body_of_request())
    id, count_max = str(uuid7()), _wallets_max()
    with transaction(services().engine) as connection:
        if count_max:
            user.lock(connection, g.caller.id)
        if key is not None:
            earlier = _earlier(connection, key, print_)
            if earlier is not None:
                return _answer(earlier, {"Idempotent-Replayed": "true"})
        if not currency.is_active:
            raise flawed([("/currency", "currency_inactive", "This currency is not in use.")])
        if count_max and account.count_wallets(connection, g.caller.id) >= count_max:
            raise Refusal("wallet_limit_reached", f"You may have {count_max} in all, inactive ones included.")
        if key is not None and not idempotency.keep_account(connection, g.caller.id, key, print_, id):
            # Another request with the key was faster; its row is committed now.
            earlier = _earlier(connection, key, print_)
            if earlier is None:
                raise Contention
            return _answer(earlier, {"Idempotent-Replayed": "true"})
        token = account.new_wallet_token()
        wallet = account.open_wallet(connection, id, token, g.caller.id, currency.code, body.get("label"))
    return _answer(wallet, {})


def _wallets_max() -> int:
    """How many wallets the caller may have; 0 is unlimited."""
    if g.caller.role == Role.MERCHANT:
        return services().settings.max_wallets_per_merchant
    return services().settings.max_wallets_per_client


def _earlier(connection: Connection, key: str, print_: bytes) -> Wallet | None:
    claim = (g.caller.id, key)
    kept = idempotency.find(connection, [claim]).get(claim)
    if kept is None:
        return None
    if kept.fingerprint != print_ or kept.account_id is None:
        raise Refusal("idempotency_key_reused", "This key stands for another request of yours.")
    return account.wallet_by_id(connection, kept.account_id)


def _answer(wallet: Wallet, headers: dict[str, str]) -> Answer:
    headers = {"ETag": etag(wallet.version, g.caller), "Location": f"/v1/wallets/{wallet.token}", **headers}
    return wallet_body(wallet), headers


@wallets.route("")
@requires("wallets:read")
@wallets.arguments(WalletQuery, location="query")
@wallets.response(200, page_of(WalletSchema))
def list_wallets(query: dict[str, Any]) -> Answer:
    """Your wallets, newest first; the inactive ones only if asked for."""
    at = lists.place(query)
    with statements(services().engine) as connection:
        rows = account.wallets(
            connection,
            query["limit"] + 1,
            owner_id=g.caller.id,
            is_active=query["is_active"],
            currency=query.get("currency"),
            before=at.before,
            after=at.after,
        )
    return lists.page(query, at, rows, wallet_body)


@wallets.route("/<token>")
@requires("wallets:read")
@wallets.doc(parameters=[IF_NONE_MATCH])
@wallets.response(200, WalletSchema)
def get_wallet(token: str) -> Answer | Response:
    """One of your wallets; its ETag is that of label and is_active, whatever the balance."""
    with statements(services().engine) as connection:
        wallet = _visible(connection, token, sees_all="wallets:read-all" in g.caller.scopes)
    headers = {"ETag": etag(wallet.version, g.caller)}
    if request.if_none_match.contains_weak(headers["ETag"][1:-1]):
        return Response(status=304, headers=headers)
    return wallet_body(wallet), headers


@wallets.route("/<token>", methods=["PATCH"])
@requires("wallets:write")
@wallets.doc(parameters=[IF_MATCH])
@wallets.arguments(WalletChange)
@wallets.response(200, WalletSchema)
def change_wallet(body: dict[str, Any], token: str) -> Answer:
    """Label one of your wallets, or take it out of use; an inactive one neither pays nor receives."""
    with transaction(services().engine) as connection:
        wallet = _visible(connection, token, sees_all=False)
        if "If-Match" not in request.headers:
            raise Refusal("precondition_required", "Send If-Match with the wallet's ETag.")
        before = {"label": wallet.label, "is_active": wallet.is_active}
        after = {**before, **body}
        changed: Wallet | None = wallet
        if not request.if_match.contains_weak(etag(wallet.version, g.caller)[1:-1]):
            changed = None
        elif after != before:
            changed = account.change_wallet(connection, wallet.id, wallet.version, after["label"], after["is_active"])
        if changed is None:
            raise Refusal("precondition_failed", "The wallet has changed; read it again.")
        if changed.version != wallet.version:
            audit.note(connection, auth.actor(), "wallets.change", wallet.id, before=before, after=after)
    return wallet_body(changed), {"ETag": etag(changed.version, g.caller)}


@wallets.route("/<token>/rotate", methods=["POST"])
@requires("wallets:write")
@wallets.arguments(RotationInput)
@wallets.response(200, WalletSchema)
def rotate_wallet(_: dict[str, Any], token: str) -> Answer:
    """Give one of your wallets a new token; the old one is dead at once, for whoever knows it."""
    with transaction(services().engine) as connection:
        wallet = _visible(connection, token, sees_all=False)
        rotated = account.rotate_token(connection, wallet.id, token, account.new_wallet_token())
        if rotated is None:
            raise not_found()
        audit.note(connection, auth.actor(), "wallets.rotate", wallet.id)
    return _answer(rotated, {})


def _visible(connection: Connection, token: str, *, sees_all: bool) -> Wallet:
    """The wallet behind the token, if it is the caller's or he sees all; raises Refusal not_found."""
    wallet = account.wallet_by_token(connection, token) if is_wallet_token(token) else None
    if wallet is None or (wallet.owner_id != g.caller.id and not sees_all):
        raise not_found()
    return wallet
