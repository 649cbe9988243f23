"""POST and GET /v1/wallets, GET and PATCH /v1/wallets/{token}, its /merchants, and POST /v1/wallets/{token}/rotate."""

from typing import Any

from flask import Response, g, request
from uuid_utils import uuid7

from gateway.acceptance.reference_data import minor_units
from gateway.auth.guards import actor, requires
from gateway.http.blueprint import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, Blueprint, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.etag import etag, precondition_failed, require_if_match, unless_known
from gateway.http.fields import is_wallet_token
from gateway.http.found import found
from gateway.http.idempotency import REPLAYED, find_replay, keep_key, request_key
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.pagination import paginated
from gateway.services import services
from gateway.wallets.representations import wallet_body
from gateway.wallets.schemas import (
    ChargingMerchantSchema,
    RotationInput,
    WalletChange,
    WalletInput,
    WalletQuery,
    WalletSchema,
)
from models import account, audit, charge_limit, user
from models.account import Wallet
from models.charge_limit import ChargingMerchant
from models.rules.charge_limits import ChargeLimit
from models.rules.money import render
from models.session import Connection, statements, transaction
from models.user import Role

wallets = Blueprint(
    "wallets", __name__, url_prefix="/v1/wallets", description="Wallets, each with a balance in one currency."
)

CHANGEABLE = ("label", "is_active", "charge_limits", "blocked_merchants")
"""The members that the owner can change; the ETag covers them."""


@wallets.route("", methods=["POST"])
@requires("wallets:write")
@wallets.doc(parameters=[IDEMPOTENCY_KEY])
@wallets.arguments(WalletInput)
@wallets.response(201, WalletSchema)
def open_wallet(body: dict[str, Any]) -> JsonAnswer:
    """Create a wallet in one currency; its balance is zero."""
    currency = services().reference_data.currency(body["currency"])
    key = request_key() if "Idempotency-Key" in request.headers else None
    id, count_max = str(uuid7()), _wallets_max()
    with transaction(services().engine) as connection:
        if count_max:
            user.lock(connection, g.caller.id)
        earlier_id = find_replay(connection, key)
        if earlier_id is None:
            if not currency.is_active:
                raise invalid([("/currency", "currency_inactive", "This currency is inactive.")])
            if count_max and account.count_wallets(connection, g.caller.id) >= count_max:
                detail = f"You may have at most {count_max} wallets, inactive ones included."
                raise ApiError("wallet_limit_reached", detail)
            earlier_id = keep_key(connection, key, account_id=id)
        if earlier_id is not None:
            return _answer(found(account.wallet_by_id(connection, earlier_id)), REPLAYED)
        token = account.new_wallet_token()
        wallet = account.open_wallet(connection, id, token, g.caller.id, currency.code, body.get("label"))
    return _answer(wallet, {})


def _wallets_max() -> int:
    """The number of wallets the caller may have; 0 is unlimited."""
    if g.caller.role == Role.MERCHANT:
        return services().settings.max_wallets_per_merchant
    return services().settings.max_wallets_per_client


def _answer(wallet: Wallet, headers: dict[str, str]) -> JsonAnswer:
    headers = {"ETag": etag(wallet.version, g.caller.id), "Location": f"/v1/wallets/{wallet.token}", **headers}
    return wallet_body(wallet), headers


@wallets.route("")
@requires("wallets:read")
@wallets.arguments(WalletQuery, location="query")
@wallets.response(200, page_of(WalletSchema))
def list_wallets(query: dict[str, Any]) -> JsonAnswer:
    """List your wallets, newest first; inactive ones only if asked for."""
    filters = {"is_active": query["is_active"], "currency": query.get("currency")}
    return paginated(query, account.wallets, wallet_body, owner_id=g.caller.id, **filters)


@wallets.route("/<token>")
@requires("wallets:read")
@wallets.doc(parameters=[IF_NONE_MATCH])
@wallets.response(200, WalletSchema)
def get_wallet(token: str) -> JsonAnswer | Response:
    """Get one of your wallets; its ETag covers the members that PATCH changes, not the balance."""
    with statements(services().engine) as connection:
        wallet = visible(connection, token)
    headers = {"ETag": etag(wallet.version, g.caller.id)}
    return unless_known(wallet_body(wallet), headers)


