"""Heartbeats: one row a worker, written by a task that it took and ended."""

from typing import NamedTuple

from sqlalchemy import Connection

STALE_SECONDS = 30.0
"""A worker not seen for so long is reported: six heartbeats, so that a restart of the broker is no alarm."""


class Heartbeat(NamedTuple):
    """A worker and how many seconds ago it was last seen."""

    name: str
    age_seconds: float

    @property
    def is_fresh(self) -> bool:
        """Whether the worker does its work."""
        return self.age_seconds < STALE_SECONDS


def beat(connection: Connection, name: str) -> None:
    """Note that the worker of this name is alive now."""
    connection.exec_driver_sql(
        "INSERT INTO worker_heartbeats (name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET seen_at = now()",
        (name,),
    )


def everyone(connection: Connection) -> list[Heartbeat]:
    """All workers seen within the last hour, by name: one gone for longer was taken out of service."""
    rows = connection.exec_driver_sql(
        "SELECT name, extract(epoch FROM now() - seen_at)::float FROM worker_heartbeats"
        " WHERE seen_at > now() - interval '1 hour' ORDER BY name"
    )
    return [Heartbeat(*row) for row in rows]
