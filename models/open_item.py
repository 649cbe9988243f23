"""Open items: what no machine goes on with, each with who of ops took it.

An item is known by its kind, its subject and since when it waits: a payment that is parked again is another item.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset
from models.audit import Actor
from models.keyset import START, Cursor
from models.overview import PAYOUT_UNDECIDED
from models.records import record, records
from models.representations import iso

ITEMS_MAX = 100
"""Items that are listed, the oldest first; more are in the list of their kind."""

LABEL_LENGTH_MAX = 200
"""Of the words that tell an item from others of its kind."""

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ID, NUMBER = re.compile(UUID, re.ASCII), re.compile("[1-9][0-9]{0,17}", re.ASCII)


class ItemKind(NamedTuple):
    """How the items of a kind are found: `select` ends before its condition, `key` is that of one of them."""

    select: str
    where: str
    key: str
    order: str


KINDS = {
    "parked": ItemKind(
        "SELECT p.id::text AS subject, p.parked_at AS since, p.type AS label FROM payments p",
        "p.parked_at IS NOT NULL",
        "p.id = %(subject)s::uuid",
        "p.parked_at",
    ),
    "undecided": ItemKind(
        "SELECT p.id::text AS subject, p.created_at AS since, coalesce(i.last_error, 'not tried in time') AS label"
        " FROM instructions i JOIN payments p ON p.id = i.payment_id",
        f"p.state = 'AUTHORIZED' AND p.parked_at IS NULL AND {PAYOUT_UNDECIDED}",
        "i.payment_id = %(subject)s::uuid",
        "i.due_at",
    ),
    "adjustments_proposed": ItemKind(
        "SELECT a.id::text AS subject, a.created_at AS since, a.reason AS label FROM adjustments a",
        "a.approved_at IS NULL AND a.rejected_at IS NULL",
        "a.id = %(subject)s::uuid",
        "a.created_at",
    ),
    "resolutions_proposed": ItemKind(
        "SELECT r.payment_id::text AS subject, r.created_at AS since, r.reason AS label FROM resolutions r",
        "r.approved_by IS NULL AND r.rejected_by IS NULL AND r.executed_at IS NULL",
        "r.payment_id = %(subject)s::uuid",
        "r.created_at",
    ),
    "reconciliation_exceptions": ItemKind(
        "SELECT l.statement_id || '/' || l.line AS subject, l.booked_on::timestamp AT TIME ZONE 'UTC' AS since,"
        " l.verdict AS label FROM bank_statement_lines l",
        "l.verdict IN ('mismatched', 'missing_here', 'missing_there') AND l.matched_at IS NULL"
        " AND l.dismissed_at IS NULL",
        "l.statement_id = split_part(%(subject)s, '/', 1)::uuid AND l.line = split_part(%(subject)s, '/', 2)::integer",
        "l.booked_on",
    ),
    "endpoints_disabled": ItemKind(
        "SELECT e.id::text AS subject, coalesce(e.failing_since, e.created_at) AS since, e.url AS label"
        " FROM webhook_endpoints e",
        "e.disabled_reason IS NOT NULL AND e.deleted_at IS NULL",
        "e.id = %(subject)s::uuid",
        "e.failing_since",
    ),
    "breaches": ItemKind(
        "SELECT b.id::text AS subject, b.found_at AS since, b.invariant AS label FROM breaches b",
        "b.healed_at IS NULL AND b.acknowledged_at IS NULL",
        "b.id = %(subject)s::bigint",
        "b.found_at",
    ),
}
"""By the name of its count in the overview."""

SUBJECTS = {"reconciliation_exceptions": re.compile(rf"{UUID}/[1-9][0-9]{{0,5}}", re.ASCII), "breaches": NUMBER}
"""How subjects are written; those of other kinds are ids."""


class OpenItem(NamedTuple):
    """An item that waits for a person, and who took it; `taken_by` None with `taken_at`: the operator, in a shell."""

    kind: str
    subject: str
    since: datetime
    label: str
    assignment_id: str | None
    taken_by: str | None
    taken_by_name: str | None
    taken_at: datetime | None


class Assignment(NamedTuple):
    """Who took an item and gave it back; of both None without a time: not given back, and else: in a shell."""

    id: str
    kind: str
    subject: str
    since: datetime
    reason: str | None
    taken_by: str | None
    taken_at: datetime
    given_by: str | None
    given_at: datetime | None
    given_reason: str | None


def _of_kind(kind: str) -> str:
    known = KINDS[kind]
    return (
        f"(SELECT '{kind}' AS kind, found.* FROM ({known.select} WHERE {known.where}"
        f" ORDER BY {known.order} LIMIT {ITEMS_MAX}) AS found)"
    )


def items(connection: Connection, kinds: Sequence[str] = ()) -> list[OpenItem]:
    """The oldest ITEMS_MAX open items of these kinds, or of all."""
    found = " UNION ALL ".join(_of_kind(kind) for kind in kinds or KINDS)
    rows = connection.exec_driver_sql(f"""
        SELECT i.kind, i.subject, i.since, left(i.label, {LABEL_LENGTH_MAX}) AS label, a.id::text AS assignment_id,
               a.taken_by::text, u.name AS taken_by_name, a.taken_at
        FROM ({found}) AS i
        LEFT JOIN assignments a
            ON (a.kind, a.subject, a.since) = (i.kind, i.subject, i.since) AND a.given_at IS NULL
        LEFT JOIN users u ON u.id = a.taken_by
        ORDER BY i.since NULLS LAST, i.kind, i.subject LIMIT {ITEMS_MAX}
    """)
    return records(OpenItem, rows)


ASSIGNMENT = """
SELECT a.id::text, a.kind, a.subject, a.since, a.reason, a.taken_by::text, a.taken_at, a.given_by::text, a.given_at,
       a.given_reason