@wallets.route("/<token>", methods=["PATCH"])
@requires("wallets:write")
@wallets.doc(parameters=[IF_MATCH])
@wallets.arguments(WalletChange)
@wallets.response(200, WalletSchema)
def change_wallet(body: dict[str, Any], token: str) -> JsonAnswer:
    """Update the label, use, charge limits or blocked merchants of one of your wallets.

    An inactive wallet neither pays nor receives. Limits apply to charges decided after the change, not to the capture
    of an existing hold.
    """
    with transaction(services().engine) as connection:
        wallet = own(connection, token)
        require_if_match(wallet.version, "wallet")
        wanted = _merged(connection, body, wallet)
        changed = wallet if wanted == wallet else account.change_wallet(connection, wanted)
        if changed is None:
            raise precondition_failed("wallet")
        before, after = (wallet_body(version) for version in (wallet, changed))
        differing = [name for name in CHANGEABLE if before[name] != after[name]]
        if differing:
            changes = ({name: version[name] for name in differing} for version in (before, after))
            audit.note(connection, actor(), "wallets.change", wallet.id, None, *changes)
    return after, {"ETag": etag(changed.version, g.caller.id)}


def _merged(connection: Connection, body: dict[str, Any], wallet: Wallet) -> Wallet:
    """The wallet with the members of the body, limits ordered by merchant; raises ApiError."""
    limits, blocked = (body.get(name) or [] for name in ("charge_limits", "blocked_merchants"))
    named = {f"/charge_limits/{index}/merchant": limit["merchant"] for index, limit in enumerate(limits)}
    named |= {f"/blocked_merchants/{index}": merchant for index, merchant in enumerate(blocked)}
    by_pointer = {pointer: merchant for pointer, merchant in named.items() if merchant is not None}
    merchants = user.merchants_among(connection, by_pointer.values()) if by_pointer else set()
    unknown = [pointer for pointer, merchant in by_pointer.items() if merchant not in merchants]
    if unknown:
        raise invalid([(pointer, "merchant_unknown", "There is no such merchant.") for pointer in unknown])
    merged = wallet._replace(**{name: body[name] for name in ("label", "is_active") if name in body})
    if "charge_limits" in body:
        terms = [_limit(limit, f"/charge_limits/{index}", wallet.currency) for index, limit in enumerate(limits)]
        merged = merged._replace(charge_limits=tuple(sorted(terms, key=lambda limit: limit.merchant_id or "")))
    if "blocked_merchants" in body:
        merged = merged._replace(blocked_merchants=tuple(sorted(blocked)))
    return merged


def _limit(data: dict[str, Any], pointer: str, code: str) -> ChargeLimit:
    """The limit in minor units of its wallet's currency; raises ApiError."""
    currency = services().reference_data.currency(code)
    per_charge, per_day = (
        None if data[name] is None else minor_units(data[name], currency, f"{pointer}/{name}")
        for name in ("per_charge", "per_day")
    )
    return ChargeLimit(data["merchant"], per_charge, per_day)


@wallets.route("/<token>/merchants")
@requires("wallets:read")
@wallets.arguments(PageQuery, location="query")
@wallets.response(200, page_of(ChargingMerchantSchema))
def list_merchants(query: dict[str, Any], token: str) -> JsonAnswer:
    """List the merchants that charged one of your wallets in its newest 10,000 outgoing payments, last charge first."""
    with statements(services().engine) as connection:
        wallet = visible(connection, token)

    def show(row: ChargingMerchant) -> dict[str, Any]:
        return {
            "merchant": row.merchant_id,
            "name": row.name,
            "charges": row.charges,
            "total": render(row.total, wallet.digits),
            "last_charged_at": row.last_charged_at.isoformat(),
            "is_blocked": row.is_blocked,
        }

    return paginated(query, charge_limit.merchants, show, account_id=wallet.id)


@wallets.route("/<token>/rotate", methods=["POST"])
@requires("wallets:write")
@wallets.arguments(RotationInput)
@wallets.response(200, WalletSchema)
def rotate_wallet(_: dict[str, Any], token: str) -> JsonAnswer:
    """Rotate the token of one of your wallets; the old token stops working at once."""
    with transaction(services().engine) as connection:
        wallet = own(connection, token)
        rotated = found(account.rotate_token(connection, wallet.id, token, account.new_wallet_token()))
        audit.note(connection, actor(), "wallets.rotate", wallet.id)
    return _answer(rotated, {})


def visible(connection: Connection, token: str) -> Wallet:
    """The wallet with this token, if it is the caller's or they may read all; raises ApiError not_found."""
    wallet = account.wallet_by_token(connection, token) if is_wallet_token(token) else None
    return found(wallet, lambda wallet: wallet.owner_id == g.caller.id or "wallets:read-all" in g.caller.scopes)


def own(connection: Connection, token: str) -> Wallet:
    """The wallet with this token, if it is the caller's; raises ApiError not_found."""
    return found(visible(connection, token), lambda wallet: wallet.owner_id == g.caller.id)
