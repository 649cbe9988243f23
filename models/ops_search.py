"""Search of ops by anything that a customer, a merchant or a bank quotes; each kind of text is found by an index."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row

from models import pg_arrays
from models.rules.money import render

HITS_MAX = 20
"""Hits of one search: a list that is longer needs a more exact text."""

QUERY_LENGTH_MAX = 255
"""The longest text that can be found: an idempotency key."""

_LAST4 = re.compile(r"[A-Za-z0-9_-]{4}", re.ASCII)
_WALLET = re.compile(r"wal_[A-Za-z0-9_-]{22,64}", re.ASCII)
_PHONE_NUMBER = re.compile(r"\+[0-9]{8,15}", re.ASCII)
_PHONE_SEPARATORS = re.compile(r"[ ()./-]", re.ASCII)


class HitKind(StrEnum):
    """What was found."""

    PAYMENT = "payment"
    ACCOUNT = "account"
    USER = "user"
    BULK = "bulk"
    BATCH = "batch"
    ADJUSTMENT = "adjustment"
    RECONCILIATION = "reconciliation"
    WEBHOOK_DELIVERY = "webhook_delivery"
    AUDIT_ENTRY = "audit_entry"


class MatchedBy(StrEnum):
    """What the text is of the hit."""

    ID = "id"
    WEBHOOK_ID = "webhook_id"
    """Of a delivery, as in its `webhook-id` header; hits are the delivery and what its event is about."""
    WALLET = "wallet"
    LAST4 = "last4"
    EMAIL = "email"
    PHONE_NUMBER = "phone_number"
    IDEMPOTENCY_KEY = "idempotency_key"
    REFERENCE = "reference"
    BANK_REFERENCE = "bank_reference"
    REQUEST_ID = "request_id"


class Hit(NamedTuple):
    """Something that was found; `path` is where the HTTP API shows it."""

    kind: HitKind
    id: str
    matched_by: MatchedBy
    label: str
    path: str


class Hits(NamedTuple):
    """The hits of a search, at most HITS_MAX."""

    hits: list[Hit]
    has_more: bool


class Lookup(NamedTuple):
    """A search by one index: `sql` selects kind and id of what has the text %(value)s; `read` makes the value.

    `read` returns None for a text that cannot be of this kind.
    """

    matched_by: MatchedBy
    sql: str
    read: Callable[[str], str | None]


def _id(text: str) -> str | None:
    """The id, in any spelling: a trace, and the request that ordered a payment, have its id without hyphens."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _email(text: str) -> str | None:
    return text if "@" in text else None


def _phone_number(text: str) -> str | None:
    number = re.sub("^00", "+", _PHONE_SEPARATORS.sub("", text))
    return number if _PHONE_NUMBER.fullmatch(number) else None


def _last4(text: str) -> str | None:
    return text if _LAST4.fullmatch(text) else None


def _wallet(text: str) -> str | None:
    return text if _WALLET.fullmatch(text) else None


def _by_id(kind: HitKind, table: str) -> Lookup:
    return Lookup(MatchedBy.ID, f"SELECT '{kind}', id::text FROM {table} WHERE id = %(value)s::uuid", _id)


LOOKUPS = (
    _by_id(HitKind.PAYMENT, "payments"),
    _by_id(HitKind.ACCOUNT, "accounts"),
    _by_id(HitKind.USER, "users"),
    _by_id(HitKind.BULK, "bulks"),
    _by_id(HitKind.BATCH, "batches"),
    _by_id(HitKind.ADJUSTMENT, "adjustments"),
    _by_id(HitKind.RECONCILIATION, "bank_statements"),
    Lookup(
        MatchedBy.WEBHOOK_ID,
        "SELECT 'webhook_delivery', id::text FROM webhook_deliveries WHERE id = %(value)s::uuid",
        _id,
    ),
    Lookup(
        MatchedBy.WEBHOOK_ID,
        "SELECT CASE split_part(d.name, '.', 1) WHEN 'payment' THEN 'payment' WHEN 'bulk' THEN 'bulk' ELSE 'user' END,"
        " CASE WHEN d.name ~ '^(payment|bulk)[.]' THEN d.subject_id ELSE e.user_id END::text"
        " FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id WHERE d.id = %(value)s::uuid",
        _id,
    ),
    Lookup(MatchedBy.WALLET, "SELECT 'account', id::text FROM accounts WHERE token = %(value)s", _wallet),
    Lookup(MatchedBy.LAST4, "SELECT 'account', id::text FROM accounts WHERE right(token, 4) = %(value)s", _last4),
    Lookup(MatchedBy.EMAIL, "SELECT 'user', id::text FROM users WHERE lower(email) = lower(%(value)s)", _email),
    Lookup(MatchedBy.PHONE_NUMBER, "SELECT 'user', id::text FROM users WHERE phone_number = %(value)s", _phone_number),
    Lookup(
        MatchedBy.IDEMPOTENCY_KEY,
        "SELECT CASE WHEN payment_id IS NOT NULL THEN 'payment' WHEN account_id IS NOT NULL THEN 'account'"
        " WHEN adjustment_id IS NOT NULL THEN 'adjustment' WHEN bulk_id IS NOT NULL THEN 'bulk' ELSE 'user' END,"
        " coalesce(payment_id, account_id, adjustment_id, bulk_id, user_id)::text"
        " FROM idempotency_keys WHERE key = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.REFERENCE,
        "SELECT 'payment', payment_id::text FROM payment_references WHERE reference = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.BANK_REFERENCE,
        "SELECT 'payment', payment_id::text FROM instructions WHERE bank_reference = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.BANK_REFERENCE,
        "SELECT 'payment', coalesce(payment_id, parent_id)::text FROM returns WHERE bank_id = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.BANK_REFERENCE,
        "SELECT 'payment', payment_id::text FROM resolutions WHERE bank_reference = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.BANK_REFERENCE,
        "SELECT 'reconciliation', statement_id::text FROM bank_statement_lines WHERE bank_reference = %(value)s",
        str,
    ),
    Lookup(
        MatchedBy.REQUEST_ID,
        "SELECT 'payment', payment_id::text FROM idempotency_keys"
        " WHERE request_id = %(value)s AND payment_id IS NOT NULL",
        str,
    ),
    Lookup(MatchedBy.REQUEST_ID, "SELECT 'payment', payment_id::text FROM commands WHERE request_id = %(value)s", str),
    Lookup(MatchedBy.REQUEST_ID, "SELECT 'batch', id::text FROM batches WHERE request_id = %(value)s", str),
    Lookup(MatchedBy.REQUEST_ID, "SELECT 'audit_entry', id::text FROM audit_log WHERE request_id = %(value)s", str),
)
"""The ways to find something, the most exact first."""


