"""Heartbeats: one row a worker, written by a task that it took and ended; one of beat's, by any task it sent."""

import re
from typing import NamedTuple

from sqlalchemy import Connection

BEAT = "beat"
"""The name that beat goes by; workers are named kind@host, as in posting@host or posting-2@host."""

STALE_SECONDS = 30.0
"""A worker not seen for so long is reported: six heartbeats, so that a restart of the broker is no alarm."""

_KIND = re.compile("[a-z]+", re.ASCII)


class Heartbeat(NamedTuple):
    """A worker and how many seconds ago it was last seen; and was last reached by a message, None if it never was."""

    name: str
    age_seconds: float
    heard_seconds: float | None

    @property
    def is_fresh(self) -> bool:
        """Whether the worker does its work."""
        return self.age_seconds < STALE_SECONDS

    @property
    def hears(self) -> bool:
        """Whether messages reach it; without them it works on by its own clock."""
        return self.heard_seconds is not None and self.heard_seconds < STALE_SECONDS

    @property
    def kind(self) -> str:
        """What it does."""
        return kind_of(self.name)


def kind_of(name: str) -> str:
    """What the worker of this name does, by the beginning of it; empty if that says nothing."""
    found = _KIND.match(name)
    return found[0] if found else ""


def beat(connection: Connection, name: str, *, has_heard: bool = True) -> None:
    """Note that the worker of this name is alive now; `has_heard`: by a message that reached it."""
    connection.exec_driver_sql(
        "INSERT INTO worker_heartbeats AS old (name, heard_at) VALUES (%s, CASE WHEN %s THEN now() END)"
        " ON CONFLICT (name) DO UPDATE SET seen_at = now(), heard_at = coalesce(excluded.heard_at, old.heard_at)",
        (name, has_heard),
    )


def recent(connection: Connection) -> list[Heartbeat]:
    """All workers seen within the last hour, by name: one gone for longer was taken out of service."""
    rows = connection.exec_driver_sql(
        "SELECT name, extract(epoch FROM now() - seen_at)::float, extract(epoch FROM now() - heard_at)::float"
        " FROM worker_heartbeats WHERE seen_at > now() - interval '1 hour' ORDER BY name"
    )
    return [Heartbeat(*row) for row in rows]
