"""The posting story: claim, lock, decide, write, commit, and again until nothing is due.

One path for a single payment, a batch, a sweep and a retry. It knows no Celery.
"""

import random
import time
from collections.abc import Callable
from enum import StrEnum

import structlog

from models import account, adjustment, charge_limit, commission_terms, ledger, payment, payment_command, quote
from models.payment_command import CommandOutcome
from models.rules import posting, retry
from models.rules.commission import NO_SCHEDULES, Schedules
from models.rules.types import ClaimedPayment, PaymentAction
from models.session import (
    CommitUnknown,
    Connection,
    Contention,
    DatabaseAway,
    Engine,
    NoPartition,
    statements,
    transaction,
)
from workers.posting import retries

log = structlog.get_logger("posting")

BATCH_MAX = 500
"""Payments in one transaction: 2,000 gain nothing, and hold the accounts four times as long."""

DRAIN_SECONDS = 2.0
"""How long one task drains before it lets its worker do something else: well below every time limit."""


NO_PARTITION_SECONDS = 60.0
"""How long a payment waits whose month has no partition: somebody is told of it, and makes one."""

TERMS_SECONDS = 30.0
"""How long the terms of commission are known by heart: well below the minute that new ones are told ahead."""

LINGER_SECONDS = 0.02
"""The wait after a small batch for the next payments: within it those of the same moment share one transaction, and
a payment is still final within tens of milliseconds."""

HOLD_TTL_HOURS = 7 * 24
"""How long a hold lasts unless told otherwise."""


class BatchPoint(StrEnum):
    """The named points of a batch, for those who want to see what dies there."""

    CLAIMED = "claimed"
    LOCKED = "locked"
    WRITTEN = "written"
    COMMITTED = "committed"


Hook = Callable[[BatchPoint], None]
Claim = Callable[[Connection, int, Schedules], list[ClaimedPayment]]


