"""Events of payments, bulks and webhook endpoints, in one order; only triggers write them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from models import pg_arrays
from models.payment_list import Viewer
from models.records import records

SETTLED = "(e.xact < pg_snapshot_xmin(pg_current_snapshot()) OR e.created_at < now() - interval '1 hour')"
"""Whether no event can appear before this one any more: all transactions that began earlier are over.

No transaction lasts an hour; the second half is for a restored database, whose transaction numbers start again.
"""

CONCERNS = ("user_id", "payer_id", "payee_id")

NAMES = (
    *("payment.initiated", "payment.authorized", "payment.completed", "payment.failed", "payment.parked"),
    *("bulk.completed", "bulk.partially_completed", "bulk.failed", "webhook_endpoint.disabled", "ping"),
)
"""Names of events, as the triggers write them; a ping concerns its endpoint only."""


class Event(NamedTuple):
    """A change of a subject, which had this version then; `xact` and `sequence` are its position in the feed."""

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
"""The user id by sub-select: for a user with many events the planner would otherwise scan those of all users."""
_SETTLED = f"WHERE {SETTLED} ORDER BY e.xact, e.sequence LIMIT %(limit)s"

PAGE_OF_ALL = f"{_EVENT} (SELECT e.* FROM events e WHERE {_NEXT}) AS e {_SETTLED}"
PAGE = f"{_EVENT} ({_CONCERNING}) AS e {_SETTLED}"
"""First the next events, then the settled of them: the reverse would scan all that a long transaction holds back."""

START = ("0", 0)


def page(connection: Connection, viewer: Viewer, after: tuple[str, int], limit: int) -> list[Event]:
    """Events that concern the viewer, oldest first, after the position (xact, sequence); without pings.

    Continuing after the last one misses none, in whatever order transactions commit.
    """
    rows = connection.exec_driver_sql(
        PAGE_OF_ALL if viewer.reads_all else PAGE,
        {"user": viewer.id, "xact": after[0], "sequence": after[1], "limit": limit},
    )
    return records(Event, rows)


def newest(connection: Connection) -> tuple[str, int]:
    """Position of the newest settled event, for readers that want no earlier ones."""
    row = connection.exec_driver_sql(
        f"SELECT e.xact::text, e.sequence FROM events e WHERE {SETTLED} ORDER BY e.xact DESC, e.sequence DESC LIMIT 1"
    ).first()
    return (row[0], row[1]) if row else START


OF_SUBJECTS = (
    f"{_EVENT} events e WHERE e.subject_id = ANY(%s::uuid[]) AND e.name <> 'ping' ORDER BY e.subject_id, e.version"
)


def of_subjects(connection: Connection, ids: Sequence[str]) -> list[Event]:
    """All events of these subjects, in order per subject: a subject's later event never commits first."""
    return records(Event, connection.exec_driver_sql(OF_SUBJECTS, (pg_arrays.plain(ids),)))
