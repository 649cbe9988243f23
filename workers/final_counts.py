"""Counting and summing up final payments, a page of events at a time."""

import time

from models import final_count, period_sum
from models.session import Engine, transaction

RUN_SECONDS = 2.0
"""Duration of one run, so that its worker can run others; what is left is for the next."""


def count_up(engine: Engine, seconds: float = RUN_SECONDS) -> bool:
    """Count and sum up what became final; True if the time was over before all was."""
    deadline = time.monotonic() + seconds
    behind = [final_count.add, period_sum.add]
    while behind and time.monotonic() < deadline:
        for add in tuple(behind):
            with transaction(engine) as connection:
                if not add(connection):
                    behind.remove(add)
    return bool(behind)