class Poster:
    """Posts what is due, with what it has learned about the batch size; one per process."""

    hook: Hook | None = None

    def __init__(
        self,
        engine: Engine,
        *,
        deposits_open: bool,
        linger_seconds: float = LINGER_SECONDS,
        hold_ttl_hours: int = HOLD_TTL_HOURS,
        refunds_commission: bool = True,
    ) -> None:
        self.engine = engine
        self.deposits_open = deposits_open
        self.hold_ttl_hours = hold_ttl_hours
        self.refunds_commission = refunds_commission
        self._schedules = NO_SCHEDULES
        self._houses: dict[tuple[str, str], str] = {}
        self._terms_are_old_at = 0.0
        self.linger_seconds = linger_seconds
        self.batch_limit = BATCH_MAX
        self.has_instructed = False
        """Whether a bank is to be told of something since this was last looked at, and made false again."""

    def drain(self, seconds: float = DRAIN_SECONDS) -> tuple[int, bool]:
        """Post until nothing is due or the time is spent; returns how many, and whether work may remain.

        After a small batch the next one lingers, so that the payments arriving meanwhile share its transaction.
        Commands and expired holds come first, once a task. Raises DatabaseAway when the database is.
        """
        deadline = time.monotonic() + seconds
        self._end_what_is_to_end(deadline)
        posted, lingered = 0, False
        while time.monotonic() < deadline:
            count = self.post_batch(self.linger_seconds if lingered else 0)
            posted += count or 0
            if count == 0 and lingered:
                return posted, False
            lingered = count is not None and count < self.batch_limit
        return posted, True

    def _learn_terms(self, connection: Connection) -> None:
        """Read the terms of commission, and who takes it, every half minute: terms are told a minute ahead."""
        if time.monotonic() < self._terms_are_old_at:
            return
        self._schedules = commission_terms.schedules(connection)
        self._houses = _technical_account_ids(connection)
        self._terms_are_old_at = time.monotonic() + TERMS_SECONDS

    def _end_what_is_to_end(self, deadline: float) -> None:
        with statements(self.engine) as connection:
            if not payment.is_anything_to_end(connection):
                return
        retries.decide(self.engine)
        for claim in (payment.claim_commanded, payment.claim_expired):
            while time.monotonic() < deadline and self.post_batch(claim=claim) != 0:
                pass

    def post_batch(self, linger_seconds: float = 0, claim: Claim = payment.claim) -> int | None:
        """Post one batch; returns how many payments were decided, None if it is to be tried again.

        It lingers after taking its turn, before it looks: whoever stands by keeps standing, and cannot snatch
        the few payments that have come until then.

        An unexpected error halves the next batch, down to the one payment that raises it: only that one
        counts an attempt. A lock not had in time is no attempt of anybody's; nor is a month without a partition.
        """
        claimed: list[ClaimedPayment] = []
        try:
            with transaction(self.engine) as connection:
                ledger.acquire_posting_lock(connection)
                time.sleep(linger_seconds)
                self._learn_terms(connection)
                claimed = claim(connection, self.batch_limit, self._schedules)
                if not claimed:
                    return 0
                if not self._houses.keys() >= {
                    ("exchange", code) for p in claimed for code in (p.currency, p.arrives_in)
                }:  # ops have added one
                    self._houses = _technical_account_ids(connection)
                self._reach(BatchPoint.CLAIMED)
                bulks = ledger.lock_bulks(connection, claimed)
                accounts = ledger.lock_accounts(connection, claimed, self._houses)
                makers = ledger.initiators(connection, claimed)
                charges = ledger.charges(connection, claimed, gives_back=self.refunds_commission)
                quotes = quote.quoted(connection, claimed)
                adjustments = adjustment.agreed(connection, claimed)
                allowances = charge_limit.allowances(connection, claimed, accounts)
                self._reach(BatchPoint.LOCKED)
                told = charges, quotes, adjustments, allowances, bulks
                decision = posting.decide(claimed, accounts, makers, *told, deposits_open=self.deposits_open)
                ledger.post(connection, decision, self.hold_ttl_hours)
                payment_command.decide(connection, _outcomes(claimed))
                self._reach(BatchPoint.WRITTEN)
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
        self._reach(BatchPoint.COMMITTED)
        self.has_instructed |= any(verdict.instructs for verdict in decision.verdicts)
        self.batch_limit = min(BATCH_MAX, self.batch_limit * 2)
        log.debug("posted", payments=len(claimed))
        return len(claimed)

    def _read_again(self, claimed: list[ClaimedPayment]) -> int | None:
        """After a commit of unknown outcome: the rows know whether it happened; it is never posted blindly again."""
        with transaction(self.engine) as connection:
            states = payment.states(connection, [p.id for p in claimed])
        is_posted = all(states[p.id] != p.state for p in claimed if posting.may_end(p))
        log.warning("commit of unknown outcome", payments=len(claimed), had_committed=is_posted)
        return len(claimed) if is_posted else None

    def _split(self, claimed: list[ClaimedPayment], error: Exception) -> None:
        if not claimed:
            raise error
        if len(claimed) > 1:
            self.batch_limit = len(claimed) // 2
            log.warning("batch failed, splitting it", payments=len(claimed), next=self.batch_limit, exc_info=error)
            return
        culprit = claimed[0]
        if isinstance(error, NoPartition):
            cause = getattr(error.__cause__, "orig", error)
            with transaction(self.engine) as connection:
                payment.put_off(connection, culprit.id, f"NoPartition: {cause}", NO_PARTITION_SECONDS)
            log.error("month without a partition", payment=culprit.id, command="flask payments partitions")
            return
        with transaction(self.engine) as connection:
            attempts = payment.attempts(connection, culprit.id) + 1
            wait_seconds = retry.backoff_seconds(attempts, random.random())  # noqa: S311 - jitter, no secret
            park = retry.is_spent(attempts)
            cause = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
            payment.postpone(connection, culprit.id, attempts, cause, wait_seconds, park)
        log.error("payment failed to post", payment=culprit.id, attempts=attempts, parked=park, exc_info=error)

    def _reach(self, point: BatchPoint) -> None:
        if self.hook is not None:
            self.hook(point)


def _technical_account_ids(connection: Connection) -> dict[tuple[str, str], str]:
    """The technical accounts by code and currency."""
    return {key: party.id for key, party in account.technical_parties(connection).items()}


def _outcomes(claimed: list[ClaimedPayment]) -> dict[str, CommandOutcome]:
    """What became of the commands that the payments were claimed for."""
    return {
        p.command_id: CommandOutcome.DONE
        if posting.may_end(p) and p.ending is not PaymentAction.EXPIRE
        else CommandOutcome.REFUSED
        for p in claimed
        if p.command_id
    }
