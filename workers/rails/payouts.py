"""Sends payouts: stores a claim, commits, calls the bank, stores its answer; asks again about unknown outcomes.

It does not depend on Celery.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

import metrics
from models import bank_return, inquiry, payout_claim, resolution
from models import payout as payouts
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from models.payout import FinalAnswer, Payout, Retry
from models.rules.retry import backoff_seconds
from models.session import Connection, Contention, DatabaseUnavailable, Engine, StatementTimeout, transaction
from workers.rails import bank_files, inquiries
from workers.rails.bank_words import REASON_LENGTH_MAX, REFERENCE_LENGTH_MAX, clean, final_answer
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, Rail, RailUnavailable

log = structlog.get_logger("rails")

metrics.preset(metrics.PAYOUT_CALLS, PayoutState)

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

UNREACHABLE_SECONDS = 10.0
"""An unreachable bank is not called again for this time; that costs no attempt."""

RETURNS_MAX = 100
"""Payments of returned payouts that are created in one transaction."""

UPDATE_PAGES_MAX = 20
"""Pages of updates read in one task, so that sending goes on."""

POLL_SECONDS = 10.0
"""No further page of updates is read after this time."""


_PAYMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
FINAL_STATES = {PayoutState.CONFIRMED, PayoutState.REJECTED}


class PayoutSender:
    """Sends due payouts over one rail, and polls its updates; one per process."""

    def __init__(self, engine: Engine, rail: Rail) -> None:
        self.engine = engine
        self.rail = rail
        self._breaker = CircuitBreaker(UNREACHABLE_SECONDS)
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
        has_answers, remains = self.answer_inquiries(), True
        while remains and time.monotonic() < deadline:
            claimed, answered = self.send()
            has_answers |= answered > 0
            remains = claimed == self.rail.batch_max
        has_updates = self.poll_updates()
        bank_files.note(self.engine, self.rail)
        return has_updates or has_answers, remains

    def send(self) -> tuple[int, int]:
        """Send or ask about one batch; returns the numbers of payouts claimed and of payouts with a final answer."""
        answered = self._save(recheck_claims=True)
        if self._breaker.is_open:
            return 0, answered
        claimed = self._claim()
        if not claimed:
            return 0, answered
        other_rail = {payout.payment_id for payout in claimed if payout.rail != self.rail.name}
        due = [payout for payout in claimed if payout.attempts <= ATTEMPTS_MAX and payout.payment_id not in other_rail]
        answers = {
            **self._call(self.rail.submit, [payout for payout in due if payout.submitted_at is None]),
            **self._call(self.rail.inquire, [payout for payout in due if payout.submitted_at is not None]),
        }
        died = PayoutAnswer(PayoutState.UNKNOWN, "its worker died repeatedly")
        answers |= dict.fromkeys(other_rail, PayoutAnswer(PayoutState.UNKNOWN, "its rail is no longer in use"))
        for answer in answers.values():
            metrics.PAYOUT_CALLS.labels(answer.state).inc()
        self._unsaved = [(payout, answers.get(payout.payment_id, died)) for payout in claimed]
        if PayoutState.UNREACHABLE in (answer.state for _, answer in self._unsaved):
            self._breaker.open()
            log.warning("the bank cannot be reached", rail=self.rail.name, quiet_seconds=UNREACHABLE_SECONDS)
        return len(claimed), answered + self._save(recheck_claims=False)

    def _claim(self) -> list[Payout]:
        claimed: list[Payout] = []
        try:
            with transaction(self.engine) as connection:
                claimed = payouts.claim(connection, self.rail.name, self.rail.batch_max, LEASE_SECONDS)
        except DatabaseUnavailable:
            self._claims_to_release += claimed
            raise
        return claimed

    def _save(self, *, recheck_claims: bool) -> int:
        """Store the bank's answers, and release claims without a call; returns how many answers are final.

        `recheck_claims` if the answers are from an earlier call: another worker may have claimed these payouts since.
        Raises DatabaseUnavailable, Contention or StatementTimeout; the next call stores what is not stored yet.
        """
        if self._claims_to_release:
            with transaction(self.engine) as connection:
                payout_claim.give_back(connection, self._claims_to_release)
            self._claims_to_release = []
        if not self._unsaved:
            return 0
        unsaved = self._unsaved
        final = [final_answer(payout.payment_id, answer) for payout, answer in unsaved if answer.state in FINAL_STATES]
        retries, parked = self._retries([item for item in unsaved if item[1].state not in FINAL_STATES])
        try:
            with transaction(self.engine) as connection:
                self._store_answers(connection, final)
                if recheck_claims:
                    claimed = payout_claim.still_claimed(connection, [payout for payout, _ in unsaved])
                    retries, parked = ([r for r in rows if r.payment_id in claimed] for rows in (retries, parked))
                payouts.postpone(connection, retries)
                payouts.park(connection, parked)
        except (DatabaseUnavailable, Contention, StatementTimeout):
            raise
        except Exception:
            self._unsaved = []  # it cannot be written: all are asked about when their lease is over
            raise
        self._unsaved = []
        for retry in parked:
            log.error("payout parked", payment=retry.payment_id, error=retry.error)
        log.info("payouts sent", rail=self.rail.name, payouts=len(unsaved), answered=len(final), parked=len(parked))
        return len(final)

    def _retries(self, unanswered: Iterable[tuple[Payout, PayoutAnswer]]) -> tuple[list[Retry], list[Retry]]:
        """The payouts that are tried again, and those that are parked: after their last attempt, or of another rail."""
        retries: list[Retry] = []
        parked: list[Retry] = []
        for payout, answer in unanswered:
            retry, is_last = _next_attempt(payout, answer)
            (parked if is_last or payout.rail != self.rail.name else retries).append(retry)
        return retries, parked

    def answer_inquiries(self) -> bool:
        """Ask the bank what ops want to know now, due or not; True if the posters have work."""
        with transaction(self.engine) as connection:
            asked = [] if self._breaker.is_open else inquiry.open_payouts(connection, self.rail.batch_max)
        if not asked:
            return False
        said = self._call(self.rail.inquire, inquiries.known_to(self.rail.name, asked))
        final = [final_answer(id, answer) for id, answer in said.items() if answer.state in FINAL_STATES]
        with transaction(self.engine) as connection:
            inquiry.save(connection, inquiries.answers(asked, said))
            return bool(self._store_answers(connection, final))

    def poll_updates(self) -> bool:
        """Record the bank's updates and create payments of returned payouts; True if the posters have work."""
        has_work, deadline = False, time.monotonic() + POLL_SECONDS
        if self._breaker.is_open:
            return False
        with transaction(self.engine) as connection:
            position = payouts.position(connection, self.rail.name)
        for _ in range(UPDATE_PAGES_MAX):
            try:
                items, after = self.rail.updates(position)
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
        self, call: Callable[[Sequence[Payout]], Mapping[str, PayoutAnswer]], batch: list[Payout]
    ) -> dict[str, PayoutAnswer]:
        """An answer for each payout; after any exception its state is UNKNOWN, because the bank may have acted."""
        if not batch:
            return {}
        try:
            answers = call(batch)
        except Exception as error:
            log.error("a call of the rail raised", rail=self.rail.name, exc_info=error)
            answers = {}
        unknown = PayoutAnswer(PayoutState.UNKNOWN, "the rail gave no answer")
        return {payout.payment_id: answers.get(payout.payment_id, unknown) for payout in batch}

    def _record(self, connection: Connection, items: Sequence[BankUpdate | Return]) -> bool:
        """Record a page of updates. A returned payout counts as paid; an update with another amount is only logged."""
        answers: dict[str, FinalAnswer] = {}
        with_amount = [item.payment_id for item in items if isinstance(item, BankUpdate) and item.amount is not None]
        ordered_amounts = payouts.amounts(connection, filter(_PAYMENT_ID.fullmatch, with_amount))
        returns = []
        for item in items:
            if not _PAYMENT_ID.fullmatch(item.payment_id):
                log.warning("update of an unknown key", rail=self.rail.name, key=item.payment_id[:50])
            elif isinstance(item, Return):
                bank_id = clean(item.bank_id, REFERENCE_LENGTH_MAX) or "without a number"
                returns.append(item._replace(bank_id=bank_id, reason=clean(item.reason, REASON_LENGTH_MAX)))
            elif item.amount is not None and item.amount != ordered_amounts.get(item.payment_id):
                log.error("the bank booked another amount than ordered", payment=item.payment_id, amount=item.amount)
            elif item.answer.state in FINAL_STATES:
                answers.setdefault(item.payment_id, final_answer(item.payment_id, item.answer))
        for item in returns:
            answers.setdefault(item.payment_id, FinalAnswer(item.payment_id, is_confirmed=True))
        answered = self._store_answers(connection, list(answers.values()))
        paid_out = payouts.stored_answers(connection, [item.payment_id for item in returns])
        bank_return.keep(connection, self.rail.name, [item for item in returns if item.payment_id in paid_out])
        return bool(answered)

    def _store_answers(self, connection: Connection, answers: Sequence[FinalAnswer]) -> set[str]:
        """Store the bank's final answers; the first one stands, and a later contradiction is logged for a person."""
        answers = sorted(answers)
        answered = payouts.store_answers(connection, answers)
        repeated = [answer for answer in answers if answer.payment_id not in answered]
        if repeated:
            stored = payouts.stored_answers(connection, [answer.payment_id for answer in repeated])
            for answer in repeated:
                if answer.payment_id not in stored:
                    log.error("the bank answered about an unknown payment", payment=answer.payment_id)
                elif stored[answer.payment_id] != answer.answer:
                    earlier = stored[answer.payment_id]
                    log.error(
                        "the bank contradicts itself", payment=answer.payment_id, earlier=earlier, now=answer.answer
                    )
            resolution.note_bank_answers(connection, repeated)
        return answered


