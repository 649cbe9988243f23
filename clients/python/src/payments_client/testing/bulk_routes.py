"""Bulks: created, filled by uploads, closed and read."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from payments_client.model import time_of
from payments_client.testing.bank_fields import checked_iban, refuse_mismatch
from payments_client.testing.books import Books
from payments_client.testing.bulks import FakeBulk
from payments_client.testing.orders import checked_key, flaw_of_amount, oldest_wallet, referenced, refuse_no_token
from payments_client.testing.payment import FakePayment, Payee
from payments_client.testing.payment_routes import subject_stream
from payments_client.testing.people import now
from payments_client.testing.problems import Flaw, Refused, invalid
from payments_client.testing.queries import Row, listed
from payments_client.testing.routing import Asked, Body, answers

MEMBERS = {"transfers": "credit_transfers", "charges": "charges"}
LINES_MAX = 1000
"""Stored or refused together."""

DAYS_LATE_MAX = timedelta(days=5)


def _kind(asked: Asked) -> str:
    return "transfers" if "transfer" in asked.id else "charges"


@answers("create_bulk_transfer", "create_bulk_charge")
def create(books: Books, asked: Asked) -> httpx.Response:
    """A new bulk, or that of the same key."""
    if asked.headers["Content-Type"] != "application/json":
        raise NotImplementedError("FakePayments reads bulks as JSON alone, no pain.001")
    kind, body = _kind(asked), asked.body
    key = checked_key(asked.headers.get("Idempotency-Key"))
    request = [kind, body]
    bulk: FakeBulk | None = books.earlier(asked.user, request, key)
    headers = {"Idempotent-Replayed": "true"} if bulk else {}
    if bulk is None:
        rows = body[MEMBERS[kind]]
        _refuse_shapes(kind, rows, 0)
        if body.get("is_open") and kind == "transfers" and body.get("mode", "atomic") == "atomic":
            raise Refused(422, "invalid_value", "/mode")
        if not rows and not body.get("is_open"):
            raise Refused(422, "invalid_value", f"/{MEMBERS[kind]}")
        bulk = (_new_transfers if kind == "transfers" else _new_charges)(books, asked, body)
        _add(books, bulk, rows)
        books.bulks[bulk.id] = bulk
        books.by_key[asked.user.id, key] = request, bulk
    if "Prefer" in asked.headers and books.is_posting and not bulk.is_open:
        books.post()
        headers["Preference-Applied"] = asked.headers["Prefer"]
    return _of_bulk(bulk, 201 if bulk.finalized_at and "Prefer" in asked.headers else 202, headers)


def _of_bulk(bulk: FakeBulk, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=bulk.body(), headers={"ETag": f'W/"{bulk.version}"', **(headers or {})})


def _new_transfers(books: Books, asked: Asked, body: Body) -> FakeBulk:
    iban = checked_iban(body["organization_iban"], "/organization_iban")
    known = [a for a in books.bank_accounts.values() if a.user is asked.user and a.iban == iban]
    if not known:
        raise Refused(422, "bank_account_unknown", "/organization_iban")
    [account] = known
    flaws = []
    if body["organization_name"] != account.name:
        flaws.append(("/organization_name", "bank_account_unknown"))
    if body.get("currency", account.wallet.currency) != account.wallet.currency:
        flaws.append(("/currency", "currency_mismatch"))
    if not (account.is_active and account.wallet.is_active):
        flaws.append(("/organization_iban", "account_inactive"))
    if flaws:
        raise invalid(flaws)
    mode, is_open = body.get("mode", "atomic"), body.get("is_open", False)
    return FakeBulk("transfers", mode, asked.user, account.wallet.currency, is_open, account.wallet, account)


def _new_charges(books: Books, asked: Asked, body: Body) -> FakeBulk:
    currency = body["currency"]
    wallet = books.wallets.get(body["target"]) if "target" in body else oldest_wallet(books, asked.user, currency)
    if wallet is None or wallet.owner is not asked.user:
        raise invalid([("/target", "not_found")])
    if wallet.currency != currency or not wallet.is_active:
        raise Refused(422, "account_inactive" if wallet.currency == currency else "currency_mismatch", "/target")
    return FakeBulk("charges", "best_effort", asked.user, currency, body.get("is_open", False), wallet)


def _refuse_shapes(kind: str, rows: Sequence[Row], start: int) -> None:
    """Refuse lines whose members are none: tokens, IBANs and BICs."""
    flaws: list[Flaw] = []
    for number, row in enumerate(rows, start):
        where = f"/{MEMBERS[kind]}/{number}/"
        try:
            if kind == "charges":
                refuse_no_token(row["wallet"], f"{where}wallet")
                continue
            iban = checked_iban(row["counterparty_iban"], f"{where}counterparty_iban")
            refuse_mismatch(iban, row.get("counterparty_bic"), f"{where}counterparty_bic")
        except Refused as refused:
            flaws += refused.flaws
    if flaws:
        raise invalid(flaws)


def _add(books: Books, bulk: FakeBulk, rows: Sequence[Row]) -> None:
    """Add lines to the bulk, all of them or, if one is wrong, none."""
    member, start, flaws = MEMBERS[bulk.kind], len(bulk.lines), list[Flaw]()
    lines = [_line(books, bulk, row, f"/{member}/{start + n}", flaws) for n, row in enumerate(rows)]
    if flaws:
        raise invalid(flaws)
    _refuse_references(books, bulk, rows)
    for line in lines:
        if line:
            books.keep(line)
            bulk.lines.append(line)
    bulk.rows += rows


def _line(books: Books, bulk: FakeBulk, row: Row, where: str, flaws: list[Flaw]) -> FakePayment | None:
    """The payment of a line; what is wrong with it comes to the flaws."""
    before = len(flaws)
    if code := flaw_of_amount(row["amount"], bulk.currency):
        flaws.append((f"{where}/amount", code))
    if row.get("currency", bulk.currency) != bulk.currency:
        flaws.append((f"{where}/currency", "currency_mismatch"))
    given: Body = {name: row[name] for name in ("reference", "summary") if name in row}
    if at := row.get("scheduled_at"):
        late = now().date() - time_of(at).date()
        if late > DAYS_LATE_MAX:
            flaws.append((f"{where}/scheduled_at", "invalid_value"))
        given |= {"scheduled_at": at} if time_of(at) > now() else {}
    if bulk.kind == "transfers":
        if len(flaws) > before:
            return None
        payee = Payee(row["counterparty_name"], checked_iban(row["counterparty_iban"], where))
        sides: tuple[Any, Any] = (bulk.wallet, "wire")
        return _payment("withdrawal", books, bulk, sides, row["amount"], given, payee)
    payer = books.wallets.get(row["wallet"])
    if payer is None or payer.owner is bulk.user or payer.currency != bulk.currency:
        code = "not_found" if payer is None else "own_wallet" if payer.owner is bulk.user else "currency_mismatch"
        flaws.append((f"{where}/wallet", code))
    if len(flaws) > before:
        return None
    return _payment("charge", books, bulk, (payer, bulk.wallet), row["amount"], given)


def _payment(
    type: str,
    books: Books,
    bulk: FakeBulk,
    sides: tuple[Any, Any],
    amount: str,
    given: Body,
    payee: Payee | None = None,
) -> FakePayment:
    common = (type, bulk.user, *sides, Decimal(amount), bulk.currency, given)
    return FakePayment(*common, percent=books.commission_percent, bulk=bulk, payee=payee)


def _refuse_references(books: Books, bulk: FakeBulk, rows: Sequence[Row]) -> None:
    member, start, seen = MEMBERS[bulk.kind], len(bulk.lines), set[str]()
    repeated, used = list[Flaw](), list[Flaw]()
    first: FakePayment | None = None
    for number, row in enumerate(rows, start):
        reference = row.get("reference")
        if reference is None:
            continue
        flaw = f"/{member}/{number}/reference", "duplicate_reference"
        repeated += [flaw] if reference in seen else []
        if other := referenced(books, bulk.user, reference):
            used.append(flaw)
            first = first or other
        seen.add(reference)
    if repeated:
        raise Refused(409, "duplicate_reference", flaws=repeated)
    if first:
        raise Refused(409, "duplicate_reference", flaws=used, payment=first.id)


def _bulk(books: Books, asked: Asked, id: str) -> FakeBulk:
    bulk = books.bulks.get(id)
    if bulk is None or bulk.user is not asked.user or bulk.kind != _kind(asked):
        raise Refused(404, "not_found")
    return bulk


@answers("get_bulk_transfer", "get_bulk_charge")
def get(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's bulks."""
    return _of_bulk(_bulk(books, asked, id))


