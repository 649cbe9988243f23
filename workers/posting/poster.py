"""Posting: claim, lock, decide, write, commit, and repeat until nothing is due.

One path for a single payment, a batch, a sweep and a retry. It does not depend on Celery.
"""

import random
import time
from collections.abc import Callable

import structlog

from models import (
    ledger,
    pause,
    paused_payment,
    payment,
    payment_action,
    payment_command,
    posting_lock,
)
from models.payment_command import CommandOutcome
from models.rules import posting, retry
from models.rules.commission import Schedules
from models.rules.types import ClaimedPayment, PaymentAction
from models.session import (
    CommitUnknown,
    Connection,
    Contention,
    DatabaseUnavailable,
    Engine,
    NoPartition,
    statements,
    transaction,
)
from workers.posting import batch_metrics, resolutions, retries
from workers.posting.batch_point import BatchPoint, Hook, no_hook
from workers.posting.decider import Decider
from workers.posting.lanes import Lanes

log = structlog.get_logger("posting")

BATCH_MAX = 500
"""Payments per transaction: 2,000 gain nothing, and lock the accounts four times as long."""

LANES = 2
"""Connections that a backlog is posted on: one for each core of a small machine."""

DRAIN_SECONDS = 2.0
"""Duration of one task, so that its worker can run others: well below every time limit."""

NO_PARTITION_SECONDS = 60.0
"""The wait of a payment whose month has no partition: an error is logged, and ops create one."""

LINGER_SECONDS = 0.02
"""The wait after a small batch for the next payments: within it those of the same moment share one transaction, and
a payment is still final within tens of milliseconds."""

HOLD_TTL_HOURS = 7 * 24
"""Default duration of a hold."""


Claim = Callable[[Connection, int, Schedules], list[ClaimedPayment]]


