"""Rails as ops see them: what each has to tell its bank, was told and does not know, and the files it exchanged."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import keyset, pg_arrays
from models.keyset import START, Cursor
from models.pause import IS_OVER
from models.representations import iso

COUNTED_MAX = 10_000
"""Payouts under way that are counted, the earliest due first, and files of a rail."""

FILES_DAYS = 1
"""Days whose files are counted."""

FILE_STATES = ("written", "read", "broken")


class RailStatus(NamedTuple):
    """A connection to a bank, None for payouts whose rail is not chosen yet, and its payouts without an answer.

    `to_tell` are those the bank does not know, `told` those it may know, `received` those of them that it has;
    `undecided` are those that failed or got no answer when they were tried last, `asked` those that ops ask about.
    `oldest_at` is since when the oldest may be known to the bank. `pause_id` if nothing is sent over it now.
    """

    rail: str | None
    to_tell: int
    told: int
    received: int
    undecided: int
    asked: int
    oldest_at: datetime | None
    pause_id: str | None
    updates_read_at: datetime | None
    written: int
    read: int
    broken: int
    is_exact: bool


RAILS = f"""
WITH due AS (
    SELECT rail, payment_id, submitted_at, pending_at, last_error FROM instructions
    WHERE due_at IS NOT NULL ORDER BY due_at, payment_id LIMIT {COUNTED_MAX}
), payouts AS (
    SELECT rail, count(*) FILTER (WHERE submitted_at IS NULL) AS to_tell,
           count(*) FILTER (WHERE submitted_at IS NOT NULL) AS told,
           count(*) FILTER (WHERE pending_at IS NOT NULL) AS received,
           count(*) FILTER (WHERE last_error IS NOT NULL AND pending_at IS NULL) AS undecided,
           min(submitted_at) AS oldest_at
    FROM due GROUP BY rail
), asked AS (
    SELECT i.rail, count(*) AS asked FROM inquiries q JOIN instructions i ON i.payment_id = q.payment_id
    WHERE q.answered_at IS NULL GROUP BY i.rail
), paused AS (
    SELECT q.rail, q.id FROM pauses q WHERE q.rail IS NOT NULL AND q.released_at IS NULL AND NOT {IS_OVER}
), files AS (
    SELECT known.rail, known.updated_at, newest.* FROM rail_positions known CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'written') AS written,
               count(*) FILTER (WHERE state = 'read') AS read,
               count(*) FILTER (WHERE state = 'broken') AS broken
        FROM (SELECT f.state, f.noted_at FROM rail_files f WHERE f.rail = known.rail
              ORDER BY f.id DESC LIMIT {COUNTED_MAX}) AS seen
        WHERE seen.noted_at > now() - make_interval(days => {FILES_DAYS})) AS newest
), names AS (
    SELECT rail FROM payouts UNION SELECT rail FROM asked UNION SELECT rail FROM paused UNION SELECT rail FROM files
)
SELECT n.rail, coalesce(p.to_tell, 0), coalesce(p.told, 0), coalesce(p.received, 0), coalesce(p.undecided, 0),
       coalesce(a.asked, 0), p.oldest_at, q.id::text, f.updated_at, coalesce(f.written, 0), coalesce(f.read, 0),
       coalesce(f.broken, 0), (SELECT count(*) FROM due) < {COUNTED_MAX}
FROM names n
LEFT JOIN payouts p ON p.rail IS NOT DISTINCT FROM n.rail
LEFT JOIN asked a ON a.rail IS NOT DISTINCT FROM n.rail
LEFT JOIN paused q ON q.rail = n.rail
LEFT JOIN files f ON f.rail = n.rail
ORDER BY n.rail NULLS LAST
"""


def rails(connection: Connection) -> list[RailStatus]:
    """The rails that have payouts under way, were read from, or are paused; by name."""
    return [RailStatus(*row) for row in connection.exec_driver_sql(RAILS)]


class BankFile(NamedTuple):
    """A file that was written for a bank or came from it; `items` are what is in it, None of one that is broken."""

    state: str
    name: str
    items: int | None


class KeptFile(NamedTuple):
    """A file as it is kept."""

    id: str
    rail: str
    state: str
    name: str
    items: int | None
    noted_at: datetime


FILE = pg_arrays.Columns("file", "id uuid, state text, name text, items integer")


def note_files(connection: Connection, rail: str, files: Sequence[BankFile]) -> None:
    """Keep which files the rail wrote and read; what is kept already stays as it is."""
    connection.exec_driver_sql(
        f"INSERT INTO rail_files (rail, {FILE.names}) SELECT %(rail)s, * FROM {FILE.unnest} ON CONFLICT DO NOTHING",
        {"rail": rail, **FILE.parameters(files, id=[str(uuid7()) for _ in files])},
    )


def files(
    connection: Connection, limit: int, at: Cursor = START, *, rail: str, states: list[str] | None = None
) -> list[KeptFile]:
    """The files of a rail, newest first."""
    query = "SELECT f.id::text, f.rail, f.state, f.name, f.items, f.noted_at FROM rail_files f"
    conditions = {"f.rail = %s": rail, "f.state = ANY(%s)": states}
    return keyset.page(connection, KeptFile, query, conditions, limit, at, key="f.id")


def body(rail: RailStatus) -> dict[str, Any]:
    """The JSON of a rail."""
    shown = {**rail._asdict(), "oldest_at": iso(rail.oldest_at), "updates_read_at": iso(rail.updates_read_at)}
    return {"pause": shown.pop("pause_id"), "files": {name: shown.pop(name) for name in FILE_STATES}, **shown}


def file_body(file: KeptFile) -> dict[str, Any]:
    """The JSON of a file."""
    return {**file._asdict(), "noted_at": file.noted_at.isoformat()}
