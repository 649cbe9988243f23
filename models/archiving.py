"""Takes months of payments and operations out of the database, and back: with the owner's role.

Only months that nothing changes any more are taken. What the books need of them stays in the tables of `archive`.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection

from models import kept_sums, ledger_batch, posting_lock
from models.partitions import PARTITIONED

ARCHIVE_LOCK = 0x61726368
"""Advisory lock of a command ("arch" in ASCII): two do not work on the same month."""

LOCK_MILLISECONDS = 1_000
"""How long the tables are waited for; payments wait as long at most, and the command tries again."""

ROWS_AT_ONCE = 5_000

KEYS = {"payments": "id", "operations": "payment_id, line"}
"""The order of the rows in a file."""

FINAL_DAYS_MIN = 31
"""Days that the last payment of a month must have been final: webhooks are kept for 30."""


class PaymentMonth(NamedTuple):
    """A month that is archived or may be; without `dropped`, its tables are there: attached, or `detached`."""

    month: date
    first: str
    next: str
    detached: bool
    dropped: bool

    @property
    def name(self) -> str:
        """As 2026-01."""
        return f"{self.month:%Y-%m}"

    def table(self, parent: str) -> str:
        """The name of its partition."""
        return f"{parent}_{self.month:%Y_%m}"


class NotArchivable(Exception):
    """The month, or what is in the files, does not allow it; the text says why."""


MONTHS = """
SELECT coalesce(a.month, p.month) AS month, uuid_floor(coalesce(a.month, p.month)::timestamp AT TIME ZONE 'UTC')::text,
       uuid_floor((coalesce(a.month, p.month) + interval '1 month') AT TIME ZONE 'UTC')::text,
       a.month IS NOT NULL, a.dropped_at IS NOT NULL
FROM archived_months a FULL JOIN (
    SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'payments'::regclass AND c.relname ~ '^payments_[0-9]{4}_[0-9]{2}$'
) p ON p.month = a.month
ORDER BY 1
"""


def months(connection: Connection) -> list[PaymentMonth]:
    """All months that are archived or have a partition, oldest first."""
    return [PaymentMonth(*row) for row in connection.exec_driver_sql(MONTHS)]


def lock(connection: Connection) -> None:
    """Wait for other commands; none works on a month until this transaction ends."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (ARCHIVE_LOCK,))


OBSTACLES = {
    "payments that are not final": "SELECT count(*) FROM {payments} WHERE state NOT IN ('COMPLETED', 'FAILED')",
    f"payments that became final less than {FINAL_DAYS_MIN} days ago": f"""
        SELECT count(*) FROM {{payments}} WHERE finalized_at > now() - interval '{FINAL_DAYS_MIN} days'""",
    "refunds or returns of its payments that are not final": """
        SELECT count(*) FROM payment_children c JOIN payments p ON p.id = c.child_id
        WHERE c.parent_id >= %(first)s AND c.parent_id < %(next)s AND p.state NOT IN ('COMPLETED', 'FAILED')""",
    "bulks that are not final": """
        SELECT count(*) FROM bulks b WHERE state = 'INITIATED' AND EXISTS (
            SELECT FROM {payments} p WHERE p.bulk_id = b.id)""",
    "payouts that wait for the bank": """
        SELECT count(*) FROM instructions
        WHERE due_at IS NOT NULL AND payment_id >= %(first)s AND payment_id < %(next)s""",
    "webhooks that are not delivered": """
        SELECT count(*) FROM webhook_deliveries
        WHERE state = 'pending' AND subject_id >= %(first)s AND subject_id < %(next)s""",
    "events that a reader has not read": """
        SELECT count(*) FROM (SELECT xact, sequence FROM event_positions
                              UNION ALL SELECT xact, sequence FROM verification_positions) r
        JOIN events e ON (e.xact, e.sequence) > (r.xact, r.sequence)
        WHERE e.subject_id >= %(first)s AND e.subject_id < %(next)s""",
    "operations that are not verified": """
        SELECT count(*) FROM {operations} WHERE created_at > (
            SELECT posted_at FROM ledger_batches JOIN verification_positions ON batch = number)""",
    "operations that are not summed up": """
        SELECT count(*) FROM merchant_sum_positions s
        JOIN {operations} o ON o.account_id = s.account_id AND o.account_seq > s.account_seq""",
    "breaches of the books that nobody acknowledged": """
        SELECT count(*) FROM breaches WHERE healed_at IS NULL AND acknowledged_at IS NULL""",
}
"""What a month must not have, each with the query that counts it."""


