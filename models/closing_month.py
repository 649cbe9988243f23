"""A month that is closed: that of a time zone, by the database's rules."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

OPEN_DAYS_MAX = 93
"""What was open at the end of a month is found from what became final since, for about three months."""


class ClosingMonth(NamedTuple):
    """A month of a time zone: its beginning, its end, whether it is over, and ended at most OPEN_DAYS_MAX days ago."""

    start: datetime
    end: datetime
    is_over: bool
    is_recent: bool


TIMEZONES: set[str] = set()
"""Names of the time zones, read once by each process: PostgreSQL opens a thousand files for them. Without `localtime`,
which is another on each server."""


def _midnight(of: str) -> str:
    """SQL of the first moment of a day: where clocks go back at one, as in Havana, the earlier of two midnights."""
    later = f"{of} AT TIME ZONE %(zone)s"
    return f"""({later} - CASE WHEN ({later} - interval '1 hour') AT TIME ZONE %(zone)s = {of}
                THEN interval '1 hour' ELSE interval '0' END)"""


MONTH = f"""
SELECT start, "end", "end" <= now(), "end" > now() - make_interval(days => %(days)s)
FROM (SELECT make_timestamp(%(year)s, %(month)s, 1, 0, 0, 0) AS first) AS of,
     LATERAL (SELECT first + interval '1 month' AS next) AS following,
     LATERAL (SELECT {_midnight("first")} AS start, {_midnight("next")} AS "end") AS bounds
"""


def month_of(connection: Connection, month: datetime, timezone: str) -> ClosingMonth | None:
    """The month in this time zone; None if PostgreSQL knows no zone of this name."""
    if not TIMEZONES:
        names = connection.exec_driver_sql(
            "SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right|localtime$)'"
        )
        TIMEZONES.update(row[0] for row in names)
    if timezone not in TIMEZONES:
        return None
    row = connection.exec_driver_sql(
        MONTH, {"zone": timezone, "year": month.year, "month": month.month, "days": OPEN_DAYS_MAX}
    ).one()
    return ClosingMonth(*row)
