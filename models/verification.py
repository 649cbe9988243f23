"""Verification of the books: what is new since the last run, or everything.

A run follows two feeds, the events and the batches of posting, and checks the payments and accounts of what is new in
them. An account's operations are checked step by step, each against the one before, so that no run adds up a history.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import imbalance, invariants, ledger_batch, pg_arrays
from models.archive import HORIZON
from models.breach import Breach
from models.event import SETTLED
from models.invariants import INVARIANTS
from models.records import records

VERIFICATION_LOCK = 0x76657269
"""Advisory lock of a slice ("veri" in ASCII): two runs do not check the same."""

EVENTS_MAX = 1_000
BATCHES_MAX = 4
"""Bounds on a slice, so that each of its statements takes far less than the role's statement_timeout."""

BREACHES_MAX = 100
"""Rows recorded of one invariant at a time; when they are healed, the next are found."""

OF_ACCOUNTS = frozenset(
    {
        "an account's balance is the sum of its operations",
        imbalance.INVARIANT,
        "an account's operations are dense, without gap or fork, up to last_seq",
        "each balance_after is the one before plus the amount",
        "what is held of an account is the sum of its open holds",
    }
)
"""Invariants over whole histories: of new operations STEPS are checked instead."""

OF_BULKS = frozenset(
    {
        "a bulk's counts are those of its lines",
        "an atomic bulk is held or refused as a whole",
        "every bulk that is final has its event",
        "every idempotency key names a payment, an account, an adjustment, a bulk or a user that exists",
        "what is counted of final payments is what there is",
        "what is summed up of a merchant's wallet is what its operations come to",
        "what is summed up of final payments is what there is",
        "what is summed up of operations is what there is",
    }
)
"""Invariants over what no payment leads to: checked by a full run only."""

OF_RECORDS = frozenset(
    {
        "a bulk's counts are those of its lines",
        "a reference names one payment of its merchant's that did not fail",
        "every idempotency key names a payment, an account, an adjustment, a bulk or a user that exists",
        "every bulk that is final has its event",
        "every event is of a transition",
        "every event names whom it concerns",
        "every refund and return is listed with what it gives back",
        "every transition has its event",
        "what is counted of final payments is what there is",
        "what is summed up of a merchant's wallet is what its operations come to",
        "what is summed up of final payments is what there is",
        "what is summed up of operations is what there is",
    }
)
"""Invariants of what is written beside the money: no wallet is frozen for them."""

OF_PAYMENTS = tuple(name for name in INVARIANTS if name not in OF_ACCOUNTS | OF_BULKS)
"""Invariants of a payment with its operations, events, refunds and returns: checked for those that are new."""

NARROWED = """
WITH payments AS (SELECT * FROM payments WHERE id = ANY(%(ids)s::uuid[])),
     operations AS (SELECT * FROM operations WHERE payment_id = ANY(%(ids)s::uuid[])),
     events AS (SELECT * FROM events WHERE subject_id = ANY(%(ids)s::uuid[]) AND name <> 'ping'),
     refund_totals AS (SELECT * FROM refund_totals WHERE payment_id = ANY(%(ids)s::uuid[]))
SELECT * FROM ({}) AS broken LIMIT {:d}
"""
"""An invariant's query, over these payments alone."""