def obstacles(connection: Connection, month: PaymentMonth) -> list[str]:
    """Why the month cannot be archived yet."""
    tables = {parent: month.table(parent) for parent in PARTITIONED}
    parameters = {"first": month.first, "next": month.next}
    found = {
        what: connection.exec_driver_sql(query.format(**tables), parameters).scalar_one()
        for what, query in OBSTACLES.items()
    }
    return [f"{number} {what}" for what, number in found.items() if number]


def rows(connection: Connection, table: str, parent: str, columns: Sequence[str]) -> Iterator[str]:
    """The rows of a table as JSON, in the order of a file: read by a cursor on the server."""
    connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
    picked = ", ".join(columns)
    query = f"SELECT row_to_json(one)::text FROM (SELECT {picked} FROM {table} ORDER BY {KEYS[parent]}) AS one"
    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    yield from connection.exec_driver_sql(query, execution_options=options).scalars()


def columns(connection: Connection, table: str) -> list[str]:
    """The names of the columns of a table."""
    found = connection.exec_driver_sql(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        (table,),
    )
    return list(found.scalars())


RUNS = """
INSERT INTO archived_runs (month, account_id, first_seq, last_seq, balance_before, balance_after, began_at, ended_at,
                           lines, received, paid)
SELECT %(month)s, r.account_id, first, last, o.balance_after - moved, o.balance_after, began_at, ended_at, lines,
       received, paid
FROM (
    SELECT account_id, min(first) AS first, max(last) AS last, sum(amount) AS moved, min(at) AS began_at,
           max(at) AS ended_at, count(*) AS lines, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS received,
           coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS paid
    FROM (
        SELECT *, sum((is_next IS NOT TRUE)::integer) OVER (PARTITION BY account_id ORDER BY first) AS run
        FROM (
            SELECT *, first = lag(last) OVER w + 1 AND date_trunc('month', at AT TIME ZONE 'UTC')
                      = date_trunc('month', lag(at) OVER w AT TIME ZONE 'UTC') AS is_next
            FROM (
                SELECT account_id, payment_id, min(account_seq) AS first, max(account_seq) AS last,
                       sum(amount) AS amount, min(created_at) AS at
                FROM {operations} GROUP BY account_id, payment_id
            ) AS lines WINDOW w AS (PARTITION BY account_id ORDER BY first)
        ) AS neighbours
    ) AS numbered GROUP BY account_id, run
) AS r JOIN {operations} o ON o.account_id = r.account_id AND o.account_seq = r.last
"""
"""Runs of consecutive operations of an account; those of a payment on an account are consecutive."""

SHARED = """
SELECT number FROM ledger_batches
WHERE posted_at >= (SELECT min(created_at) FROM {operations}) AND number > %(after)s
  AND EXISTS (SELECT FROM unnest(payments) AS id WHERE id >= %(first)s AND id < %(next)s)
  AND EXISTS (SELECT FROM unnest(payments) AS id WHERE id >= %(next)s)
ORDER BY number LIMIT 1
"""


