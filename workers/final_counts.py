"""Counting final payments, a page of events at a time."""

import time

from models import final_count
from models.session import Engine, transaction

RUN_SECONDS = 2.0
"""Duration of one run, so that its worker can run others; what is left is for the next."""


def count_up(engine: Engine, seconds: float = RUN_SECONDS) -> bool:
    """Count what became final; True if the time was over before all was."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with transaction(engine) as connection:
            if not final_count.add(connection):
                return False
    return True
