"""Sending payouts: write the intent, commit, call the bank, write the outcome. An unknown outcome is asked for again.

It does not depend on Celery.
"""

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from models import bank_return, payout_claim
from models import payout as payouts
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from models.payout import BankResult, Payout, Retry
from models.rules.blanks import fold_blanks
from models.rules.retry import backoff_seconds
from models.session import Connection, Contention, DatabaseUnavailable, Engine, StatementTimeout, transaction
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, Rail, RailUnavailable

log = structlog.get_logger("rails")

DRAIN_SECONDS = 5.0
"""A task claims no further batch after this time; the two calls of the last one may take longer than that."""

LEASE_SECONDS = 20.0
"""The payouts that a worker had claimed when it died are asked about after this time."""

ATTEMPTS_MAX = 12
"""Some 14 to 27 minutes of attempts: then the payout is parked for a person."""

BACKOFF_MIN_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 600.0

PENDING_MAX_SECONDS = 3600.0
"""A payout pending at the bank for hours or days is asked about once an hour at least."""

PENDING_DAYS_MAX = 7
"""A payout pending for longer is parked for a person."""

AWAY_SECONDS = 10.0
"""A bank that cannot be reached is left alone for this time; that costs no attempt."""

RETURNS_MAX = 100
"""Payments of returned payouts that are created in one transaction."""

UPDATE_PAGES_MAX = 20
"""Pages of updates read in one task, so that sending goes on."""

POLL_SECONDS = 10.0
"""No further page of updates is read after this time."""

REASON_LENGTH_MAX = 500
REFERENCE_LENGTH_MAX = 100

_PAYMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
FINAL = {PayoutState.CONFIRMED, PayoutState.REJECTED}


