"""A backlog is posted on several connections at once: while the database writes a batch, the next one is decided.

Batches are claimed and decided in turn, each on what the ones before it will leave, and committed in that order. At its
end each locks what it was decided on, in the order in which all transactions lock, and is withdrawn if any of it is not
as assumed. So what is committed is what posting one batch after the other would have committed.
"""

import threading
import time
from collections.abc import Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import structlog

from models import ledger, paused_payment, posting_lock
from models.rules import posting
from models.rules.types import ClaimedPayment, Decision, LockedAccount, LockedBulk
from models.session import CommitUnknown, Connection, Contention, DatabaseUnavailable, Engine, transaction
from workers.posting import batch_metrics
from workers.posting.batch_point import BatchPoint, Hook
from workers.posting.decider import Decider

log = structlog.get_logger("posting")

LEAD_SECONDS = 1.0
"""After this the posting lock is given back, so that others get it: well below the role's lock_timeout."""

Record = TypeVar("Record")
Ground = tuple[dict[str, LockedBulk], dict[str, LockedAccount]]
"""What a batch is decided on, by id."""


class Withdrawn(Exception):
    """A batch that must not be committed: one before it was not, or what it was decided on has changed."""


class Steps:
    """What the next batch waits for, each True unless the batch failed before."""

    def __init__(self) -> None:
        self.decided: Future[bool] = Future()
        self.committed: Future[bool] = Future()

    def fail(self) -> None:
        """The batch ends here; nothing if it was committed."""
        for step in (self.decided, self.committed):
            if not step.done():
                step.set_result(False)


class Lanes:
    """Posts a backlog on several connections, until it ends, the time is over, or a batch cannot be committed."""

    def __init__(self, engine: Engine, decider: Decider, batch_limit: int, hold_ttl_hours: int, hook: Hook) -> None:
        self._engine, self._decider = engine, decider
        self._batch_limit, self._hold_ttl_hours, self._hook = batch_limit, hold_ttl_hours, hook
        self._turn = threading.Lock()
        self._newest = Steps()
        self._newest.decided.set_result(True)
        self._newest.committed.set_result(True)
        self._bulks: dict[str, LockedBulk] = {}
        self._accounts: dict[str, LockedAccount] = {}
        self._leader = ""
        self._until = 0.0
        self.has_failed = False
        """Whether a batch could not be committed: its payments are to be posted without lanes."""
        self.has_instructed = False
        """Whether payouts were created."""

    def post(self, count: int, deadline: float) -> int:
        """Post on `count` connections; returns how many payments. Raises DatabaseUnavailable."""
        self._until = min(deadline, time.monotonic() + LEAD_SECONDS)
        lanes: list[Future[int]] = []
        try:
            with transaction(self._engine) as leader:
                self._leader = posting_lock.lead(leader)
                with transaction(self._engine) as connection:
                    posting_lock.await_followers(connection)
                with ThreadPoolExecutor(count, thread_name_prefix="lane") as pool:
                    lanes = [pool.submit(copy_context().run, self._lane) for _ in range(count)]
        except (Contention, CommitUnknown) as error:  # it wrote nothing: lanes say themselves what was posted
            self._end("contention", error)
        return sum(lane.result() for lane in lanes)

    def _lane(self) -> int:
        posted = 0
        while time.monotonic() < self._until:
            steps = Steps()
            try:
                posted += self._post_batch(steps)
            except DatabaseUnavailable as error:
                if not isinstance(error, CommitUnknown):
                    raise
                self._end("commit_unknown", error)
            except (Contention, Withdrawn) as error:
                self._end("contention", error)
            except Exception as error:
                log.warning("batch failed in a lane", exc_info=error)
                self._end("failed", error)
            finally:
                if not steps.committed.done():
                    self._until = 0.0
                    steps.fail()
        return posted

    def _end(self, result: str, error: Exception) -> None:
        self.has_failed = True
        batch_metrics.count_claim(result)
        log.info("batch left to be posted alone", reason=type(error).__name__, error=str(error))

    def _post_batch(self, steps: Steps) -> int:
        with transaction(self._engine) as connection:
            with self._turn:  # from its first statement on: operations are numbered in the order of their times
                _require(posting_lock.follow(connection, self._leader))
                before, self._newest = self._newest, steps
                began = time.monotonic()
                claimed = paused_payment.claim_unpaused(connection, self._batch_limit, self._decider.schedules)
                if claimed is None:
                    raise Withdrawn
                if len(claimed) < self._batch_limit:
                    self._until = 0.0
            self._hook(BatchPoint.CLAIMED)
            bulk_ids, account_ids = ledger.bulk_ids(claimed), self._decider.account_ids(connection, claimed)
            _require(before.decided.result())
            bulks, accounts = self._ground(connection, claimed, bulk_ids, account_ids, before)
            decision = self._decider.decide(connection, claimed, accounts, bulks)
            self._bulks.update({bulk.id: bulk for bulk in decision.bulks})
            self._accounts.update({account.id: account for account in decision.accounts})
            steps.decided.set_result(True)
            ledger.post_verdicts(connection, decision, self._hold_ttl_hours)
            _require(before.committed.result())
            _require(ledger.lock_bulks(connection, bulk_ids) == bulks)
            _require(ledger.lock_accounts(connection, account_ids) == accounts)
            self._hook(BatchPoint.LOCKED)
            ledger.post_entries(connection, decision)
            self._hook(BatchPoint.WRITTEN)
        steps.committed.set_result(True)
        self._hook(BatchPoint.COMMITTED)
        self._note(claimed, decision, time.monotonic() - began)
        return len(claimed)

    def _ground(
        self,
        connection: Connection,
        claimed: list[ClaimedPayment],
        bulk_ids: Set[str],
        account_ids: Set[str],
        before: Steps,
    ) -> Ground:
        """What the batches before will leave, or have left if their commits must be seen to decide this one."""
        self._bulks.update(ledger.read_bulks(connection, bulk_ids - self._bulks.keys()))
        self._accounts.update(ledger.read_accounts(connection, account_ids - self._accounts.keys()))
        bulks, accounts = _some(self._bulks, bulk_ids), _some(self._accounts, account_ids)
        if posting.is_decided_by_accounts(claimed, accounts.values(), bulks.values()):
            return bulks, accounts
        _require(before.committed.result())
        bulks, accounts = ledger.lock_bulks(connection, bulk_ids), ledger.lock_accounts(connection, account_ids)
        self._bulks.update(bulks)
        self._accounts.update(accounts)
        return bulks, accounts

    def _note(self, claimed: list[ClaimedPayment], decision: Decision, seconds: float) -> None:
        if claimed:
            batch_metrics.count_batch(claimed, decision, seconds)
        if any(verdict.sends_payout for verdict in decision.verdicts):
            self.has_instructed = True
        log.debug("posted", payments=len(claimed))


def _some(records: dict[str, Record], ids: Set[str]) -> dict[str, Record]:
    return {id: records[id] for id in ids if id in records}


def _require(is_true: bool) -> None:
    if not is_true:
        raise Withdrawn