def search(connection: Connection, text: str) -> Hits:
    """What has this text as one of its names, the most exact first; without surrounding blanks."""
    text = text.strip()
    found: dict[tuple[HitKind, str], MatchedBy] = {}
    for lookup in LOOKUPS:
        value = lookup.read(text)
        if value is not None:
            rows = connection.exec_driver_sql(f"{lookup.sql} LIMIT %(limit)s", {"value": value, "limit": HITS_MAX + 1})
            for kind, id in rows:
                found.setdefault((HitKind(kind), id), lookup.matched_by)
    shown = dict(list(found.items())[:HITS_MAX])
    known = {kind: _details(connection, kind, [id for of, id in shown if of is kind]) for kind, _ in shown}
    hits = [
        Hit(kind, id, matched_by, *known[kind][id]) for (kind, id), matched_by in shown.items() if id in known[kind]
    ]
    return Hits(hits, len(found) > len(shown))


def body(hit: Hit) -> dict[str, object]:
    """The hit as the API shows it."""
    return {"kind": hit.kind, "id": hit.id, "matched_by": hit.matched_by, "label": hit.label, "path": hit.path}


class Details(NamedTuple):
    """How hits of one kind are shown: `sql` selects the id and what `label` and `path` read."""

    sql: str
    label: Callable[[Row[Any]], str]
    path: Callable[[Row[Any]], str]


def _details(connection: Connection, kind: HitKind, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Labels and paths by id."""
    shown = DETAILS[kind]
    rows = connection.exec_driver_sql(shown.sql, (pg_arrays.plain(ids),))
    return {row.id: (shown.label(row), shown.path(row)) for row in rows}


def _amount(row: Row[Any]) -> str:
    return f"{render(int(row.amount), row.digits)} {row.currency}"


DIGITS = "(SELECT digits FROM currencies WHERE code = currency) AS digits"

DETAILS: Mapping[HitKind, Details] = {
    HitKind.PAYMENT: Details(
        f"SELECT id::text, type, state, amount, currency, {DIGITS} FROM payments WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.type} of {_amount(row)}, {row.state}",
        lambda row: f"/v1/ops/payments/{row.id}",
    ),
    HitKind.ACCOUNT: Details(
        "SELECT a.id::text, a.code, a.currency, right(a.token, 4) AS last4, u.name"
        " FROM accounts a LEFT JOIN users u ON u.id = a.owner_id WHERE a.id = ANY(%s::uuid[])",
        lambda row: (
            f"{row.code} account in {row.currency}"
            if row.code
            else f"wallet in {row.currency} of {row.name}, ending in {row.last4}"
        ),
        lambda row: f"/v1/ops/accounts?id={row.id}&is_active=true,false",
    ),
    HitKind.USER: Details(
        "SELECT id::text, role, name FROM users WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.role} {row.name}",
        lambda row: f"/v1/ops/users/{row.id}",
    ),
    HitKind.BULK: Details(
        f"SELECT id::text, kind, lines, total AS amount, currency, {DIGITS} FROM bulks WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.lines} {row.kind} of {_amount(row)}",
        lambda row: f"/v1/bulk-{row.kind}/{row.id}",
    ),
    HitKind.BATCH: Details(
        "SELECT id::text, total, reason FROM batches WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.total} retries: {row.reason}",
        lambda row: f"/v1/ops/batches/{row.id}",
    ),
    HitKind.ADJUSTMENT: Details(
        f"SELECT id::text, direction, amount, currency, {DIGITS} FROM adjustments WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.direction} of {_amount(row)}",
        lambda _: "/v1/ops/adjustments",
    ),
    HitKind.RECONCILIATION: Details(
        "SELECT id::text, form, begins_on, ends_on FROM bank_statements WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.form} of {row.begins_on} to {row.ends_on}",
        lambda row: f"/v1/ops/reconciliations/{row.id}",
    ),
    HitKind.WEBHOOK_DELIVERY: Details(
        "SELECT id::text, name, state, attempts FROM webhook_deliveries WHERE id = ANY(%s::uuid[])",
        lambda row: f"{row.name}, {row.state} after {row.attempts} attempts",
        lambda row: f"/v1/webhook-deliveries/{row.id}",
    ),
    HitKind.AUDIT_ENTRY: Details(
        "SELECT id::text, action, target, request_id FROM audit_log WHERE id = ANY(%s::bigint[])",
        lambda row: f"{row.action} {row.target}",
        lambda row: f"/v1/ops/audit?request_id={row.request_id}",
    ),
}