@answers("list_bulk_transfers", "list_bulk_charges")
def list_bulks(books: Books, asked: Asked) -> httpx.Response:
    """The caller's bulks of that kind, the newest first."""
    own = [bulk for bulk in reversed(books.bulks.values()) if bulk.user is asked.user and bulk.kind == _kind(asked)]
    return listed(asked, [bulk.body() for bulk in own])


@answers("list_bulk_transfer_lines", "list_bulk_charge_lines")
def list_lines(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The lines of a bulk, in their order."""
    return listed(asked, _bulk(books, asked, id).line_bodies())


@answers("stream_bulk_transfer_events", "stream_bulk_charge_events")
def stream_events(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The one event of a bulk, its end."""
    return subject_stream(books, asked, _bulk(books, asked, id))


@answers("add_bulk_transfer_lines", "add_bulk_charge_lines")
def add_lines(books: Books, asked: Asked, id: str) -> httpx.Response:
    """An open bulk with more lines, JSON Lines or CSV; those that it has are skipped."""
    bulk, first = _bulk(books, asked, id), int(asked.query.get("from", "1"))
    if not bulk.is_open:
        raise Refused(409, "bulk_closed")
    if first > len(bulk.lines) + 1:
        raise Refused(409, "bulk_out_of_step", lines=len(bulk.lines))
    texts = asked.content.decode().splitlines()
    if asked.headers["Content-Type"] == "text/csv":
        rows: list[Row] = [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(texts)]
    else:
        rows = [json.loads(line) for line in texts if line.strip()]
    rows = rows[len(bulk.lines) + 1 - first :]
    for at in range(0, len(rows), LINES_MAX):
        try:
            _refuse_shapes(bulk.kind, rows[at : at + LINES_MAX], len(bulk.lines))
            _add(books, bulk, rows[at : at + LINES_MAX])
        except Refused as refused:
            refused.members["lines"] = len(bulk.lines)
            raise
    return _of_bulk(bulk)


@answers("close_bulk_transfer", "close_bulk_charge")
def close(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A bulk that takes no more lines, if it has as many as its user says."""
    bulk = _bulk(books, asked, id)
    if asked.body.get("lines", len(bulk.lines)) != len(bulk.lines):
        raise Refused(409, "bulk_out_of_step", lines=len(bulk.lines))
    if bulk.is_open and not bulk.lines:
        raise Refused(409, "bulk_empty")
    bulk.is_open = False
    books.end(bulk)
    return _of_bulk(bulk)
