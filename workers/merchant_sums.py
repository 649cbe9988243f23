"""Summing up what merchants took in, a page of a wallet at a time."""

import time

from models import merchant_sum
from models.session import Engine, transaction

RUN_SECONDS = 2.0
"""Duration of one task, so that its worker can run others; what is left is for the next."""


def sum_up(engine: Engine, seconds: float = RUN_SECONDS) -> bool:
    """Sum up what is new; True if the time was over before all was."""
    deadline = time.monotonic() + seconds
    while True:
        with transaction(engine) as connection:
            behind = merchant_sum.behind(connection)
        if not behind:
            return False
        for account_id in behind:
            if time.monotonic() > deadline:
                return True
            with transaction(engine) as connection:
                merchant_sum.add(connection, account_id)
