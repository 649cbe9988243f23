"""Reads payments with their parties and the balances they left."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import archive, paused_payment, pg_arrays
from models.account import Party
from models.paused_payment import PausedPayment
from models.prepared_statement import PreparedStatement
from models.rules.state import State
from models.rules.types import PaymentType


class Payee(NamedTuple):
    """Payee of a bank payout: name and last four characters of the IBAN."""

    name: str
    last4: str


class ConvertedAmount(NamedTuple):
    """Amount in the target currency: minor units, the currency's `digits`, and the rate with 18 fraction digits."""

    amount: int
    currency: str
    digits: int
    rate: int


class PaymentView(NamedTuple):
    """A payment with its parties; amounts in minor units, `digits` those of its currency."""

    id: str
    type: str
    state: str
    user_id: str
    amount: int
    currency: str
    digits: int
    commission: int
    summary: str | None
    reference: str | None
    metadata: dict[str, object] | None
    failure_code: str | None
    attempts: int
    due_at: datetime
    parked_at: datetime | None
    created_at: datetime
    finalized_at: datetime | None
    version: int
    capture: bool
    captured_amount: int | None
    scheduled_at: datetime | None
    expires_at: datetime | None
    parent_id: str | None
    reason: str | None
    refunded: int
    source: Party
    target: Party
    source_balance_after: int | None
    target_balance_after: int | None
    conversion: ConvertedAmount | None = None
    bulk_id: str | None = None
    payee: Payee | None = None
    paused: PausedPayment | None = None


def _party(side: str) -> str:
    """SQL of an account as ARRAY[token, owner, currency, name, is its token newer than the payment].

    For a refund any token that ever replaced another counts as newer: when its charge was ordered is not looked up.
    """
    return f"""(
        SELECT ARRAY[a.token, a.owner_id::text, a.currency,
                     coalesce((SELECT name FROM users WHERE id = a.owner_id), a.code),
                     (p.created_at < a.token_since OR (a.token_since IS NOT NULL AND p.parent_id IS NOT NULL))::text]
        FROM accounts a WHERE a.id = p.{side}_id)"""


_COLUMNS = f"""
SELECT p.id::text, p.type, p.state, p.user_id::text, p.amount, p.currency,
       (SELECT digits FROM currencies WHERE code = p.currency), p.commission,
       p.summary, p.reference, p.metadata, p.failure_code, p.attempts, p.due_at, p.parked_at, p.created_at,
       p.finalized_at, p.version, p.capture, p.captured_amount, p.scheduled_at, p.expires_at,
       p.parent_id::text, p.reason,
       p.source_id::text, p.target_id::text, {_party("source")}, {_party("target")},
       (SELECT array_agg(ARRAY[o.account_id::text, o.balance_after::text] ORDER BY o.line) FROM operations o
        WHERE o.payment_id = p.id AND o.payment_id = ANY({{ids}})),
       CASE WHEN p.quote_id IS NOT NULL THEN ARRAY[
           p.target_amount::text, p.target_currency, (p.rate * 1e18)::numeric(38,0)::text,
           (SELECT digits FROM currencies WHERE code = p.target_currency)::text] END,
       p.bulk_id::text
FROM payments p
"""
"""Sub-selects, not joins: planning one join of all these tables would cost more than everything else."""

VIEW = PreparedStatement("view", f"{_COLUMNS.format(ids='ARRAY[%(id)s::uuid]')} WHERE p.id = %(id)s::uuid")
VIEWS = PreparedStatement(
    "views",
    f"""
SELECT view.* FROM unnest(%(ids)s::uuid[]) AS wanted (id)
CROSS JOIN LATERAL ({_COLUMNS.format(ids="%(ids)s::uuid[]")} WHERE p.id = wanted.id OFFSET 0) AS view
""",
)
"""OFFSET keeps each payment a look-up of its own, which visits only its partition."""

REFUNDED = PreparedStatement(
    "refunded",
    """
SELECT payment_id::text, refunded::text FROM refund_totals WHERE payment_id = ANY(%(ids)s::uuid[])
""",
)

YEAR_MAX = 9999
"""The year in which Python ends, in which `infinity` is read; no payment is scheduled in it."""

PAYEES = "SELECT payment_id::text, name, right(iban, 4) FROM instructions WHERE payment_id = ANY(%s::uuid[])"


def by_id(connection: Connection, id: str) -> PaymentView | None:
    """The payment, or None; raises PaymentArchived for an id of an archived month."""
    view = by_ids(connection, [id]).get(id)
    if view is None:
        archive.refuse(connection, id)
    return view


def by_ids(connection: Connection, ids: Sequence[str]) -> dict[str, PaymentView]:
    """Several payments by id; unknown ones are left out."""
    rows = VIEW.run(connection, id=ids[0]) if len(ids) == 1 else VIEWS.run(connection, ids=pg_arrays.plain(ids))
    return _views(connection, rows)


def _views(connection: Connection, rows: Sequence[Any]) -> dict[str, PaymentView]:
    charges = [row.id for row in rows if row.type == PaymentType.CHARGE and row.state == State.COMPLETED]
    refunded: dict[str, int] = {}
    if charges:
        sums = REFUNDED.run(connection, ids=pg_arrays.plain(charges))
        refunded = {charge: int(total) for charge, total in sums}
    withdrawals = [row.id for row in rows if row.type == PaymentType.WITHDRAWAL]
    payees: dict[str, Payee] = {}
    if withdrawals:
        payee_rows = connection.exec_driver_sql(PAYEES, (pg_arrays.plain(withdrawals),))
        payees = {payment_id: Payee(name, last4) for payment_id, name, last4 in payee_rows}
    set_aside = [
        row.id for row in rows if row.state == State.INITIATED and _may_be_set_aside(row.due_at, row.expires_at)
    ]
    paused = paused_payment.paused(connection, set_aside) if set_aside else {}
    return {row.id: _view(row, refunded.get(row.id, 0), payees.get(row.id), paused.get(row.id)) for row in rows}


def _may_be_set_aside(due_at: datetime, expires_at: datetime | None) -> bool:
    """Whether an INITIATED payment may be paused: due never, or when it expires."""
    return due_at.year == YEAR_MAX or due_at == expires_at


def _view(row: Any, refunded: int, payee: Payee | None, paused: PausedPayment | None) -> PaymentView:
    *members, source_id, target_id, source, target, operations, conversion, bulk_id = row
    after = {account_id: int(balance) for account_id, balance in operations or ()}
    unknown = (None, None, row.currency, "", None)
    return PaymentView._make(
        (
            *members,
            refunded,
            _as_party(source_id, source or unknown),
            _as_party(target_id, target or unknown),
            after.get(source_id),
            after.get(target_id),
            conversion and ConvertedAmount(int(conversion[0]), conversion[1], int(conversion[3]), int(conversion[2])),
            bulk_id,
            payee,
            paused,
        )
    )


def _as_party(id: str, columns: Sequence[Any]) -> Party:
    token, owner_id, currency, name, is_newer = columns
    return Party(id, token, owner_id, currency, name, is_token_newer=is_newer == "true")