def _next_attempt(payout: Payout, answer: PayoutAnswer) -> tuple[Retry, bool]:
    """The next attempt of a payout without a final answer, and whether to park it instead.

    An attempt costs one of ATTEMPTS_MAX, except while the bank has the payout or is unreachable: then days count.
    """
    chance = random.random()  # noqa: S311 - jitter, not a secret
    jitter = 1 - chance / 2  # up to half of a wait is taken away, so that payouts are not all tried at once
    error = clean(answer.reason, REASON_LENGTH_MAX) or answer.state.value
    retry = Retry(payout.payment_id, tried=payout.attempts, attempts=payout.attempts, seconds=0.0, error=error)
    is_last_attempt = payout.attempts >= ATTEMPTS_MAX
    is_overdue = payout.waited_seconds > PENDING_DAYS_MAX * 24 * 3600
    match answer.state:
        case PayoutState.PENDING:  # the longer it is pending, the less often the bank is asked
            seconds = min(max(BACKOFF_MIN_SECONDS, payout.waited_seconds / 2), PENDING_MAX_SECONDS) * jitter
            error = f"no answer within {PENDING_DAYS_MAX} days" if is_overdue else error
            return retry._replace(attempts=0, seconds=seconds, error=error, is_pending=True), is_overdue
        case PayoutState.UNREACHABLE:  # this attempt does not count
            attempts, seconds = payout.attempts - 1, UNREACHABLE_SECONDS * jitter
            is_not_received = payout.submitted_at is None
            return retry._replace(attempts=attempts, seconds=seconds, is_not_received=is_not_received), is_overdue
        case PayoutState.NOT_FOUND if payout.was_pending:  # its records are lost: sent again, it could be paid twice
            return retry._replace(error="the bank had it, and no longer knows it"), True
        case PayoutState.NOT_FOUND:  # sent again at once
            return retry._replace(is_not_received=True), is_last_attempt
        case _:
            seconds = backoff_seconds(payout.attempts, chance, BACKOFF_MIN_SECONDS, BACKOFF_MAX_SECONDS)
            return retry._replace(seconds=seconds), is_last_attempt