FROM assignments a
"""


class Taken(Exception):
    """Somebody else has the item."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment.id)
        self.assignment = assignment


def is_subject(kind: str, subject: str) -> bool:
    """Whether an item of this kind can have this subject."""
    return bool(SUBJECTS.get(kind, ID).fullmatch(subject))


def take(
    connection: Connection, kind: str, subject: str, actor: Actor, reason: str | None = None
) -> tuple[Assignment, bool] | None:
    """Take an open item, recorded in the audit log; None if there is none.

    Returns the assignment, and False if the actor had it already; raises Taken if somebody else has it.
    """
    known, id = KINDS[kind], str(uuid7())
    item = f"SELECT since FROM ({known.select} WHERE {known.where} AND {known.key}) AS found"
    parameters = {"id": id, "kind": kind, "subject": subject, "reason": reason, "user": actor.user_id}
    connection.exec_driver_sql(
        "INSERT INTO assignments (id, kind, subject, since, reason, taken_by)"
        f" SELECT %(id)s, %(kind)s, %(subject)s, since, %(reason)s, %(user)s FROM ({item}) AS item"
        " ON CONFLICT DO NOTHING",
        parameters,
    )
    kept = record(
        Assignment,
        connection.exec_driver_sql(
            f"{ASSIGNMENT} JOIN ({item}) AS item ON a.since = item.since"
            " WHERE a.kind = %(kind)s AND a.subject = %(subject)s AND a.given_at IS NULL",
            parameters,
        ),
    )
    if kept is None:
        return None
    if kept.id == id:
        audit.note(connection, actor, "assignments.take", id, reason, after=assignment_body(kept))
    elif kept.taken_by != actor.user_id:
        raise Taken(kept)
    return kept, kept.id == id


def by_id(connection: Connection, id: str) -> Assignment | None:
    """The assignment, or None."""
    return record(Assignment, connection.exec_driver_sql(f"{ASSIGNMENT} WHERE a.id = %s", (id,)))


def give_back(connection: Connection, before: Assignment, actor: Actor, reason: str | None = None) -> Assignment:
    """Give an item back, one's own or another's, recorded in the audit log; what was given back stays as it is."""
    given = connection.exec_driver_sql(
        "UPDATE assignments SET given_by = %s, given_at = now(), given_reason = %s WHERE id = %s AND given_at IS NULL",
        (actor.user_id, reason, before.id),
    )
    after = by_id(connection, before.id) or before
    if given.rowcount:
        states = assignment_body(before), assignment_body(after)
        audit.note(connection, actor, "assignments.give_back", before.id, reason, *states)
    return after


def assignments(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    user_id: str | None = None,
    is_open: bool | None = None,
) -> list[Assignment]:
    """Assignments, newest first; of a user, those that were not given back or those that were."""
    conditions = {"a.taken_by = %s": user_id, "(a.given_at IS NULL) = %s": is_open}
    return keyset.page(connection, Assignment, ASSIGNMENT, conditions, limit, at, key="a.id")


def item_body(item: OpenItem) -> dict[str, Any]:
    """The JSON of an open item."""
    return {
        "kind": item.kind,
        "subject": item.subject,
        "since": iso(item.since),
        "label": item.label,
        "assignment": item.assignment_id,
        "taken_by": item.taken_by,
        "taken_by_name": item.taken_by_name,
        "taken_at": iso(item.taken_at),
    }


def assignment_body(assignment: Assignment) -> dict[str, Any]:
    """The JSON of an assignment."""
    times = {name: iso(getattr(assignment, name)) for name in ("since", "taken_at", "given_at")}
    return {**assignment._asdict(), **times}
