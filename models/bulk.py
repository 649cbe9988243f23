"""Bulks: many payments accepted by one statement, read as a whole and line by line."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.payment import UNLESS_TAKEN
from models.records import record, records


class BulkKind(StrEnum):
    """Kind of a bulk's lines."""

    TRANSFERS = "transfers"
    """Withdrawals from one wallet to bank accounts of third parties."""
    CHARGES = "charges"
    """Charges of many wallets into one."""


class BulkMode(StrEnum):
    """Effect on the other lines if one cannot be paid."""

    ATOMIC = "atomic"
    """The total is held first, or every line fails."""
    BEST_EFFORT = "best_effort"
    """Each line is decided by itself."""


class BulkState(StrEnum):
    """State of a bulk; the schema derives it from its lines."""

    INITIATED = "INITIATED"
    COMPLETED = "COMPLETED"
    PARTIALLY_COMPLETED = "PARTIALLY_COMPLETED"
    FAILED = "FAILED"


class NewBulk(NamedTuple):
    """Members that the lines of a new bulk share.

    One side of each line is the same: `source_id` for transfers, `target_id` for charges; `wire_id` is the other side
    of transfers.
    """

    id: str
    kind: BulkKind
    mode: BulkMode
    user_id: str
    currency: str
    bank_account_id: str | None = None
    source_id: str | None = None
    target_id: str | None = None
    wire_id: str | None = None
    is_open: bool = False


class NewLine(NamedTuple):
    """A new line, the amount in minor units; a transfer has `iban` to `scheduled_at`, a charge `source_id` and
    `summary`."""

    id: str
    amount: int
    reference: str | None
    source_id: str | None = None
    summary: str | None = None
    iban: str | None = None
    bic: str | None = None
    name: str | None = None
    description: str | None = None
    creditor_reference: str | None = None
    instruction_id: str | None = None
    end_to_end_id: str | None = None
    scheduled_at: datetime | None = None


class BulkRecord(NamedTuple):
    """Result of storing lines: the number of the last line, None if nothing was stored, and the references stored."""

    lines: int | None
    references: int


LINE = pg_arrays.Columns(
    "line",
    "id uuid, amount numeric, reference text, source_id uuid, summary text, iban text, bic text, name text,"
    " description text, creditor_reference text, instruction_id text, end_to_end_id text, scheduled_at timestamptz",
)

LINES = f"""
line AS MATERIALIZED (
    SELECT * FROM unnest({LINE.arrays}) WITH ORDINALITY AS line ({LINE.names}, n)
), new_references AS (
    INSERT INTO payment_references (merchant_id, reference, payment_id)
    SELECT bulk.user_id, line.reference, line.id FROM line, bulk WHERE line.reference IS NOT NULL
    ORDER BY line.reference {UNLESS_TAKEN}
    RETURNING 1
), new_payments AS (
    INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, summary, reference, bulk_id,
                          bulk_line, scheduled_at)
    SELECT line.id, CASE bulk.kind WHEN 'charges' THEN 'charge' ELSE 'withdrawal' END, bulk.user_id,
           coalesce(bulk.source_id, line.source_id), coalesce(bulk.target_id, %(wire_id)s::uuid), line.amount,
           bulk.currency, line.summary, line.reference, bulk.id, bulk.lines - %(count)s + line.n,
           line.scheduled_at
    FROM line, bulk
), new_instructions AS (
    INSERT INTO instructions (payment_id, iban, bic, name, description, creditor_reference, instruction_id,
                              end_to_end_id)
    SELECT line.id, line.iban, line.bic, line.name, line.description, line.creditor_reference, line.instruction_id,
           line.end_to_end_id
    FROM line, bulk WHERE bulk.kind = 'transfers'
)
SELECT (SELECT lines FROM bulk), (SELECT count(*) FROM new_references)
"""

ACCEPT = f"""
WITH new_key AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, bulk_id)
    VALUES (%(user_id)s, %(key)s, %(fingerprint)s, %(id)s)
    ON CONFLICT DO NOTHING
    RETURNING bulk_id
), bulk AS (
    INSERT INTO bulks (id, kind, mode, user_id, bank_account_id, source_id, target_id, currency, total, lines, is_open)
    SELECT bulk_id, %(kind)s, %(mode)s, %(user_id)s, %(bank_account_id)s::uuid, %(source_id)s::uuid,
           %(target_id)s::uuid, %(currency)s, %(total)s::numeric, %(count)s, %(is_open)s
    FROM new_key
    RETURNING *
), {LINES}
"""

