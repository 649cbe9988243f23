"""A month that is closed: that of a time zone, by the database's rules."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection


class ClosingMonth(NamedTuple):
    """A month of a time zone: its beginning, its end, and whether it is over."""

    start: datetime
    end: datetime
    is_over: bool


TIMEZONES: set[str] = set()
"""Names of the time zones, read once by each process: PostgreSQL opens a thousand files for them. Without `Factory`,
which is no zone, and `localtime` and `posixrules`, which differ between servers."""


def _midnight(of: str) -> str:
    """SQL of the first moment of a day: where clocks go back at one, as in Havana, the earlier of two midnights."""
    later = f"{of} AT TIME ZONE %(zone)s"
    return f"""({later} - CASE WHEN ({later} - interval '1 hour') AT TIME ZONE %(zone)s = {of}
                THEN interval '1 hour' ELSE interval '0' END)"""


MONTH = f"""
SELECT start, "end", "end" <= now()
FROM (SELECT make_timestamp(%(year)s, %(month)s, 1, 0, 0, 0) AS first) AS of,
     LATERAL (SELECT first + interval '1 month' AS next) AS following,
     LATERAL (SELECT {_midnight("first")} AS start, {_midnight("next")} AS "end") AS bounds
"""


def month_of(connection: Connection, month: datetime, timezone: str) -> ClosingMonth | None:
    """The month in this time zone; None if PostgreSQL knows no zone of this name."""
    if not TIMEZONES:
        names = connection.exec_driver_sql(
            "SELECT name FROM pg_timezone_names WHERE name !~ '^(posix/|right/|(posixrules|localtime|Factory)$)'"
        )
        TIMEZONES.update(row[0] for row in names)
    if timezone not in TIMEZONES:
        return None
    row = connection.exec_driver_sql(MONTH, {"zone": timezone, "year": month.year, "month": month.month}).one()
    return ClosingMonth(*row)