STEPS = {
    "each operation follows the one before of its account": """
        SELECT o.payment_id, o.line FROM operations o CROSS JOIN LATERAL (
            SELECT count(*) AS number, sum(b.balance_after) FILTER (WHERE b.account_seq < o.account_seq) AS balance
            FROM (SELECT account_seq, balance_after FROM operations
                  WHERE account_id = o.account_id AND account_seq BETWEEN o.account_seq - 1 AND o.account_seq
                  UNION ALL SELECT last_seq, balance_after FROM archived_runs
                  WHERE account_id = o.account_id AND last_seq = o.account_seq - 1) b) before
        WHERE o.payment_id = ANY(%(ids)s::uuid[])
          AND (before.number, coalesce(before.balance, 0) + o.amount) <> (least(o.account_seq, 2), o.balance_after)""",
    "an account's balance is that after its newest operation": """
        SELECT a.id, a.balance, a.last_seq FROM accounts a CROSS JOIN LATERAL (
            SELECT count(*) AS number, max(o.balance_after) AS balance
            FROM (SELECT balance_after FROM operations
                  WHERE account_id = a.id AND account_seq >= greatest(a.last_seq, 1)
                  UNION ALL SELECT balance_after FROM archived_runs
                  WHERE account_id = a.id AND last_seq >= greatest(a.last_seq, 1)) o) newest
        WHERE a.id = ANY(%(accounts)s::uuid[])
          AND (newest.number <> least(a.last_seq, 1) OR coalesce(newest.balance, 0) <> a.balance)""",
    "an account's held amount is the sum of its open holds": """
        SELECT a.id, a.held, holds.total FROM accounts a LEFT JOIN (
            SELECT source_id, sum(amount) AS total FROM (
                SELECT source_id, amount FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NULL
                UNION ALL SELECT source_id, amount FROM payments WHERE state = 'AUTHORIZED' AND parked_at IS NOT NULL
                UNION ALL SELECT source_id, held FROM bulks WHERE mode = 'atomic' AND held <> 0) one
            GROUP BY source_id) holds ON holds.source_id = a.id
        WHERE a.id = ANY(%(accounts)s::uuid[]) AND a.held <> coalesce(holds.total, 0)""",
    "every accepted payment is still there": f"""
        SELECT e.subject_id FROM events e
        WHERE e.subject_id = ANY(%(accepted)s::uuid[]) AND e.name = 'payment.initiated'
          AND NOT EXISTS (SELECT FROM payments p WHERE p.id = e.subject_id) AND e.subject_id >= {HORIZON}""",
}
"""What is checked of new operations and their accounts in place of sums over histories."""

CHAIN = (ledger_batch.FOLLOWS, ledger_batch.UNCHANGED, ledger_batch.CHAINED)

CHAIN_BREACHES = (*CHAIN, ledger_batch.STILL_THERE, ledger_batch.BEGINNING)
"""Breaches that keep the chain from being signed until they are healed or acknowledged."""

HEALED_BY_NEXT = (*OF_PAYMENTS, *STEPS, *CHAIN)
"""Invariants whose breaches a run checks again and finds healed."""

HEALED_IN_FULL = (*INVARIANTS, *CHAIN, ledger_batch.BEGINNING)
"""Invariants whose breaches a full run finds healed; that a verified batch was lost is only acknowledged."""


class Position(NamedTuple):
    """How far the books are verified: the last event and batch, and the last batch that was verified once more."""

    xact: str
    sequence: int
    batch: int
    batch_hash: bytes
    again: int


class Transition(NamedTuple):
    """An event of the feed."""

    xact: str
    sequence: int
    name: str
    subject_id: str


class Slice(NamedTuple):
    """Payments to check; `accepted` are those of which only their being there is checked."""

    ids: list[str]
    accepted: list[str]