def keep(connection: Connection, month: PaymentMonth) -> None:
    """Write what stays of the month, before it is detached."""
    parameters = {"month": month.month, "first": month.first, "next": month.next}
    connection.exec_driver_sql(RUNS.format(operations=month.table("operations")), parameters)
    for kept in kept_sums.KEPT:
        connection.exec_driver_sql(kept.archive, parameters)
    after = -1
    while True:
        shared = SHARED.format(operations=month.table("operations"))
        number = connection.exec_driver_sql(shared, {**parameters, "after": after}).scalar()
        if number is None:
            return
        for id, operations, hash in ledger_batch.leaves(connection, number):
            if month.first <= id < month.next:
                connection.exec_driver_sql(
                    "INSERT INTO archived_hashes (payment_id, month, operations, hash) VALUES (%s, %s, %s, %s)",
                    (id, month.month, operations, hash),
                )
        after = number


def detach(connection: Connection, month: PaymentMonth, counts: dict[str, int], manifest: bytes) -> None:
    """Take the month out of payments and operations; its tables stay until they are dropped.

    Posters and requests wait meanwhile. Raises Contention if they do not end within a second: try again.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
    posting_lock.lead(connection)
    posting_lock.await_followers(connection)
    for parent in PARTITIONED:
        connection.exec_driver_sql(f"ALTER TABLE {parent} DETACH PARTITION {month.table(parent)}")
    connection.exec_driver_sql(
        "INSERT INTO archived_months (month, first_id, next_id, payments, operations, manifest)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (month.month, month.first, month.next, counts["payments"], counts["operations"], manifest),
    )


def hold_still(connection: Connection, month: PaymentMonth) -> None:
    """Lock the tables of a detached month until this transaction ends: nobody changes them."""
    tables = ", ".join(month.table(parent) for parent in PARTITIONED)
    connection.exec_driver_sql(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")


def drop(connection: Connection, month: PaymentMonth, manifest: bytes) -> None:
    """Drop the tables of a detached month; raises NotArchivable if another command was faster."""
    noted = connection.exec_driver_sql(
        "UPDATE archived_months SET dropped_at = now(), manifest = %s WHERE month = %s AND dropped_at IS NULL",
        (manifest, month.month),
    )
    if noted.rowcount != 1:
        raise NotArchivable(f"another command works on {month.name}")
    for parent in PARTITIONED:
        connection.exec_driver_sql(f"DROP TABLE {month.table(parent)}")


def manifest_of(connection: Connection, month: PaymentMonth) -> bytes:
    """The SHA-256 of the manifest of a dropped month; raises NotArchivable if another command was faster."""
    query = "SELECT manifest FROM archived_months WHERE month = %s AND dropped_at IS NOT NULL"
    manifest = connection.exec_driver_sql(query, (month.month,)).scalar()
    if manifest is None:
        raise NotArchivable(f"another command works on {month.name}")
    return bytes(manifest)


def make_empty(connection: Connection, month: PaymentMonth) -> None:
    """Make the tables of a dropped month, empty; what an earlier attempt left in them goes."""
    for parent in PARTITIONED:
        table = month.table(parent)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        connection.exec_driver_sql(
            f"CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)"
        )
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM PUBLIC")


def load(connection: Connection, table: str, columns: Sequence[str], lines: Sequence[str]) -> None:
    """Insert rows that are JSON; columns that came later have their defaults."""
    known = {row[0] for row in connection.exec_driver_sql(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", (table,)
    )}  # fmt: skip
    picked = ", ".join(column for column in columns if column in known)
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({picked}) SELECT {picked} FROM json_populate_recordset(NULL::{table}, %s::json)",
        (f"[{','.join(lines)}]",),
    )


def attach(connection: Connection, month: PaymentMonth) -> None:
    """Make the month a part of payments and operations again; what stayed of it in their place goes."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
    connection.exec_driver_sql("DELETE FROM archived_months WHERE month = %s", (month.month,))
    for parent in PARTITIONED:
        connection.exec_driver_sql(
            "SELECT attach_partition(%s, %s::timestamp AT TIME ZONE 'UTC')", (parent, month.month)
        )


def body(month: PaymentMonth) -> dict[str, Any]:
    """The JSON of a month."""
    return {"month": month.name, "is_detached": month.detached, "is_dropped": month.dropped}
