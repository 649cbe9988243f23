"""Closing of a month: trial balance, commission, payments by outcome, what was open at its end, returns, adjustments.

What became final in the month is found by its events, a page at a time, so the cost depends on the month alone. The
days and months are those of a time zone, by the database's rules.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from models import account_history, pg_arrays
from models.closing_month import OPEN_DAYS_MAX, ClosingMonth
from models.records import records

SLACK = timedelta(hours=1)
"""Events and operations are numbered in time order, except for their transactions' waits, which are seconds."""

PAGE = 5_000
"""Events read at once: a statement about their payments takes about a tenth of a second."""

CUSTOMER = "customer"
"""The code under which all wallets are summed."""


class TrialBalanceLine(NamedTuple):
    """All accounts of a code in one currency, in minor units; closing is opening plus credits minus debits."""

    code: str
    currency: str
    opening: int
    debits: int
    credits: int
    closing: int


class PaymentsLine(NamedTuple):
    """Payments of a type and a state in one currency: their number, and the sum of their amounts in minor units."""

    type: str
    state: str
    currency: str
    number: int
    amount: int


class CommissionLine(NamedTuple):
    """Commission of a merchant's payments of a type (None: of everybody else's), in minor units."""

    merchant_id: str | None
    type: str
    currency: str
    taken: int
    given_back: int


class ReturnLine(NamedTuple):
    """Money that a bank sent back; `payment_id` is the return that credits it, None until then. In minor units."""

    withdrawal_id: str
    payment_id: str | None
    rail: str
    bank_reference: str
    currency: str
    amount: int
    reason: str | None
    returned_at: datetime


class AdjustmentLine(NamedTuple):
    """An approved adjustment: who proposed and who approved it, and why; the amount in minor units."""

    id: str
    account_id: str
    direction: str
    currency: str
    amount: int
    state: str
    reason: str
    proposed_by: str
    approved_by: str
    approved_at: datetime
    payment_id: str


class Closing(NamedTuple):
    """A closed month; `open` is None if it ended too long ago."""

    trial_balance: list[TrialBalanceLine]
    payments: list[PaymentsLine]
    commission: list[CommissionLine]
    open: list[PaymentsLine] | None
    returns: list[ReturnLine]
    adjustments: list[AdjustmentLine]


def read_one_snapshot(connection: Connection) -> None:
    """Let this new transaction read a single moment: a payment may be posted between two of its statements."""
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def close(connection: Connection, of: ClosingMonth) -> Closing:
    """The closing of a month; one that is not over is closed as it is now.

    Its parts agree if the transaction reads one snapshot: see `read_one_snapshot`.
    """
    sums: dict[tuple[str, str, str | None, str, str], list[int]] = defaultdict(lambda: [0, 0])
    outcomes: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for ids in _became_final(connection, of.start, of.end):
        window = {"ids": pg_arrays.plain(ids), "start": of.start, "end": of.end}
        for *outcome, count, amount in connection.exec_driver_sql(OUTCOMES, window):
            _add(outcomes[tuple(outcome)], count, amount)
        for *moved, debits, credits in connection.exec_driver_sql(MOVED, window):
            _add(sums[tuple(moved)], debits, credits)
    moved_by_code: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    commission: list[CommissionLine] = []
    for (code, type, merchant_id, kind, currency), (debits, credits) in sums.items():
        _add(moved_by_code[code, currency], debits, credits)
        if (code, kind) == ("commission", "commission") and (debits or credits):
            commission.append(CommissionLine(merchant_id, type, currency, credits, debits))
    opening, closing = (_balances(connection, moment) for moment in (of.start, of.end))
    trial = []
    for code, currency in sorted({*opening, *closing, *moved_by_code}, key=lambda key: key[::-1]):
        key, (debits, credits) = (code, currency), moved_by_code[code, currency]
        trial.append(TrialBalanceLine(code, currency, opening.get(key, 0), debits, credits, closing.get(key, 0)))
    return Closing(
        [line for line in trial if any(line[2:])],
        sorted(PaymentsLine(*outcome, *total) for outcome, total in outcomes.items()),
        sorted(commission, key=lambda line: (line.merchant_id or "", line.type, line.currency)),
        _open(connection, of.end) if of.is_recent else None,
        records(ReturnLine, connection.exec_driver_sql(RETURNS, {"start": of.start, "end": of.end})),
        records(AdjustmentLine, connection.exec_driver_sql(ADJUSTMENTS, {"start": of.start, "end": of.end})),
    )


def _add(total: list[int], first: int | str, second: int | str) -> None:
    total[0] += int(first)
    total[1] += int(second)


OUTCOMES = """
SELECT p.type, p.state, p.currency, count(*), sum(coalesce(p.captured_amount, p.amount))::text
FROM payments p WHERE p.id = ANY(%(ids)s::uuid[]) AND p.finalized_at >= %(start)s AND p.finalized_at < %(end)s
GROUP BY p.type, p.state, p.currency
"""

MOVED = f"""
SELECT coalesce(a.code, '{CUSTOMER}'), p.type, u.id::text AS merchant, o.kind, o.currency,
       coalesce(-sum(o.amount) FILTER (WHERE o.amount < 0 AND {{0}}), 0)::text,
       coalesce(sum(o.amount) FILTER (WHERE o.amount > 0 AND {{0}}), 0)::text
FROM payments p JOIN operations o ON o.payment_id = p.id JOIN accounts a ON a.id = o.account_id
LEFT JOIN users u ON u.id = p.user_id AND u.role = 'merchant'
WHERE o.payment_id = ANY(%(ids)s::uuid[]) AND p.id = ANY(%(ids)s::uuid[])
GROUP BY 1, 2, u.id, o.kind, o.currency
""".format("o.created_at >= %(start)s AND o.created_at < %(end)s")
"""The times are no condition: PostgreSQL would expect few rows of the first page, and compare all its ids with each."""

