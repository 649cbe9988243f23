"""Telling the bank: write the intent, commit, call, write the outcome. What is not known is asked again, never guessed.

It knows no Celery.
"""

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from models import bank_return, payout, payout_claim
from models.bank_return import Return
from models.circuit_breaker import CircuitBreaker
from models.payout import BankResult, Payout, Retry
from models.rules.blanks import fold_blanks
from models.rules.retry import backoff_seconds
from models.session import Connection, Contention, DatabaseAway, Engine, StatementTimeout, transaction
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, Rail, RailAway

log = structlog.get_logger("rails")

DRAIN_SECONDS = 5.0
"""How long one task goes on: with one more call well below every time limit."""

LEASE_SECONDS = 20.0
"""Longer than a call takes: whoever died amid one has its instructions asked about after so long."""

ATTEMPTS_MAX = 12
"""About forty minutes of them: then a person sees more than another try."""

BACKOFF_MIN_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 600.0

PENDING_MAX_SECONDS = 3600.0
"""What a bank has had for hours or days is asked about once an hour."""

PENDING_DAYS_MAX = 7
"""An answer that has not come by then is a person's to ask for."""

AWAY_SECONDS = 10.0
"""A bank that cannot be reached is left alone for so long; that costs nobody an attempt."""

RETURNS_MAX = 100
"""Given back in one transaction."""

NEWS_PAGES_MAX = 20
"""Read in one task, so that instructing goes on."""

HEAR_SECONDS = 10.0
"""With a slow page at its end still far below what a task may last."""

WORDS_LENGTH_MAX = 500
REFERENCE_LENGTH_MAX = 100

_PAYMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
FINAL = {PayoutState.CONFIRMED, PayoutState.REJECTED}


