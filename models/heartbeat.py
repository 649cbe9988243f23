"""Heartbeats: one row per worker, written by a task it ran; one for beat, written by any task it sent."""

import re
from typing import NamedTuple

from sqlalchemy import Connection

from models.records import records

BEAT = "beat"
"""Name of beat; workers are named kind@host, such as posting@host or posting-2@host."""

STALE_SECONDS = 30.0
"""A worker not seen for this long is reported: six heartbeats, so that a restart of the broker raises no alarm."""

_KIND = re.compile("[a-z]+", re.ASCII)


class Heartbeat(NamedTuple):
    """A worker, and the seconds since it was last seen and last received a message (None: never)."""

    name: str
    age_seconds: float
    heard_seconds: float | None

    @property
    def is_fresh(self) -> bool:
        """Whether the worker was seen recently."""
        return self.age_seconds < STALE_SECONDS

    @property
    def hears(self) -> bool:
        """Whether it receives messages; without them it works on by its own timer."""
        return self.heard_seconds is not None and self.heard_seconds < STALE_SECONDS

    @property
    def kind(self) -> str:
        """Kind of the worker."""
        return kind_of(self.name)


def kind_of(name: str) -> str:
    """Kind of a worker, from the beginning of its name; empty if there is none."""
    match = _KIND.match(name)
    return match[0] if match else ""


def beat(connection: Connection, name: str, *, has_heard: bool = True) -> None:
    """Record that the worker is alive now; `has_heard` if a message reached it."""
    connection.exec_driver_sql(
        "INSERT INTO worker_heartbeats AS old (name, heard_at) VALUES (%s, CASE WHEN %s THEN now() END)"
        " ON CONFLICT (name) DO UPDATE SET seen_at = now(), heard_at = coalesce(excluded.heard_at, old.heard_at)",
        (name, has_heard),
    )


def recent(connection: Connection) -> list[Heartbeat]:
    """Workers seen within the last hour, by name: one gone for longer was taken out of service."""
    rows = connection.exec_driver_sql(
        "SELECT name, extract(epoch FROM now() - seen_at)::float AS age_seconds,"
        " extract(epoch FROM now() - heard_at)::float AS heard_seconds"
        " FROM worker_heartbeats WHERE seen_at > now() - interval '1 hour' ORDER BY name"
    )
    return records(Heartbeat, rows)
