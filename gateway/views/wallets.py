"""POST and GET /v1/wallets, GET /v1/wallets/{token}."""

import secrets
from typing import Any

from flask import g, request
from uuid_utils import uuid7

from gateway import lists
from gateway.auth import requires
from gateway.contract import IDEMPOTENCY_KEY, IF_NONE_MATCH, Blueprint
from gateway.errors import Refusal, flawed, not_found
from gateway.fields import is_wallet_token
from gateway.idempotency import fingerprint_of, key_of
from gateway.parsing import body_of_request
from gateway.schemas import PageQuery, WalletInput, WalletSchema, page_of
from gateway.services import services
from gateway.showing import etag, wallet_body
from models import account, idempotency
from models.account import Wallet
from models.session import Connection, Contention, statements, transaction

wallets = Blueprint("wallets", __name__, url_prefix="/v1/wallets", description="Balances, one currency each.")

TOKEN_BYTES = 24
"""192 random bits: whoever holds the token may charge the wallet."""

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
    id = str(uuid7())
    with transaction(services().engine) as connection:
        if key is not None:
            earlier = _earlier(connection, key, print_)
            if earlier is not None:
                return _answer(earlier, {"Idempotent-Replayed": "true"})
        if not currency.is_active:
            raise flawed([("/currency", "currency_inactive", "This currency is not in use.")])
        if key is not None and not idempotency.keep_account(connection, g.caller.id, key, print_, id):
            # Another request with the key was faster; its row is committed now.
            earlier = _earlier(connection, key, print_)
            if earlier is None:
                raise Contention
            return _answer(earlier, {"Idempotent-Replayed": "true"})
        token = f"wal_{secrets.token_urlsafe(TOKEN_BYTES)}"
        wallet = account.open_wallet(connection, id, token, g.caller.id, currency.code, body.get("label"))
    return _answer(wallet, {})


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
@wallets.arguments(PageQuery, location="query")
@wallets.response(200, page_of(WalletSchema))
def list_wallets(query: dict[str, Any]) -> Answer:
    """Your wallets, newest first."""
    at = lists.place(query)
    with statements(services().engine) as connection:
        rows = account.wallets(connection, query["limit"] + 1, owner_id=g.caller.id, before=at.before, after=at.after)
    return lists.page(query, at, rows, wallet_body)


@wallets.route("/<token>")
@requires("wallets:read")
@wallets.doc(parameters=[IF_NONE_MATCH])
@wallets.response(200, WalletSchema)
def get_wallet(token: str) -> Answer:
    """One of your wallets."""
    if not is_wallet_token(token):
        raise not_found()
    with statements(services().engine) as connection:
        wallet = account.wallet_by_token(connection, token)
    if wallet is None or (wallet.owner_id != g.caller.id and "wallets:read-all" not in g.caller.scopes):
        raise not_found()
    return wallet_body(wallet), {"ETag": etag(wallet.version, g.caller)}