def read_one_snapshot(connection: Connection) -> None:
    """Let this new transaction read a single moment: a refund may be posted between two of its statements."""
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def try_lock(connection: Connection) -> bool:
    """Whether no other transaction verifies; none can until this one ends."""
    return bool(connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(%s)", (VERIFICATION_LOCK,)).scalar_one())


def lock(connection: Connection) -> None:
    """Wait until no other transaction verifies; none can until this one ends."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (VERIFICATION_LOCK,))


def position(connection: Connection) -> Position:
    """How far the books are verified."""
    row = connection.exec_driver_sql(
        "SELECT xact::text, sequence, batch, batch_hash, again FROM verification_positions"
    ).one()
    return Position(row.xact, row.sequence, row.batch, bytes(row.batch_hash), row.again)


def advance(connection: Connection, to: Position) -> None:
    """Record how far the books are verified."""
    connection.exec_driver_sql(
        "UPDATE verification_positions SET xact = %s, sequence = %s, batch = %s, batch_hash = %s, again = %s,"
        " verified_at = now()",
        tuple(to),
    )


def note_full(connection: Connection) -> None:
    """Record that everything was verified."""
    connection.exec_driver_sql("UPDATE verification_positions SET full_at = now()")


NEXT = f"""
SELECT e.xact::text, e.sequence, e.name, e.subject_id::text FROM (
    SELECT * FROM events e WHERE (e.xact, e.sequence) > (%s::xid8, %s) ORDER BY e.xact, e.sequence LIMIT {EVENTS_MAX}
) AS e WHERE {SETTLED} ORDER BY e.xact, e.sequence
"""


def transitions(connection: Connection, after: Position) -> list[Transition]:
    """The next settled events after the position."""
    return records(Transition, connection.exec_driver_sql(NEXT, (after.xact, after.sequence)))


def slice_of(events: Iterable[Transition], more: Iterable[str]) -> Slice:
    """The payments of the events, with `more` of them."""
    accepted: set[str] = set()
    ids = set(more)
    for event in events:
        (accepted if event.name == "payment.initiated" else ids).add(event.subject_id)
    return Slice(sorted(ids), sorted(accepted - ids))


def unannounced(connection: Connection, payment_ids: Collection[str]) -> list[str]:
    """Posted payments that no event leads to."""
    rows = connection.exec_driver_sql(
        "SELECT id FROM unnest(%s::uuid[]) AS posted (id) WHERE NOT EXISTS ("
        " SELECT FROM events e WHERE e.subject_id = posted.id AND e.name = 'payment.completed' AND e.name <> 'ping')",
        (pg_arrays.plain(payment_ids),),
    )
    return [str(row[0]) for row in rows]


RELATED = """
WITH parents AS (SELECT unnest(%(ids)s::uuid[]) AS id UNION
                 SELECT p.parent_id FROM payments p WHERE p.id = ANY(%(ids)s::uuid[]) AND p.parent_id IS NOT NULL)
SELECT id::text FROM parents
UNION SELECT p.id::text FROM payments p WHERE p.parent_id = ANY(ARRAY(SELECT id FROM parents))
"""
ACCOUNTS = """
SELECT account_id::text FROM operations WHERE payment_id = ANY(%(ids)s::uuid[])
UNION SELECT source_id::text FROM payments WHERE id = ANY(%(ids)s::uuid[])
"""


def broken(connection: Connection, some: Slice, account_ids: Iterable[str] = ()) -> list[Breach]:
    """Breaches of these payments and of those they give back, of their accounts, and of the accounts named."""
    found: list[Breach] = []
    ids = pg_arrays.plain(row[0] for row in connection.exec_driver_sql(RELATED, {"ids": pg_arrays.plain(some.ids)}))
    accounts = {row[0] for row in connection.exec_driver_sql(ACCOUNTS, {"ids": ids})} | set(account_ids)
    parameters = {"ids": ids, "accounts": pg_arrays.plain(accounts), "accepted": pg_arrays.plain(some.accepted)}
    for name in OF_PAYMENTS:
        found += _found(connection, name, NARROWED.format(INVARIANTS[name], BREACHES_MAX), parameters)
    for name, query in STEPS.items():
        found += _found(connection, name, f"{query} LIMIT {BREACHES_MAX:d}", parameters)
    return found + ledger_batch.unchained(connection, some.ids, BREACHES_MAX)


def _found(connection: Connection, name: str, query: str, parameters: dict[str, str]) -> list[Breach]:
    result = connection.exec_driver_sql(query, parameters)
    columns = list(result.keys())
    return [breach_of(name, dict(zip(columns, map(_text, row), strict=True))) for row in result]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def broken_everywhere(connection: Connection, name: str) -> list[Breach]:
    """Breaches of the invariant of this name, over all data."""
    return [breach_of(name, row) for row in invariants.broken(connection, name, BREACHES_MAX)]


NAMING = ("line", "key", "currency", "version", "quarter")
"""Columns that name a row within the payment, account or user of the first column."""


def breach_of(name: str, row: dict[str, str | None]) -> Breach:
    """The breach that a row of the invariant's query is."""
    first, *others = row
    words = [str(row[first]), *(f"{column} {row[column]}" for column in others if column in NAMING)]
    return Breach(name, " ".join(words), row)


def moment(connection: Connection) -> datetime:
    """The time of the database."""
    now: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return now