ADD = f"""
WITH bulk AS (
    UPDATE bulks SET lines = lines + %(count)s, total = total + %(total)s::numeric
    WHERE id = %(id)s AND is_open AND lines = %(lines_before)s
    RETURNING *
), {LINES}
"""


def accept(connection: Connection, head: NewBulk, key: str, fingerprint: bytes, lines: Sequence[NewLine]) -> BulkRecord:
    """Store key, bulk and lines in one statement; nothing if the key is taken.

    If fewer references were stored than passed, the others belong to payments that did not fail (`referenced`): roll
    back then.
    """
    return _keep(connection, ACCEPT, head, lines, {"key": key, "fingerprint": fingerprint})


def add(connection: Connection, head: NewBulk, lines_before: int, lines: Sequence[NewLine]) -> BulkRecord:
    """Add lines to an open bulk that still has `lines_before`; nothing if it has others or is closed. As `accept`."""
    return _keep(connection, ADD, head, lines, {"lines_before": lines_before})


def _keep(
    connection: Connection, statement: str, head: NewBulk, lines: Sequence[NewLine], more: dict[str, object]
) -> BulkRecord:
    row = connection.exec_driver_sql(
        statement,
        {
            **head._asdict(),
            **more,
            "total": str(sum(line.amount for line in lines)),
            "count": len(lines),
            **LINE.parameters(lines),
        },
    ).one()
    return BulkRecord(*row)


def close(connection: Connection, id: str, lines: int | None = None) -> bool:
    """Close the bulk to further lines; False if it is closed already, has none, or not exactly `lines`."""
    closed = connection.exec_driver_sql(
        "UPDATE bulks SET is_open = false WHERE id = %s AND is_open AND lines > 0 AND lines = coalesce(%s, lines)",
        (id, lines),
    )
    return closed.rowcount == 1


def moment(connection: Connection) -> datetime:
    """The time by the database's clock, which decides what is past."""
    moment: datetime = connection.exec_driver_sql("SELECT now()").scalar_one()
    return moment


def referenced(connection: Connection, user_id: str, references: Iterable[str]) -> dict[str, str]:
    """Ids of the user's payments with these references, by reference."""
    rows = connection.exec_driver_sql(
        "SELECT reference, payment_id::text FROM payment_references"
        " WHERE merchant_id = %s AND reference = ANY(%s::text[])",
        (user_id, pg_arrays.quoted(references)),
    )
    return {row[0]: row[1] for row in rows}


class Bulk(NamedTuple):
    """A stored bulk, the total in minor units; `authorized`, `completed` and `failed` count lines."""

    id: str
    kind: str
    state: str
    mode: str
    user_id: str
    bank_account_id: str | None
    source_id: str | None
    target_id: str | None
    total: int
    currency: str
    digits: int
    lines: int
    authorized: int
    completed: int
    failed: int
    is_open: bool
    failure_code: str | None
    version: int
    created_at: datetime
    finalized_at: datetime | None


BULK = """
SELECT b.id::text, b.kind, b.state, b.mode, b.user_id::text, b.bank_account_id::text, b.source_id::text,
       b.target_id::text, b.total, b.currency, c.digits, b.lines, b.authorized, b.completed, b.failed, b.is_open,
       b.failure_code, b.version, b.created_at, b.finalized_at
FROM bulks b JOIN currencies c ON c.code = b.currency
"""


def by_id(connection: Connection, id: str) -> Bulk | None:
    """The bulk, or None."""
    return record(Bulk, connection.exec_driver_sql(f"{BULK} WHERE b.id = %s", (id,)))


def by_ids(connection: Connection, ids: Sequence[str]) -> dict[str, Bulk]:
    """Several bulks by id; unknown ones are left out."""
    rows = connection.exec_driver_sql(f"{BULK} WHERE b.id = ANY(%s::uuid[])", (pg_arrays.plain(ids),))
    return {bulk.id: bulk for bulk in records(Bulk, rows)}


def is_atomic(connection: Connection, id: str) -> bool:
    """Whether its lines are paid or refused together."""
    return connection.exec_driver_sql("SELECT mode = 'atomic' FROM bulks WHERE id = %s", (id,)).scalar_one()


def page(
    connection: Connection,
    kind: BulkKind,
    user_id: str | None,
    limit: int,
    at: Cursor = START,
    *,
    states: list[str] | None = None,
) -> list[Bulk]:
    """A user's bulks of a kind (None: everybody's), newest first."""
    conditions = {"b.user_id = %s": user_id, "b.kind = %s": kind, "b.state = ANY(%s)": states}
    return keyset.page(connection, Bulk, BULK, conditions, limit, at, key="b.id")
