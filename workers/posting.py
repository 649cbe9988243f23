"""The posting story: claim, lock, decide, write, commit, and again until nothing is due.

One path for a single payment, a batch, a sweep and a retry. It knows no Celery.
"""

import random
import time
from collections.abc import Callable
from enum import StrEnum

import structlog

from models import ledger, payment
from models.rules import posting, retry
from models.session import CommitUnknown, Contention, DatabaseAway, Engine, transaction
from workers import deciding

log = structlog.get_logger("posting")

BATCH_MAX = 500
"""Payments in one transaction: 2,000 gain nothing, and hold the accounts four times as long."""

DRAIN_SECONDS = 2.0
"""How long one task drains before it lets its worker do something else: well below every time limit."""


class Point(StrEnum):
    """The named points of a batch, for those who want to see what dies there."""

    CLAIMED = "claimed"
    LOCKED = "locked"
    WRITTEN = "written"
    COMMITTED = "committed"


Hook = Callable[[Point], None]


class Poster:
    """Posts what is due, with what it has learned about the batch size; one per process."""

    hook: Hook | None = None

    def __init__(self, engine: Engine, *, deposits_open: bool, linger_seconds: float) -> None:
        self.engine = engine
        self.deposits_open = deposits_open
        self.linger_seconds = linger_seconds
        self.batch_limit = BATCH_MAX

    def drain(self, seconds: float = DRAIN_SECONDS) -> tuple[int, bool]:
        """Post until nothing is due or the time is spent; returns how many, and whether work may remain.

        After a small batch the next one lingers, so that the payments arriving meanwhile share its transaction.
        Open commands come first, once a task. Raises DatabaseAway when the database is.
        """
        deciding.decide(self.engine)
        deadline = time.monotonic() + seconds
        posted, lingered = 0, False
        while time.monotonic() < deadline:
            count = self.post_batch(self.linger_seconds if lingered else 0)
            posted += count or 0
            if count == 0 and lingered:
                return posted, False
            lingered = count is not None and count < self.batch_limit
        return posted, True

    def post_batch(self, linger_seconds: float = 0) -> int | None:
        """Post one batch; returns how many payments became final, None if it is to be tried again.

        It lingers after taking its turn, before it looks: whoever stands by keeps standing, and cannot snatch
        the few payments that have come until then.

        An unexpected error halves the next batch, down to the one payment that raises it: only that one
        counts an attempt. A lock not had in time is no attempt of anybody's.
        """
        claimed: list[posting.Payment] = []
        try:
            with transaction(self.engine) as connection:
                ledger.take_turn(connection)
                time.sleep(linger_seconds)
                claimed = payment.claim(connection, self.batch_limit)
                if not claimed:
                    return 0
                self._reach(Point.CLAIMED)
                accounts = ledger.lock_accounts(connection, claimed)
                makers = ledger.makers(connection, claimed)
                self._reach(Point.LOCKED)
                decision = posting.decide(claimed, accounts, makers, deposits_open=self.deposits_open)
                ledger.post(connection, decision)
                self._reach(Point.WRITTEN)
        except Contention:
            log.info("lock not had in time, trying again", claimed=len(claimed))
            return None
        except CommitUnknown:
            return self._read_again(claimed)
        except DatabaseAway:
            raise
        except Exception as error:
            self._split(claimed, error)
            return None
        self._reach(Point.COMMITTED)
        self.batch_limit = min(BATCH_MAX, self.batch_limit * 2)
        log.debug("posted", payments=len(claimed))
        return len(claimed)

    def _read_again(self, claimed: list[posting.Payment]) -> int | None:
        """After a commit of unknown outcome: the rows know whether it happened; it is never posted blindly again."""
        with transaction(self.engine) as connection:
            states = payment.states(connection, [p.id for p in claimed])
        is_posted = all(states[p.id] != p.state for p in claimed)
        log.warning("commit of unknown outcome", payments=len(claimed), had_committed=is_posted)
        return len(claimed) if is_posted else None

    def _split(self, claimed: list[posting.Payment], error: Exception) -> None:
        if not claimed:
            raise error
        if len(claimed) > 1:
            self.batch_limit = len(claimed) // 2
            log.warning("batch failed, splitting it", payments=len(claimed), next=self.batch_limit, exc_info=error)
            return
        culprit = claimed[0]
        with transaction(self.engine) as connection:
            attempts = payment.attempts(connection, culprit.id) + 1
            wait_seconds = retry.backoff_seconds(attempts, random.random())  # noqa: S311 - jitter, no secret
            park = retry.is_spent(attempts)
            cause = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
            payment.postpone(connection, culprit.id, attempts, cause, wait_seconds, park)
        log.error("payment failed to post", payment=culprit.id, attempts=attempts, parked=park, exc_info=error)

    def _reach(self, point: Point) -> None:
        if self.hook is not None:
            self.hook(point)
