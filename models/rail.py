"""Rails as ops see them: what each has to tell its bank, was told and does not know, and the files it exchanged."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset
from models.audit import Actor
from models.keyset import START, Cursor
from models.pause import IS_OVER
from models.records import record
from models.representations import iso

COUNTED_MAX = 10_000
"""Payouts under way that are counted, the earliest due first, and files of a rail."""

FILES_DAYS = 1
"""Days whose files are counted."""

FILE_STATES = ("written", "read", "broken")
BROKEN = "broken"

CONTENT_BYTES_MAX = 8 * 1024 * 1024
"""Of a file whose content is kept: a rail reads none that is larger."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]|^\.+", re.ASCII)


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
    """A file that was written for a bank or came from it; `items` are what is in it, None of one that is broken.

    `content` is None of one that is too large to be kept.
    """

    state: str
    name: str
    items: int | None
    content: bytes | None = None


class KeptFile(NamedTuple):
    """A file as it is kept; `bytes` and `sha256` are None if its content is not."""

    id: str
    rail: str
    state: str
    name: str
    items: int | None
    noted_at: datetime
    bytes: int | None
    sha256: str | None


def note_files(connection: Connection, rail: str, files: Sequence[BankFile]) -> None:
    """Keep which files the rail wrote and read, with their content; what is kept already stays as it is."""
    for file in files:
        id = str(uuid7())
        is_new = connection.exec_driver_sql(
            "INSERT INTO rail_files (id, rail, state, name, items) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (id, rail, file.state, file.name, file.items),
        ).rowcount
        if is_new and file.content is not None and len(file.content) <= CONTENT_BYTES_MAX:
            connection.exec_driver_sql(
                "INSERT INTO rail_file_contents (file_id, content, hash) VALUES (%s, %s, %s)",
                (id, file.content, hashlib.sha256(file.content).digest()),
            )


FILE = """
SELECT f.id::text, f.rail, f.state, f.name, f.items, f.noted_at, octet_length(c.content) AS bytes,
       encode(c.hash, 'hex') AS sha256
FROM rail_files f LEFT JOIN rail_file_contents c ON c.file_id = f.id
"""


def files(
    connection: Connection, limit: int, at: Cursor = START, *, rail: str, states: list[str] | None = None
) -> list[KeptFile]:
    """The files of a rail, newest first."""
    conditions = {"f.rail = %s": rail, "f.state = ANY(%s)": states}
    return keyset.page(connection, KeptFile, FILE, conditions, limit, at, key="f.id")


def file(connection: Connection, id: str) -> KeptFile | None:
    """The file, if there is one of this id whose content is kept."""
    query = f"{FILE} WHERE f.id = %s AND c.file_id IS NOT NULL"
    return record(KeptFile, connection.exec_driver_sql(query, (id,)))


def saved_name(kept: KeptFile) -> str:
    """The name under which a file is saved: a bank chose it, and no folder or header is to be fooled by it."""
    return _NOT_IN_A_NAME.sub("_", kept.name)


class ContentDiffers(Exception):
    """What is kept of a file has no longer the hash that was written beside it."""


def download(connection: Connection, actor: Actor, kept: KeptFile) -> bytes:
    """What is in the file, which has names and account numbers: who reads it is in the audit log.

    Raises ContentDiffers.
    """
    query = "SELECT content FROM rail_file_contents WHERE file_id = %s"
    content = bytes(connection.exec_driver_sql(query, (kept.id,)).scalar_one())
    if hashlib.sha256(content).hexdigest() != kept.sha256:
        raise ContentDiffers(kept.id)
    named = {name: getattr(kept, name) for name in ("rail", "state", "name", "sha256")}
    audit.note(connection, actor, "rail_files.download", kept.id, after=named)
    return content


def body(rail: RailStatus) -> dict[str, Any]:
    """The JSON of a rail."""
    shown = {**rail._asdict(), "oldest_at": iso(rail.oldest_at), "updates_read_at": iso(rail.updates_read_at)}
    return {"pause": shown.pop("pause_id"), "files": {name: shown.pop(name) for name in FILE_STATES}, **shown}


def file_body(file: KeptFile) -> dict[str, Any]:
    """The JSON of a file."""
    return {**file._asdict(), "noted_at": file.noted_at.isoformat()}
