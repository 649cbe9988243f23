"""Events: what happened to payments, bulks and webhook endpoints, in one order; triggers write them, nobody else."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.payment_list import Viewer

SETTLED = "(e.xact < pg_snapshot_xmin(pg_current_snapshot()) OR e.created_at < now() - interval '1 hour')"
"""Nothing can appear before such an event any more: all transactions that began earlier are over.

No transaction of ours lives for an hour; the second half is for a database restored elsewhere, whose transactions are
counted anew.
"""

CONCERNS = ("user_id", "payer_id", "payee_id")

NAMES = (
    *("payment.initiated", "payment.authorized", "payment.completed", "payment.failed", "payment.parked"),
    *("bulk.completed", "bulk.partially_completed", "bulk.failed", "webhook_endpoint.disabled", "ping"),
)
"""What can happen, as the triggers call it; a ping is an event of its endpoint alone."""


class Event(NamedTuple):
    """Something that happened to its subject, which had this version then; `xact` and `sequence` say where."""

    xact: str
    sequence: int
    name: str
    subject_id: str
    version: int
    created_at: datetime


_EVENT = "SELECT e.xact::text, e.sequence, e.name, e.subject_id::text, e.version, e.created_at FROM"
_NEXT = """(e.xact, e.sequence) > (%(xact)s::xid8, %(sequence)s) AND e.name <> 'ping'
ORDER BY e.xact, e.sequence LIMIT %(limit)s"""
_CONCERNING = " UNION ALL ".join(
    f"(SELECT e.* FROM events e WHERE e.{who} = (SELECT %(user)s::uuid) AND {_NEXT})" for who in CONCERNS
)
"""By sub-select: of a user who had many events the planner would expect one soon, and read those of all others."""
_SETTLED = f"WHERE {SETTLED} ORDER BY e.xact, e.sequence LIMIT %(limit)s"

PAGE_OF_ALL = f"{_EVENT} (SELECT e.* FROM events e WHERE {_NEXT}) AS e {_SETTLED}"
PAGE = f"{_EVENT} ({_CONCERNING}) AS e {_SETTLED}"
"""The next ones, of those the settled: looking for settled ones would read all that a long transaction holds back."""

START = ("0", 0)


def page(connection: Connection, viewer: Viewer, after: tuple[str, int], limit: int) -> list[Event]:
    """Events that concern the viewer, oldest first, behind the place (xact, sequence); pings concern nobody else.

    Reading on from the last one finds every other, whichever transaction commits first.
    """
    rows = connection.exec_driver_sql(
        PAGE_OF_ALL if viewer.reads_all else PAGE,
        {"user": viewer.id, "xact": after[0], "sequence": after[1], "limit": limit},
    )
    return [Event(*row) for row in rows]


def newest(connection: Connection) -> tuple[str, int]:
    """The place behind the newest settled event: where somebody begins who wants nothing of before."""
    row = connection.exec_driver_sql(
        f"SELECT e.xact::text, e.sequence FROM events e WHERE {SETTLED} ORDER BY e.xact DESC, e.sequence DESC LIMIT 1"
    ).first()
    return (row[0], row[1]) if row else START


OF_SUBJECTS = (
    f"{_EVENT} events e WHERE e.subject_id = ANY(%s::uuid[]) AND e.name <> 'ping' ORDER BY e.subject_id, e.version"
)


def of_subjects(connection: Connection, ids: Sequence[str]) -> list[Event]:
    """All events of these subjects, each one's in their order: of one subject a later one never commits first."""
    return [Event(*row) for row in connection.exec_driver_sql(OF_SUBJECTS, (pg_arrays.plain(ids),))]
