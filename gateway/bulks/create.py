"""Creates bulks from validated bodies, and finds the bulks that a caller may read or continue."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Request
from uuid_utils import uuid7

import bell
from gateway.auth.tokens import Caller
from gateway.bulks.lines import LINE_SHAPES, build_lines, invalid_bulk, refuse_used_references
from gateway.bulks.schemas import NAME_LENGTH_MAX
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Body
from gateway.http.errors import invalid
from gateway.http.found import found, path_id
from gateway.http.idempotency import RequestKey, find_concurrent, find_replay, idempotency_key, request_fingerprint
from gateway.services import Services
from models import account, bank_account, bulk, maker
from models.bulk import Bulk, BulkKind, BulkMode, NewBulk
from models.representations import is_bulk_visible
from models.sepa_charset import is_same_name
from models.session import CommitUnknown, Connection, statements, transaction


class AcceptedBulk(NamedTuple):
    """A bulk about to be answered; `is_replay` when its key had been used before."""

    bulk: Bulk
    is_replay: bool


def create_bulk(
    kind: BulkKind, path: str, json: Any, body: Body, request: Request, caller: Caller, services: Services
) -> AcceptedBulk:
    """Create the bulk, or return the one that the same idempotency key created before.

    `json` is the parsed body, `body` the same body loaded by the route's schema. Raises ApiError, DatabaseUnavailable,
    Contention or StatementTimeout.
    """
    key = RequestKey(caller.id, idempotency_key(request.environ), request_fingerprint(path, json))
    if "currency" in body:
        services.reference_data.currency(body["currency"])
    try:
        accepted = _store(kind, key, body, caller, services)
    except CommitUnknown:
        # The second try begins by looking up the key, and so finds the bulk if it was committed after all.
        accepted = _store(kind, key, body, caller, services)
    if not accepted.is_replay:
        bell.ring(request.environ[REQUEST_ID])
    return accepted


def _store(kind: BulkKind, key: RequestKey, body: Body, caller: Caller, services: Services) -> AcceptedBulk:
    with statements(services.engine) as connection:
        earlier_id = find_replay(connection, key)
        if earlier_id is not None:
            return _replayed(connection, earlier_id)
        new_bulk = NEW_BULKS[kind](connection, body, caller)
    # Between the transactions: to wait for a second connection while holding one can block all requests.
    services.backpressure.refuse()
    currency = services.reference_data.currency(new_bulk.currency)
    if kind is BulkKind.TRANSFERS:
        new_bulk = new_bulk._replace(wire_id=services.reference_data.technical("wire", currency.code).id)
    with transaction(services.engine) as connection:
        lines = build_lines(connection, new_bulk, currency, body[LINE_SHAPES[kind].member])
        record = bulk.accept(connection, new_bulk, key.key, key.fingerprint, lines)
        if record.lines is None:  # a concurrent request with the same key has committed first
            return _replayed(connection, find_concurrent(connection, key))
        if caller.merchant_id:
            maker.note(connection, new_bulk.id, caller.person_id)
        refuse_used_references(connection, new_bulk, lines, record)
        return AcceptedBulk(visible(connection, kind, new_bulk.id, caller), is_replay=False)


def _replayed(connection: Connection, earlier_id: str) -> AcceptedBulk:
    return AcceptedBulk(found(bulk.by_id(connection, earlier_id)), is_replay=True)


def visible(connection: Connection, kind: BulkKind, id: str, caller: Caller) -> Bulk:
    """The bulk, if the caller created it or may read all; raises ApiError not_found."""
    record = bulk.by_id(connection, path_id(id))
    return found(record, lambda record: record.kind == kind and is_bulk_visible(record, caller))


def own(connection: Connection, kind: BulkKind, id: str, caller: Caller) -> Bulk:
    """The bulk, if the caller created it; raises ApiError not_found."""
    return found(visible(connection, kind, id, caller), lambda record: record.user_id == caller.id)


def _new_transfers(connection: Connection, body: Body, caller: Caller) -> NewBulk:
    organization = bank_account.by_iban(connection, caller.id, body["organization_iban"])
    if organization is None:
        detail = "You have not registered this bank account."
        raise invalid([("/organization_iban", "bank_account_unknown", detail)])
    errors = []
    if not is_same_name(body["organization_name"], organization.organization_name, NAME_LENGTH_MAX):
        errors.append(("/organization_name", "bank_account_unknown", "The account is registered under another name."))
    if organization.bic and _full_bic(body.get("organization_bic", organization.bic)) != _full_bic(organization.bic):
        errors.append(("/organization_bic", "bank_account_unknown", "The account is registered with another BIC."))
    if body.get("currency", organization.currency) != organization.currency:
        errors.append(("/currency", "currency_mismatch", f"The wallet that pays holds {organization.currency}."))
    if not (organization.is_active and organization.is_payable):
        errors.append(("/organization_iban", "account_inactive", "The bank account or its wallet is inactive."))
    if errors:
        raise invalid_bulk(errors)
    common = (str(uuid7()), BulkKind.TRANSFERS, BulkMode(body["mode"]), caller.id, organization.currency)
    return NewBulk(*common, organization.id, organization.account_id, is_open=body["is_open"])


def _new_charges(connection: Connection, body: Body, caller: Caller) -> NewBulk:
    currency = body["currency"]
    if "target" in body:
        target = account.parties_by_token(connection, [body["target"]]).get(body["target"])
        if target is None or target.owner_id != caller.id:
            raise invalid_bulk([("/target", "not_found", "There is no such wallet that you may use.")])
        if target.currency != currency:
            raise invalid([("/target", "currency_mismatch", f"The target does not hold {currency}.")])
    else:
        target = account.oldest_wallets(connection, [(caller.id, currency)]).get((caller.id, currency))
        if target is None:
            raise invalid([("/target", "target_missing", f"You have no active {currency} wallet.")])
    if not target.is_active:
        raise invalid([("/target", "account_inactive", "This wallet or its owner is inactive.")])
    common = (str(uuid7()), BulkKind.CHARGES, BulkMode.BEST_EFFORT, caller.id, currency)
    return NewBulk(*common, target_id=target.id, is_open=body["is_open"])


NEW_BULKS: Mapping[BulkKind, Callable[[Connection, Body, Caller], NewBulk]] = {
    BulkKind.TRANSFERS: _new_transfers,
    BulkKind.CHARGES: _new_charges,
}


def _full_bic(bic: str) -> str:
    return bic.ljust(11, "X")