class Poster:
    """Posts due payments, with a batch size that adapts to errors; one per process."""

    hook: Hook = staticmethod(no_hook)

    def __init__(
        self,
        engine: Engine,
        *,
        deposits_open: bool,
        linger_seconds: float = LINGER_SECONDS,
        hold_ttl_hours: int = HOLD_TTL_HOURS,
        refunds_commission: bool = True,
        lanes: int = LANES,
    ) -> None:
        self.engine = engine
        self.decider = Decider(deposits_open=deposits_open, refunds_commission=refunds_commission)
        self.hold_ttl_hours = hold_ttl_hours
        self.lanes = lanes
        self.linger_seconds = linger_seconds
        self.batch_limit = BATCH_MAX
        self.has_instructed = False
        """Whether payouts were created since the caller last reset this to False."""

    def drain(self, seconds: float = DRAIN_SECONDS) -> tuple[int, bool]:
        """Post until nothing is due or the time is over; returns how many, and whether work may remain.

        After a small batch the next one lingers, so that payments arriving meanwhile share its transaction.
        Commands, expired holds and pauses that are over come first, once per task. Raises DatabaseUnavailable.
        """
        deadline = time.monotonic() + seconds
        self._process_commands_and_expired(deadline)
        posted, lingered, has_failed = 0, False, self.lanes == 1
        while time.monotonic() < deadline:
            limit = self.batch_limit
            count = self.post_batch(self.linger_seconds if lingered else 0)
            posted += count or 0
            if count == 0 and lingered:
                return posted, False
            lingered = count is not None and count < limit
            if count == limit and not has_failed:
                lanes = Lanes(self.engine, self.decider, self.batch_limit, self.hold_ttl_hours, self.hook)
                try:
                    posted += lanes.post(self.lanes, deadline)
                finally:
                    self.has_instructed |= lanes.has_instructed
                has_failed = lanes.has_failed
        return posted, True

    def _process_commands_and_expired(self, deadline: float) -> None:
        with statements(self.engine) as connection:
            if not payment.is_anything_to_end(connection):
                return
            is_pause_over = pause.is_any_over(connection)
        retries.decide(self.engine)
        resolutions.execute(self.engine)
        while is_pause_over and time.monotonic() < deadline:
            is_pause_over = self._release_paused()
        for claim in (payment.claim_commanded, payment.claim_expired):
            while time.monotonic() < deadline and self.post_batch(claim=claim) != 0:
                pass

    def _release_paused(self) -> bool:
        """Make payments due again whose pause is over; True if more remain."""
        try:
            with posting_lock.alone(self.engine) as connection:
                return paused_payment.release(connection)
        except (Contention, CommitUnknown) as error:
            log.warning("paused payments left to the next task", reason=type(error).__name__)
            return False

    def post_batch(self, linger_seconds: float = 0, claim: Claim = paused_payment.claim) -> int | None:
        """Post one batch; returns how many payments were decided, None if it is to be tried again.

        It lingers with the posting lock held, before it claims: another poster cannot take the few payments that
        arrive until then.

        An unexpected error halves the next batch, down to the one payment that raises it: only that one
        counts an attempt. A lock time-out or a missing partition counts none.
        """
        claimed: list[ClaimedPayment] = []
        began = time.monotonic()
        try:
            with posting_lock.alone(self.engine) as connection:
                time.sleep(linger_seconds)
                self.decider.refresh_terms(connection)
                claimed = claim(connection, self.batch_limit, self.decider.schedules)
                began = time.monotonic()
                if not claimed:
                    batch_metrics.count_claim("nothing")
                    return 0
                self.hook(BatchPoint.CLAIMED)
                claimed = payment_action.judge(connection, claimed)
                bulks = ledger.lock_bulks(connection, ledger.bulk_ids(claimed))
                accounts = ledger.lock_accounts(connection, self.decider.account_ids(connection, claimed))
                self.hook(BatchPoint.LOCKED)
                decision = self.decider.decide(connection, claimed, accounts, bulks)
                ledger.post(connection, decision, self.hold_ttl_hours)
                payment_command.decide(connection, _outcomes(claimed))
                self.hook(BatchPoint.WRITTEN)
        except Contention:
            log.info("lock time-out, trying again", claimed=len(claimed))
            batch_metrics.count_claim("contention")
            return None
        except CommitUnknown:
            batch_metrics.count_claim("commit_unknown")
            return self._read_again(claimed)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            batch_metrics.count_claim("failed")
            self._split(claimed, error)
            return None
        self.hook(BatchPoint.COMMITTED)
        batch_metrics.count_batch(claimed, decision, time.monotonic() - began)
        self.has_instructed |= any(verdict.sends_payout for verdict in decision.verdicts)
        self.batch_limit = min(BATCH_MAX, self.batch_limit * 2)
        log.debug("posted", payments=len(claimed))
        return len(claimed)

    def _read_again(self, claimed: list[ClaimedPayment]) -> int | None:
        """After a commit of unknown outcome: read from the rows whether it happened; never post again without that."""
        with transaction(self.engine) as connection:
            states = payment.states(connection, [p.id for p in claimed])
        is_posted = all(states[p.id] != p.state for p in claimed if posting.is_action_possible(p))
        log.warning("commit of unknown outcome", payments=len(claimed), had_committed=is_posted)
        return len(claimed) if is_posted else None

    def _split(self, claimed: list[ClaimedPayment], error: Exception) -> None:
        if not claimed:
            raise error
        if len(claimed) > 1:
            self.batch_limit = len(claimed) // 2
            log.warning("batch failed, splitting it", payments=len(claimed), next=self.batch_limit, exc_info=error)
            return
        failed = claimed[0]
        if failed.is_by_ops and failed.command_id:
            with transaction(self.engine) as connection:
                payment_command.decide(connection, {failed.command_id: CommandOutcome.REFUSED})
            log.error("an action of ops failed", payment=failed.id, action=failed.action, exc_info=error)
            return
        if isinstance(error, NoPartition):
            cause = getattr(error.__cause__, "orig", error)
            with transaction(self.engine) as connection:
                payment.put_off(connection, failed.id, f"NoPartition: {cause}", NO_PARTITION_SECONDS)
            log.error("month without a partition", payment=failed.id, command="flask payments partitions")
            return
        with transaction(self.engine) as connection:
            attempts = payment.attempts(connection, failed.id) + 1
            wait_seconds = retry.backoff_seconds(attempts, random.random())  # noqa: S311 - jitter, no secret
            park = retry.is_spent(attempts)
            cause = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
            payment.postpone(connection, failed.id, attempts, cause, wait_seconds, park)
        log.error("payment failed to post", payment=failed.id, attempts=attempts, parked=park, exc_info=error)


def _outcomes(claimed: list[ClaimedPayment]) -> dict[str, CommandOutcome]:
    """The outcomes of the commands for which the payments were claimed."""
    return {
        p.command_id: CommandOutcome.DONE
        if posting.is_action_possible(p) and p.action is not PaymentAction.EXPIRE
        else CommandOutcome.REFUSED
        for p in claimed
        if p.command_id
    }
