"""Breaches: rows that break an invariant, as verification found them, until they are healed or acknowledged."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import audit, keyset, pg_arrays
from models.audit import Actor
from models.keyset import START, Cursor
from models.records import records

OPEN_CHECKED_MAX = 200
"""Open breaches that each run checks again; a full run checks all."""


class Breach(NamedTuple):
    """A broken invariant and the row that breaks it: its name, and its values as texts."""

    invariant: str
    subject: str
    details: Mapping[str, object]


class KeptBreach(NamedTuple):
    """A breach as it was recorded."""

    id: str
    invariant: str
    subject: str
    details: dict[str, object]
    found_at: datetime
    healed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    reason: str | None


NEW = pg_arrays.Columns("new", "invariant text, subject text, details jsonb")


def record(connection: Connection, breaches: Collection[Breach]) -> dict[str, Breach]:
    """Record the breaches; returns those that were not open already, by id."""
    by_key = {(breach.invariant, breach.subject): breach for breach in breaches}
    if not by_key:
        return {}
    rows = connection.exec_driver_sql(
        f"INSERT INTO breaches (invariant, subject, details) SELECT * FROM {NEW.unnest}"
        " ON CONFLICT (invariant, subject) WHERE healed_at IS NULL DO NOTHING RETURNING id::text, invariant, subject",
        NEW.parameters(by_key.values()),
    )
    return {row.id: by_key[row.invariant, row.subject] for row in rows}


def not_found_again(
    connection: Connection,
    invariants: Collection[str],
    found: Iterable[Breach],
    *,
    subjects: Collection[str] | None = None,
    before: datetime | None = None,
) -> dict[str, str]:
    """The open breaches of these invariants that were not found again: their subjects by id.

    Only those of these `subjects`, or those found `before` that moment.
    """
    still = {(breach.invariant, breach.subject) for breach in found}
    rows = connection.exec_driver_sql(
        "SELECT id, invariant, subject FROM breaches WHERE healed_at IS NULL AND invariant = ANY(%s::text[])"
        " AND (%s::text[] IS NULL OR subject = ANY(%s::text[])) AND found_at < coalesce(%s::timestamptz, 'infinity')",
        (
            pg_arrays.quoted(invariants),
            *[None if subjects is None else pg_arrays.quoted(subjects)] * 2,
            before,
        ),
    ).all()
    return {str(row.id): row.subject for row in rows if (row.invariant, row.subject) not in still}


def heal(connection: Connection, ids: Collection[str]) -> None:
    """Record that these breaches are healed."""
    if ids:
        connection.exec_driver_sql(
            "UPDATE breaches SET healed_at = now() WHERE id = ANY(%s::bigint[]) AND healed_at IS NULL",
            (pg_arrays.plain(ids),),
        )


WALLETS = """
SELECT a.id::text FROM accounts a WHERE a.owner_id IS NOT NULL AND a.id IN (
    SELECT %(id)s::uuid
    UNION ALL SELECT o.account_id FROM operations o
    WHERE o.payment_id = %(id)s AND o.line = coalesce(%(line)s::smallint, o.line)
    UNION ALL SELECT unnest(ARRAY[p.source_id, p.target_id]) FROM payments p
    WHERE p.id = %(id)s AND %(line)s::smallint IS NULL)
"""


def wallets(connection: Connection, breach: Breach) -> list[str]:
    """Ids of the wallets that it is about: the account itself, that of the operation, or those of the payment."""
    id, *rest = breach.subject.split(" ")
    if not is_id(id):
        return []
    line = rest[1] if rest[:1] == ["line"] else None
    return [row[0] for row in connection.exec_driver_sql(WALLETS, {"id": id, "line": line})]


ID_LENGTH, ID_DASHES = 36, 4
"""Of the text of a UUID."""


def is_id(word: str) -> bool:
    """Whether the first word of a subject is the id of a payment, an account or the like."""
    return len(word) == ID_LENGTH and word.count("-") == ID_DASHES


def open_subjects(connection: Connection) -> list[str]:
    """Subjects of open breaches, newest first."""
    rows = connection.exec_driver_sql(
        "SELECT subject FROM breaches WHERE healed_at IS NULL ORDER BY id DESC LIMIT %s", (OPEN_CHECKED_MAX,)
    )
    return list(dict.fromkeys(row[0] for row in rows))


def is_any_open(connection: Connection, invariants: Collection[str]) -> bool:
    """Whether a breach of one of these invariants is neither healed nor acknowledged."""
    return bool(
        connection.exec_driver_sql(
            "SELECT EXISTS (SELECT FROM breaches WHERE healed_at IS NULL AND acknowledged_at IS NULL"
            " AND invariant = ANY(%s::text[]))",
            (pg_arrays.quoted(invariants),),
        ).scalar_one()
    )


def acknowledge(connection: Connection, id: str, actor: Actor, reason: str) -> bool:
    """Acknowledge a breach, with its audit entry; False if it was acknowledged before, or there is none."""
    is_new = (
        connection.exec_driver_sql(
            "UPDATE breaches SET acknowledged_at = now(), acknowledged_by = %s, reason = %s"
            " WHERE id = %s AND acknowledged_at IS NULL",
            (actor.name, reason, id),
        ).rowcount
        == 1
    )
    if is_new:
        audit.note(connection, actor, "breaches.acknowledge", id, reason)
    return is_new


_BREACH = """
SELECT id::text, invariant, subject, details, found_at, healed_at, acknowledged_at, acknowledged_by, reason
FROM breaches
"""
IS_OPEN = "(healed_at IS NULL AND acknowledged_at IS NULL) = %s"


def by_id(connection: Connection, id: str) -> KeptBreach | None:
    """The breach of this id."""
    return next(iter(records(KeptBreach, connection.exec_driver_sql(f"{_BREACH} WHERE id = %s", (id,)))), None)


def page(
    connection: Connection, limit: int, at: Cursor = START, *, is_open: bool | None = None, subject: str | None = None
) -> list[KeptBreach]:
    """Breaches, newest first; `is_open`: neither healed nor acknowledged."""
    conditions = {IS_OPEN: is_open, "subject = %s": subject}
    return keyset.page(connection, KeptBreach, _BREACH, conditions, limit, at, key="breaches.id", kind="bigint")