class PayoutSender:
    """Tells one rail what is due, and hears what it tells; one per process."""

    def __init__(self, engine: Engine, rail: Rail) -> None:
        self.engine = engine
        self.rail = rail
        self._breaker = CircuitBreaker(AWAY_SECONDS)
        self._uncalled: list[Payout] = []
        """Claimed by a commit of unknown outcome: the bank was not called, so they are given back."""
        self._unkept: list[tuple[Payout, PayoutAnswer]] = []
        """What the bank did or did not do, until the database knows it: our trouble with that is no attempt of its."""

    def drain(self, seconds: float = DRAIN_SECONDS) -> tuple[bool, bool]:
        """Tell what is due, or as much as the time allows, and hear the news.

        Returns whether the posters have something to end or to post, and whether work may remain. Raises DatabaseAway
        or Contention: what was told by then is asked about when its lease is over.
        """
        deadline = time.monotonic() + seconds
        has_ended, remains = False, True
        while remains and time.monotonic() < deadline:
            claimed, ended = self.send()
            has_ended |= ended > 0
            remains = claimed == self.rail.batch_max
        return self.poll_updates() or has_ended, remains

    def send(self) -> tuple[int, int]:
        """Tell or ask about one batch; returns how many instructions it was, and how many of them were answered."""
        answered = self._keep(again=True)
        if self._breaker.is_open:
            return 0, answered
        claimed = self._claim()
        if not claimed:
            return 0, answered
        strange = {one.payment_id for one in claimed if one.rail != self.rail.name}
        open = [one for one in claimed if one.attempts <= ATTEMPTS_MAX and one.payment_id not in strange]
        outcomes = {
            **self._call(self.rail.submit, [one for one in open if one.submitted_at is None]),
            **self._call(self.rail.inquire, [one for one in open if one.submitted_at is not None]),
        }
        died = PayoutAnswer(PayoutState.UNKNOWN, "whoever told the bank died, again and again")
        outcomes |= dict.fromkeys(strange, PayoutAnswer(PayoutState.UNKNOWN, "nobody asks its rail any more"))
        self._unkept = [(one, outcomes.get(one.payment_id, died)) for one in claimed]
        if PayoutState.AWAY in (outcome.answer for _, outcome in self._unkept):
            self._breaker.open()
            log.warning("the bank cannot be reached", rail=self.rail.name, quiet_seconds=AWAY_SECONDS)
        return len(claimed), answered + self._keep(again=False)

    def _claim(self) -> list[Payout]:
        claimed: list[Payout] = []
        try:
            with transaction(self.engine) as connection:
                claimed = payout.claim(connection, self.rail.name, self.rail.batch_max, LEASE_SECONDS)
        except DatabaseAway:
            self._uncalled += claimed
            raise
        return claimed

    def _keep(self, *, again: bool) -> int:
        """Keep what came of the calls, and give back what was not called; returns how many the bank has answered.

        Raises DatabaseAway, Contention or Overdue; then it is kept at the next time, unless it was after all.
        """
        if self._uncalled:
            with transaction(self.engine) as connection:
                payout_claim.give_back(connection, self._uncalled)
            self._uncalled = []
        if not self._unkept:
            return 0
        decided = self._unkept
        told = [_told(one.payment_id, outcome) for one, outcome in decided if outcome.answer in FINAL]
        waits = [_wait(one, outcome) for one, outcome in decided if outcome.answer not in FINAL]
        strange = {one.payment_id for one, _ in decided if one.rail != self.rail.name}
        try:
            with transaction(self.engine) as connection:
                self._answer(connection, told)
                waits = [(wait, is_spent or wait.payment_id in strange) for wait, is_spent in waits]
                if again:
                    ours = payout_claim.still_taken(connection, [one for one, _ in decided])
                    waits = [(wait, is_spent) for wait, is_spent in waits if wait.payment_id in ours]
                spent = [wait for wait, is_spent in waits if is_spent]
                payout.postpone(connection, [wait for wait, is_spent in waits if not is_spent])
                payout.park(connection, spent)
        except (DatabaseAway, Contention, StatementTimeout):
            raise
        except Exception:
            self._unkept = []  # nobody can keep it: all are asked about when their lease is over
            raise
        self._unkept = []
        for wait in spent:
            log.error("payment set aside, the bank has no answer", payment=wait.payment_id, error=wait.error)
        log.info("instructed", rail=self.rail.name, instructions=len(decided), answered=len(told), parked=len(spent))
        return len(told)

    def poll_updates(self) -> bool:
        """Keep what the bank tells by itself, and order what it sends back; returns whether anything was new."""
        is_new, deadline = False, time.monotonic() + HEAR_SECONDS
        if self._breaker.is_open:
            return False
        with transaction(self.engine) as connection:
            position = payout.position(connection, self.rail.name)
        for _ in range(NEWS_PAGES_MAX):
            try:
                items, after = self.rail.news(position)
            except RailAway as error:
                log.warning("no news, the bank cannot be reached", rail=self.rail.name, error=str(error))
                break
            except Exception as error:
                log.error("the news of the rail cannot be read", rail=self.rail.name, exc_info=error)
                break
            if after == position:
                break
            with transaction(self.engine) as connection:
                is_new |= self._note(connection, items)
                payout.move_position(connection, self.rail.name, after)
            position = after
            if time.monotonic() > deadline:
                break
        with transaction(self.engine) as connection:
            returned = bank_return.give_back(connection, RETURNS_MAX)
        return is_new or returned > 0

    def _call(
        self, ask: Callable[[Sequence[Payout]], Mapping[str, PayoutAnswer]], instructions: list[Payout]
    ) -> dict[str, PayoutAnswer]:
        """An outcome for each; whatever else happens, the bank may have acted."""
        if not instructions:
            return {}
        try:
            outcomes = ask(instructions)
        except Exception as error:
            log.error("a call of the rail raised", rail=self.rail.name, exc_info=error)
            outcomes = {}
        unknown = PayoutAnswer(PayoutState.UNKNOWN, "the rail gave no outcome")
        return {one.payment_id: outcomes.get(one.payment_id, unknown) for one in instructions}

    def _note(self, connection: Connection, items: Sequence[BankUpdate | Return]) -> bool:
        """Keep a page of news; what comes back had been paid out. Another amount is no word about the payment."""
        told: dict[str, BankResult] = {}
        stated = [item.payment_id for item in items if isinstance(item, BankUpdate) and item.amount is not None]
        ordered = payout.amounts(connection, filter(_PAYMENT_ID.fullmatch, stated))
        returns = []
        for item in items:
            if not _PAYMENT_ID.fullmatch(item.payment_id):
                log.warning("news of something that is not ours", rail=self.rail.name, key=item.payment_id[:50])
            elif isinstance(item, Return):
                number = _words(item.bank_id, REFERENCE_LENGTH_MAX) or "without a number"
                returns.append(item._replace(bank_id=number, reason=_words(item.reason, WORDS_LENGTH_MAX)))
            elif item.amount is not None and item.amount != ordered.get(item.payment_id):
                log.error("the bank booked what was not ordered", payment=item.payment_id, amount=item.amount)
            elif item.outcome.answer in FINAL:
                told.setdefault(item.payment_id, _told(item.payment_id, item.outcome))
        for item in returns:
            told.setdefault(item.payment_id, BankResult(item.payment_id, is_confirmed=True))
        answered = self._answer(connection, list(told.values()))
        known = payout.answers(connection, [item.payment_id for item in returns])
        bank_return.keep(connection, self.rail.name, [item for item in returns if item.payment_id in known])
        return bool(answered)

    def _answer(self, connection: Connection, told: Sequence[BankResult]) -> set[str]:
        """Keep the answers; the first stands, and a bank that says otherwise later is a person's to ask."""
        told = sorted(told)
        answered = payout.answer(connection, told)
        again = [one for one in told if one.payment_id not in answered]
        if again:
            before = payout.answers(connection, [one.payment_id for one in again])
            for one in again:
                if one.payment_id not in before:
                    log.error("the bank tells of a payment that is not ours", payment=one.payment_id)
                elif before[one.payment_id] != one.answer:
                    known = before[one.payment_id]
                    log.error("the bank contradicts itself", payment=one.payment_id, known=known, told=one.answer)
        return answered


