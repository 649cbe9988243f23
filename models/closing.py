"""Closing of a month: trial balance, commission, payments by outcome, what was open at its end, returns, adjustments.

Debits, credits and outcomes are from sums of days and quarters of an hour: see `closing_sums`. The days and months are
those of a time zone, by the database's rules.
"""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import account_history, closing_events, period_sum
from models.closing_events import CLOCK_SLACK, SLACK
from models.closing_month import ClosingMonth
from models.closing_sums import CUSTOMER, Sums, add
from models.records import records


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
    """An approved adjustment: who proposed and who approved it (None: the shell), and why; in minor units."""

    id: str
    account_id: str
    direction: str
    currency: str
    amount: int
    state: str
    reason: str
    proposed_by: str | None
    approved_by: str | None
    approved_at: datetime
    payment_id: str


class Closing(NamedTuple):
    """A closed month; `open` is None if more has happened since than is read for it."""

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
    is_summed_up = period_sum.is_near(connection)
    sums = Sums(connection, of.start, of.end, is_summed_up=is_summed_up)
    moved_by_code: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    commission: list[CommissionLine] = []
    for (code, type, merchant_id, kind, currency), (debits, credits) in sums.moved.items():
        add(moved_by_code[code, currency], debits, credits)
        if (code, kind) == ("commission", "commission") and (debits or credits):
            commission.append(CommissionLine(merchant_id, type, currency, credits, debits))
    opening, closing = (_balances(connection, moment) for moment in (of.start, of.end))
    trial = []
    for code, currency in sorted({*opening, *closing, *moved_by_code}, key=lambda key: key[::-1]):
        key, (debits, credits) = (code, currency), moved_by_code[code, currency]
        trial.append(TrialBalanceLine(code, currency, opening.get(key, 0), debits, credits, closing.get(key, 0)))
    return Closing(
        [line for line in trial if any(line[2:])],
        sorted(PaymentsLine(*outcome, *total) for outcome, total in sums.outcomes.items()),
        sorted(commission, key=lambda line: (line.merchant_id or "", line.type, line.currency)),
        _open(connection, of.end, is_summed_up=is_summed_up),
        records(ReturnLine, connection.exec_driver_sql(RETURNS, {"start": of.start, "end": of.end})),
        records(AdjustmentLine, connection.exec_driver_sql(ADJUSTMENTS, {"start": of.start, "end": of.end})),
    )


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


EVENTS_MAX = 20_000_000
"""Events since the end of a month that are read for what was open then: some twenty seconds."""


def _open(connection: Connection, end: datetime, *, is_summed_up: bool) -> list[PaymentsLine] | None:
    """What was accepted before the time and not final then: what is open now, and what became final since.

    The latter is what the sums since then take out of open states. As long as these are not near, events are read: None
    if more than EVENTS_MAX followed.
    """
    found: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def note(which: str, ids: str = "{}") -> None:
        rows = connection.exec_driver_sql(OPEN.format(which=which), {"end": end, "ids": ids})
        for *outcome, count, amount in rows:
            add(found[tuple(outcome)], count, amount)

    if is_summed_up:
        since = {**period_sum.between(end, period_sum.NEVER), "is_final": False}
        for *outcome, count, amount in connection.exec_driver_sql(period_sum.PAYMENTS, since):
            add(found[tuple(outcome)], -count, -int(amount))
    else:
        try:
            for ids in closing_events.became_final(
                connection, end, None, ids_before=end + CLOCK_SLACK, events_max=EVENTS_MAX
            ):
                note(SINCE_FINAL, ids)
        except closing_events.TooManyEvents:
            return None
    for which in STILL_OPEN:
        note(which)
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