EVENTS = f"""
SELECT e.xact::text, e.sequence, e.name, e.subject_id::text, e.created_at >= %(until)s FROM events e
WHERE (e.xact, e.sequence) > (%(xact)s::xid8, %(sequence)s) ORDER BY e.xact, e.sequence LIMIT {PAGE}
"""

FINAL = ("payment.completed", "payment.failed")


def _became_final(connection: Connection, start: datetime, end: datetime) -> Iterator[list[str]]:
    """The payments that became final between these times, and some before and after them, page by page."""
    xact, sequence, is_past = str(_first_xact(connection, start - SLACK)), -1, False
    while not is_past:
        page = {"xact": xact, "sequence": sequence, "until": end + SLACK}
        rows = connection.exec_driver_sql(EVENTS, page).all()
        if not rows:
            return
        xact, sequence, *_, is_past = rows[-1]
        ids = [id for _, _, name, id, _ in rows if name in FINAL]
        if ids:
            yield ids


def _first_xact(connection: Connection, since: datetime) -> int:
    """Number of the transaction that wrote the first event at or after the time, by bisection; events are in order."""
    ends = (
        f"(SELECT e.xact::text::bigint FROM events e ORDER BY e.xact {way}, e.sequence {way} LIMIT 1)"
        for way in ("ASC", "DESC")
    )
    low, high = connection.exec_driver_sql(f"SELECT {', '.join(ends)}").one()
    low, high = low or 0, high or 0
    while low < high:
        middle = (low + high) // 2
        is_before = connection.exec_driver_sql(
            "SELECT e.created_at < %s FROM events e WHERE e.xact > %s::xid8 ORDER BY e.xact, e.sequence LIMIT 1",
            (since, str(middle)),
        ).scalar()
        low, high = (middle + 1, high) if is_before else (low, middle)
    return low


TECHNICAL = "SELECT id::text, code, currency FROM accounts WHERE owner_id IS NULL AND last_seq > 0"

AROUND = """
SELECT coalesce(sum(amount), 0)::text FROM operations
WHERE account_id = %s AND account_seq > %s AND account_seq <= %s AND created_at < %s
"""


def _balances(connection: Connection, moment: datetime) -> dict[tuple[str, str], int]:
    """Balances at a time by code and currency; those of all customers follow, as every payment sums to zero."""
    balances: dict[tuple[str, str], int] = {}
    for account_id, code, currency in connection.exec_driver_sql(TECHNICAL).all():
        before = account_history.position(connection, account_id, moment - SLACK)
        after = account_history.position(connection, account_id, moment + SLACK)
        window = (account_id, before.account_seq, after.account_seq, moment)
        balance = before.balance + int(connection.exec_driver_sql(AROUND, window).scalar_one())
        balances[code, currency] = balance
        balances[CUSTOMER, currency] = balances.get((CUSTOMER, currency), 0) - balance
    return balances


OPEN = """
SELECT p.type, CASE WHEN EXISTS (SELECT FROM events e WHERE e.subject_id = p.id AND e.name = 'payment.authorized'
                                 AND e.created_at < %(end)s) THEN 'AUTHORIZED' ELSE 'INITIATED' END AS state_then,
       p.currency, count(*), sum(p.amount)::text
FROM payments p WHERE p.created_at < %(end)s AND {which} GROUP BY p.type, state_then, p.currency
"""

STILL_OPEN = (
    "p.state = 'INITIATED' AND p.parked_at IS NULL",
    "p.state = 'AUTHORIZED' AND p.parked_at IS NULL",
    "p.parked_at IS NOT NULL",
)
"""The conditions of three partial indexes."""

SINCE_FINAL = "p.id = ANY(%(ids)s::uuid[]) AND p.finalized_at >= %(end)s"


def _open(connection: Connection, end: datetime) -> list[PaymentsLine]:
    """What was accepted before the time and not final then: what is open now, and what became final since."""
    found: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def note(which: str, ids: str = "{}") -> None:
        rows = connection.exec_driver_sql(OPEN.format(which=which), {"end": end, "ids": ids})
        for *outcome, count, amount in rows:
            _add(found[tuple(outcome)], count, amount)

    for which in STILL_OPEN:
        note(which)
    for ids in _became_final(connection, end, end + timedelta(days=OPEN_DAYS_MAX)):
        note(SINCE_FINAL, pg_arrays.plain(ids))
    return sorted(PaymentsLine(*outcome, *total) for outcome, total in found.items())


LINES_MAX = 10_000
"""More returns, or corrections by hand, than any month has."""

RETURNS = f"""
SELECT r.parent_id::text AS withdrawal_id, r.payment_id::text, r.rail, r.bank_id AS bank_reference, p.currency,
       r.amount, r.reason, r.created_at AS returned_at
FROM returns r JOIN payments p ON p.id = r.parent_id
WHERE r.created_at >= %(start)s AND r.created_at < %(end)s
ORDER BY r.created_at, r.rail, r.bank_id, r.parent_id LIMIT {LINES_MAX}
"""

ADJUSTMENTS = f"""
SELECT a.id::text, a.account_id::text, a.direction, a.currency, a.amount, p.state, a.reason, a.proposed_by::text,
       a.approved_by::text, a.approved_at, a.payment_id::text
FROM adjustments a JOIN payments p ON p.id = a.payment_id
WHERE a.approved_at >= %(start)s AND a.approved_at < %(end)s ORDER BY a.approved_at, a.id LIMIT {LINES_MAX}
"""
