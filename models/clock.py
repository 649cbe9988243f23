"""How far the clock of this process is off the database's: ids that are more than a day off are refused."""

import time

from sqlalchemy import Connection

OFF_SECONDS_REPORTED = 60.0
"""Clocks that are kept by the network differ by milliseconds."""

OFF_SECONDS_MAX = 24 * 3600.0
"""As the trigger `payments_ids_are_of_their_day` has it."""


def seconds_off(connection: Connection) -> float:
    """By how much it is ahead; negative: behind."""
    now: float = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float").scalar_one()
    return time.time() - now


def describe(seconds: float) -> str:
    """The distance in words."""
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's"
