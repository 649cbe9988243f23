"""Difference between this process's clock and the database's: ids more than a day off are refused."""

import time

from sqlalchemy import Connection

OFF_SECONDS_REPORTED = 60.0
"""Clocks synchronised over the network differ by milliseconds."""

OFF_SECONDS_MAX = 24 * 3600.0
"""The same bound as in trigger `payments_ids_are_of_their_day`."""


def seconds_off(connection: Connection) -> float:
    """Seconds that this clock is ahead; negative if it is behind."""
    now: float = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float").scalar_one()
    return time.time() - now


def describe(seconds: float) -> str:
    """The difference as text."""
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's"