class PayoutSender:
    """Sends due payouts over one rail, and polls its updates; one per process."""

    def __init__(self, engine: Engine, rail: Rail) -> None:
        self.engine = engine
        self.rail = rail
        self._breaker = CircuitBreaker(AWAY_SECONDS)
        self._claims_to_release: list[Payout] = []
        """Payouts claimed by a commit of unknown outcome: the bank was not called, so their claims are released."""
        self._unsaved: list[tuple[Payout, PayoutAnswer]] = []
        """The bank's answers that are not yet written to the database: a database error costs the payout no attempt."""

    def drain(self, seconds: float = DRAIN_SECONDS) -> tuple[bool, bool]:
        """Send due payouts, or as many as the time allows, and poll the bank's updates.

        Returns whether the posters have something to do, and whether work may remain. Raises DatabaseUnavailable,
        Contention or StatementTimeout: the next call saves the answers that are not stored yet.
        """
        deadline = time.monotonic() + seconds
        has_ended, remains = False, True
        while remains and time.monotonic() < deadline:
            claimed, ended = self.send()
            has_ended |= ended > 0
            remains = claimed == self.rail.batch_max
        return self.poll_updates() or has_ended, remains

    def send(self) -> tuple[int, int]:
        """Send or ask about one batch; returns the numbers of payouts claimed and of payouts answered."""
        answered = self._save(again=True)
        if self._breaker.is_open:
            return 0, answered
        claimed = self._claim()
        if not claimed:
            return 0, answered
        other_rail = {payout.payment_id for payout in claimed if payout.rail != self.rail.name}
        open = [payout for payout in claimed if payout.attempts <= ATTEMPTS_MAX and payout.payment_id not in other_rail]
        outcomes = {
            **self._call(self.rail.submit, [payout for payout in open if payout.submitted_at is None]),
            **self._call(self.rail.inquire, [payout for payout in open if payout.submitted_at is not None]),
        }
        died = PayoutAnswer(PayoutState.UNKNOWN, "its worker died repeatedly")
        outcomes |= dict.fromkeys(other_rail, PayoutAnswer(PayoutState.UNKNOWN, "its rail is no longer in use"))
        self._unsaved = [(payout, outcomes.get(payout.payment_id, died)) for payout in claimed]
        if PayoutState.AWAY in (outcome.answer for _, outcome in self._unsaved):
            self._breaker.open()
            log.warning("the bank cannot be reached", rail=self.rail.name, quiet_seconds=AWAY_SECONDS)
        return len(claimed), answered + self._save(again=False)

    def _claim(self) -> list[Payout]:
        claimed: list[Payout] = []
        try:
            with transaction(self.engine) as connection:
                claimed = payouts.claim(connection, self.rail.name, self.rail.batch_max, LEASE_SECONDS)
        except DatabaseUnavailable:
            self._claims_to_release += claimed
            raise
        return claimed

    def _save(self, *, again: bool) -> int:
        """Write the outcomes of the calls, and release uncalled claims; returns how many payouts the bank has answered.

        Raises DatabaseUnavailable, Contention or StatementTimeout; the next call stores what is not stored yet.
        """
        if self._claims_to_release:
            with transaction(self.engine) as connection:
                payout_claim.give_back(connection, self._claims_to_release)
            self._claims_to_release = []
        if not self._unsaved:
            return 0
        outcomes = self._unsaved
        results = [_result(payout.payment_id, outcome) for payout, outcome in outcomes if outcome.answer in FINAL]
        retries = [_retry(payout, outcome) for payout, outcome in outcomes if outcome.answer not in FINAL]
        other_rail = {payout.payment_id for payout, _ in outcomes if payout.rail != self.rail.name}
        try:
            with transaction(self.engine) as connection:
                self._answer(connection, results)
                retries = [(wait, is_spent or wait.payment_id in other_rail) for wait, is_spent in retries]
                if again:
                    held = payout_claim.still_claimed(connection, [payout for payout, _ in outcomes])
                    retries = [(wait, is_spent) for wait, is_spent in retries if wait.payment_id in held]
                spent = [wait for wait, is_spent in retries if is_spent]
                payouts.postpone(connection, [wait for wait, is_spent in retries if not is_spent])
                payouts.park(connection, spent)
        except (DatabaseUnavailable, Contention, StatementTimeout):
            raise
        except Exception:
            self._unsaved = []  # it cannot be written: all are asked about when their lease is over
            raise
        self._unsaved = []
        for wait in spent:
            log.error("payout parked", payment=wait.payment_id, error=wait.error)
        log.info("payouts sent", rail=self.rail.name, payouts=len(outcomes), answered=len(results), parked=len(spent))
        return len(results)

    def poll_updates(self) -> bool:
        """Record the bank's updates and create payments of returned payouts; True if the posters have work."""
        has_work, deadline = False, time.monotonic() + POLL_SECONDS
        if self._breaker.is_open:
            return False
        with transaction(self.engine) as connection:
            position = payouts.position(connection, self.rail.name)
        for _ in range(UPDATE_PAGES_MAX):
            try:
                items, after = self.rail.news(position)
            except RailUnavailable as error:
                log.warning("no updates, the bank cannot be reached", rail=self.rail.name, error=str(error))
                break
            except Exception as error:
                log.error("the updates of the rail cannot be read", rail=self.rail.name, exc_info=error)
                break
            if after == position:
                break
            with transaction(self.engine) as connection:
                has_work |= self._record(connection, items)
                payouts.move_position(connection, self.rail.name, after)
            position = after
            if time.monotonic() > deadline:
                break
        with transaction(self.engine) as connection:
            returned = bank_return.give_back(connection, RETURNS_MAX)
        return has_work or returned > 0

    def _call(
        self, ask: Callable[[Sequence[Payout]], Mapping[str, PayoutAnswer]], instructions: list[Payout]
    ) -> dict[str, PayoutAnswer]:
        """An outcome for each payout; after any exception it is UNKNOWN, because the bank may have acted."""
        if not instructions:
            return {}
        try:
            outcomes = ask(instructions)
        except Exception as error:
            log.error("a call of the rail raised", rail=self.rail.name, exc_info=error)
            outcomes = {}
        unknown = PayoutAnswer(PayoutState.UNKNOWN, "the rail gave no outcome")
        return {payout.payment_id: outcomes.get(payout.payment_id, unknown) for payout in instructions}

    def _record(self, connection: Connection, items: Sequence[BankUpdate | Return]) -> bool:
        """Record a page of updates. A returned payout counts as paid; an update with another amount is only logged."""
        results: dict[str, BankResult] = {}
        stated = [item.payment_id for item in items if isinstance(item, BankUpdate) and item.amount is not None]
        ordered_amounts = payouts.amounts(connection, filter(_PAYMENT_ID.fullmatch, stated))
        returns = []
        for item in items:
            if not _PAYMENT_ID.fullmatch(item.payment_id):
                log.warning("update of an unknown key", rail=self.rail.name, key=item.payment_id[:50])
            elif isinstance(item, Return):
                number = _clean(item.bank_id, REFERENCE_LENGTH_MAX) or "without a number"
                returns.append(item._replace(bank_id=number, reason=_clean(item.reason, REASON_LENGTH_MAX)))
            elif item.amount is not None and item.amount != ordered_amounts.get(item.payment_id):
                log.error("the bank booked another amount than ordered", payment=item.payment_id, amount=item.amount)
            elif item.outcome.answer in FINAL:
                results.setdefault(item.payment_id, _result(item.payment_id, item.outcome))
        for item in returns:
            results.setdefault(item.payment_id, BankResult(item.payment_id, is_confirmed=True))
        answered = self._answer(connection, list(results.values()))
        paid_out = payouts.answers(connection, [item.payment_id for item in returns])
        bank_return.keep(connection, self.rail.name, [item for item in returns if item.payment_id in paid_out])
        return bool(answered)

    def _answer(self, connection: Connection, results: Sequence[BankResult]) -> set[str]:
        """Record the bank's answers; the first one stands, and a later contradiction is logged for a person."""
        results = sorted(results)
        answered = payouts.answer(connection, results)
        again = [result for result in results if result.payment_id not in answered]
        if again:
            before = payouts.answers(connection, [result.payment_id for result in again])
            for result in again:
                if result.payment_id not in before:
                    log.error("the bank answered about an unknown payment", payment=result.payment_id)
                elif before[result.payment_id] != result.answer:
                    earlier = before[result.payment_id]
                    log.error(
                        "the bank contradicts itself", payment=result.payment_id, earlier=earlier, now=result.answer
                    )
        return answered


