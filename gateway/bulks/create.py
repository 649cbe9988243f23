"""From a checked body to a kept bulk, and who may go on with it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Request
from uuid_utils import uuid7

import celery_config
from gateway.auth.tokens import Caller
from gateway.bulks.lines import FORMS, lines_of, refuse_referred, unfit
from gateway.bulks.schemas import NAME_LENGTH_MAX
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import Body
from gateway.http.errors import invalid, not_found
from gateway.http.fields import is_id
from gateway.http.idempotency import find_replay, idempotency_key, request_fingerprint
from gateway.services import Services
from models import account, bank_account, bulk
from models.bulk import Bulk, BulkKind, BulkMode, NewBulk
from models.representations import is_bulk_visible
from models.sepa_charset import is_same_name
from models.session import CommitUnknown, Connection, Contention, statements, transaction


class AcceptedBulk(NamedTuple):
    """A bulk about to be answered; `is_replay` when its key had been used before."""

    bulk: Bulk
    is_replay: bool


def create_bulk(
    kind: BulkKind, path: str, given: Any, body: Body, request: Request, caller: Caller, ours: Services
) -> AcceptedBulk:
    """Keep the bulk, or find what its key kept before.

    `given` is the parsed body, `body` the same through the route's schema. Raises ApiError, DatabaseAway, Contention or
    Overdue.
    """
    claim, fingerprint = (caller.id, idempotency_key(request.environ)), request_fingerprint(path, given)
    if "currency" in body:
        ours.reference_data.currency(body["currency"])
    try:
        placed = _keep(kind, claim, fingerprint, body, caller, ours)
    except CommitUnknown:
        # Keeping again begins by asking for the key: what was committed after all is found under it.
        placed = _keep(kind, claim, fingerprint, body, caller, ours)
    if not placed.is_replay:
        celery_config.ring(request.environ[REQUEST_ID])
    return placed


def _keep(
    kind: BulkKind, claim: tuple[str, str], fingerprint: bytes, body: Body, caller: Caller, ours: Services
) -> AcceptedBulk:
    with statements(ours.engine) as connection:
        earlier = _earlier(connection, claim, fingerprint)
        if earlier is not None:
            return AcceptedBulk(earlier, is_replay=True)
        head = HEADS[kind](connection, body, caller)
    currency = ours.reference_data.currency(
        head.currency
    )  # in between: who holds a line and waits for another blocks all
    if kind is BulkKind.TRANSFERS:
        head = head._replace(wire_id=ours.reference_data.technical("wire", currency.code).id)
    with transaction(ours.engine) as connection:
        lines = lines_of(connection, head, currency, body[FORMS[kind].member])
        kept = bulk.accept(connection, head, claim[1], fingerprint, lines)
        if kept.lines is None:  # another request with the key was faster; its row is committed now
            earlier = _earlier(connection, claim, fingerprint)
            if earlier is None:
                raise Contention
            return AcceptedBulk(earlier, is_replay=True)
        refuse_referred(connection, head, lines, kept)
        return AcceptedBulk(visible(connection, kind, head.id, caller), is_replay=False)


def _earlier(connection: Connection, claim: tuple[str, str], fingerprint: bytes) -> Bulk | None:
    kept = find_replay(connection, claim, fingerprint)
    return bulk.by_id(connection, kept.bulk_id) if kept and kept.bulk_id else None


def visible(connection: Connection, kind: BulkKind, id: str, caller: Caller) -> Bulk:
    """The bulk, if the caller ordered it or may read all; raises ApiError not_found."""
    known = bulk.by_id(connection, id) if is_id(id) else None
    if known is None or known.kind != kind or not is_bulk_visible(known, caller):
        raise not_found()
    return known


def own(connection: Connection, kind: BulkKind, id: str, caller: Caller) -> Bulk:
    """The bulk, if the caller ordered it; raises ApiError not_found."""
    known = visible(connection, kind, id, caller)
    if known.user_id != caller.id:
        raise not_found()
    return known


def _of_transfers(connection: Connection, body: Body, caller: Caller) -> NewBulk:
    organization = bank_account.by_iban(connection, caller.id, body["organization_iban"])
    if organization is None:
        detail = "You have registered no such bank account."
        raise invalid([("/organization_iban", "bank_account_unknown", detail)])
    flaws = []
    if not is_same_name(body["organization_name"], organization.organization_name, NAME_LENGTH_MAX):
        flaws.append(("/organization_name", "bank_account_unknown", "The account is registered under another name."))
    if organization.bic and _whole_bic(body.get("organization_bic", organization.bic)) != _whole_bic(organization.bic):
        flaws.append(("/organization_bic", "bank_account_unknown", "The account is registered with another BIC."))
    if body.get("currency", organization.currency) != organization.currency:
        flaws.append(("/currency", "currency_mismatch", f"The wallet that pays holds {organization.currency}."))
    if not (organization.is_active and organization.is_payable):
        flaws.append(("/organization_iban", "account_inactive", "The bank account or its wallet is inactive."))
    if flaws:
        raise unfit(flaws)
    common = (str(uuid7()), BulkKind.TRANSFERS, BulkMode(body["mode"]), caller.id, organization.currency)
    return NewBulk(*common, organization.id, organization.account_id, is_open=body["is_open"])


def _of_charges(connection: Connection, body: Body, caller: Caller) -> NewBulk:
    currency = body["currency"]
    if "target" in body:
        till = account.parties_by_token(connection, [body["target"]]).get(body["target"])
        if till is None or till.owner_id != caller.id:
            raise unfit([("/target", "not_found", "There is no such wallet that you may use.")])
        if till.currency != currency:
            raise invalid([("/target", "currency_mismatch", f"The target does not hold {currency}.")])
    else:
        till = account.oldest_wallets(connection, [(caller.id, currency)]).get((caller.id, currency))
        if till is None:
            raise invalid([("/target", "target_missing", f"You have no active {currency} wallet.")])
    if not till.is_active:
        raise invalid([("/target", "account_inactive", "This wallet or its owner is inactive.")])
    common = (str(uuid7()), BulkKind.CHARGES, BulkMode.BEST_EFFORT, caller.id, currency)
    return NewBulk(*common, target_id=till.id, is_open=body["is_open"])


HEADS: Mapping[BulkKind, Callable[[Connection, Body, Caller], NewBulk]] = {
    BulkKind.TRANSFERS: _of_transfers,
    BulkKind.CHARGES: _of_charges,
}


def _whole_bic(bic: str) -> str:
    return bic.ljust(11, "X")
