"""Payments that became final after a time, found by their events; of many months only those accepted before a time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from models import pg_arrays

SLACK = timedelta(hours=1)
"""Events and operations are numbered in time order, except for their transactions' waits, which are seconds."""

CLOCK_SLACK = timedelta(days=1)
"""The time in an id is that of a gateway's clock, which differs from the database's by less: others are refused."""

PAGE = 100_000
"""Events read by one statement, in about a tenth of a second."""

IDS_MAX = 5_000
"""Payments read by one statement."""

EVENTS = f"""
WITH page AS MATERIALIZED (
    SELECT e.xact, e.sequence, e.name, e.subject_id, e.created_at FROM events e
    WHERE (e.xact, e.sequence) > (%(xact)s::xid8, %(sequence)s) ORDER BY e.xact, e.sequence LIMIT {PAGE}
)
SELECT last.xact::text, last.sequence, coalesce(last.created_at >= %(until)s, false),
       ARRAY(SELECT subject_id::text FROM page
             WHERE name IN ('payment.completed', 'payment.failed')
               AND subject_id < uuid_floor(%(ids_before)s))
FROM (SELECT * FROM page ORDER BY xact DESC, sequence DESC LIMIT 1) AS last
"""
"""The ids of payments begin with the time of acceptance: see CLOCK_SLACK."""


class TooManyEvents(Exception):
    """Raised if more events would have to be read than the caller allows."""


def became_final(
    connection: Connection,
    start: datetime,
    end: datetime | None,
    *,
    ids_before: datetime,
    events_max: int | None = None,
) -> Iterator[str]:
    """Arrays of payments with ids of before a time that became final from `start` to `end`, and of some around these.

    Without an end until now. Raises TooManyEvents if more than `events_max` would have to be read.
    """
    xact, sequence, is_past = str(_first_xact(connection, start - SLACK)), -1, False
    until = None if end is None else end + SLACK
    read = 0
    while not is_past:
        page = {"xact": xact, "sequence": sequence, "until": until, "ids_before": ids_before}
        row = connection.exec_driver_sql(EVENTS, page).one_or_none()
        if row is None:
            return
        if events_max is not None and read >= events_max:
            raise TooManyEvents
        read += PAGE
        xact, sequence, is_past, ids = row
        for first in range(0, len(ids), IDS_MAX):
            yield pg_arrays.plain(ids[first : first + IDS_MAX])


def _first_xact(connection: Connection, since: datetime) -> int:
    """Number of the transaction that wrote the first event at or after the time, by bisection; events are in order."""
    ends = (
        f"(SELECT e.xact::text::bigint FROM events e ORDER BY e.xact {way}, e.sequence {way} LIMIT 1)"
        for way in ("ASC", "DESC")
    )
    low, high = connection.exec_driver_sql(f"SELECT {', '.join(ends)}").one()
    low, high = low or 0, high or 0
    while low < high:
        middle = (low + high) // 2
        is_before = connection.exec_driver_sql(
            "SELECT e.created_at < %s FROM events e WHERE e.xact > %s::xid8 ORDER BY e.xact, e.sequence LIMIT 1",
            (since, str(middle)),
        ).scalar()
        low, high = (middle + 1, high) if is_before else (low, middle)
    return low