def _result(payment_id: str, outcome: PayoutAnswer) -> BankResult:
    return BankResult(
        payment_id,
        outcome.answer is PayoutState.CONFIRMED,
        _clean(outcome.reason, REASON_LENGTH_MAX),
        _clean(outcome.bank_reference, REFERENCE_LENGTH_MAX),
    )


def _retry(payout: Payout, outcome: PayoutAnswer) -> tuple[Retry, bool]:
    """The next attempt for a payout without an answer, and whether to park it instead."""
    chance = random.random()  # noqa: S311 - jitter, not a secret
    jitter = 1 - chance / 2
    error = _clean(outcome.reason, REASON_LENGTH_MAX) or outcome.answer.value
    retry = Retry(payout.payment_id, payout.attempts, payout.attempts, 0.0, error)
    is_overdue = payout.waited_seconds > PENDING_DAYS_MAX * 24 * 3600
    match outcome.answer:
        case PayoutState.PENDING:
            seconds = min(max(BACKOFF_MIN_SECONDS, payout.waited_seconds / 2), PENDING_MAX_SECONDS)
            error = f"no answer within {PENDING_DAYS_MAX} days" if is_overdue else error
            known = retry._replace(is_known_there=True)
            return known._replace(attempts=0, seconds=seconds * jitter, error=error), is_overdue
        case PayoutState.AWAY:
            was_submitted = payout.submitted_at is not None
            again = retry._replace(attempts=payout.attempts - 1, seconds=AWAY_SECONDS * jitter)
            return again._replace(is_unknown_there=not was_submitted), is_overdue
        case PayoutState.NOT_FOUND if payout.was_pending:  # its records are lost: sent again, it could be paid twice
            return retry._replace(error="the bank had it, and no longer knows it"), True
        case PayoutState.NOT_FOUND:
            return retry._replace(is_unknown_there=True), payout.attempts >= ATTEMPTS_MAX
        case _:
            seconds = backoff_seconds(payout.attempts, chance, BACKOFF_MIN_SECONDS, BACKOFF_MAX_SECONDS)
            return retry._replace(seconds=seconds), payout.attempts >= ATTEMPTS_MAX


def _clean(text: str | None, length_max: int) -> str | None:
    """The bank's text, printable and bounded, so that it can be stored, shown and compared with its statements."""
    return "".join(filter(str.isprintable, fold_blanks(text or "")))[:length_max].rstrip() or None