def _told(payment_id: str, outcome: PayoutAnswer) -> BankResult:
    return BankResult(
        payment_id,
        outcome.answer is PayoutState.CONFIRMED,
        _words(outcome.reason, WORDS_LENGTH_MAX),
        _words(outcome.bank_reference, REFERENCE_LENGTH_MAX),
    )


def _wait(one: Payout, outcome: PayoutAnswer) -> tuple[Retry, bool]:
    """When to ask again about what has no answer, and whether that is enough."""
    chance = random.random()  # noqa: S311 - no secret: what failed together does not return together
    jitter = 1 - chance / 2
    error = _words(outcome.reason, WORDS_LENGTH_MAX) or outcome.answer.value
    wait = Retry(one.payment_id, one.attempts, one.attempts, 0.0, error)
    is_overdue = one.waited_seconds > PENDING_DAYS_MAX * 24 * 3600
    match outcome.answer:
        case PayoutState.PENDING:
            seconds = min(max(BACKOFF_MIN_SECONDS, one.waited_seconds / 2), PENDING_MAX_SECONDS)
            error = f"no answer within {PENDING_DAYS_MAX} days" if is_overdue else error
            there = wait._replace(is_known_there=True)
            return there._replace(attempts=0, seconds=seconds * jitter, error=error), is_overdue
        case PayoutState.AWAY:
            was_told = one.submitted_at is not None
            back = wait._replace(attempts=one.attempts - 1, seconds=AWAY_SECONDS * jitter)
            return back._replace(is_unknown_there=not was_told), is_overdue
        case PayoutState.NOT_FOUND if one.was_pending:  # it has lost its books: told again, it could pay again
            return wait._replace(error="the bank had it, and does not know it any more"), True
        case PayoutState.NOT_FOUND:
            return wait._replace(is_unknown_there=True), one.attempts >= ATTEMPTS_MAX
        case _:
            seconds = backoff_seconds(one.attempts, chance, BACKOFF_MIN_SECONDS, BACKOFF_MAX_SECONDS)
            return wait._replace(seconds=seconds), one.attempts >= ATTEMPTS_MAX


def _words(text: str | None, length_max: int) -> str | None:
    """The bank's words as they can be kept, shown, and compared with what a statement of its says."""
    return "".join(filter(str.isprintable, fold_blanks(text or "")))[:length_max].rstrip() or None
