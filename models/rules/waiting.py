"""Why a payment is not final yet, and what would help, in words: one rule for the shell and for HTTP."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from models.rules.retry import ATTEMPTS_MAX
from models.rules.state import State


class WaitCode(StrEnum):
    """Why a payment waits."""

    POSTING = "posting"
    """It is being posted at this moment."""
    LOCKED = "locked"
    """Another transaction has locked one of its rows."""
    POSTING_STALE = "posting_stale"
    """No poster is alive."""
    BROKER_AWAY = "broker_away"
    """The broker does not answer: posters look by their own clock."""
    WORKERS_DEAF = "workers_deaf"
    """The posters are alive, but receive no messages."""
    BEAT_SILENT = "beat_silent"
    """Beat sends no messages."""
    DUE = "due"
    """It is due, behind others or alone."""
    SCHEDULED = "scheduled"
    """It was ordered for later."""
    NEXT_ATTEMPT = "next_attempt"
    """An attempt failed; the next is later."""
    PARTITION_MISSING = "partition_missing"
    """Its month has no partition."""
    PARKED = "parked"
    """It was parked for a person."""
    PAUSED = "paused"
    """Ops have paused it."""
    FROZEN = "frozen"
    """Ops froze one of its wallets: it FAILS when it is posted."""
    HOLD = "hold"
    """Its merchant has to capture or void it."""
    ORDERED = "ordered"
    """What ends it was ordered, and the poster has not decided it yet."""
    RAIL_PAUSED = "rail_paused"
    """Ops have paused its rail."""
    RAILS_STALE = "rails_stale"
    """No rails worker is alive."""
    NOT_SENT = "not_sent"
    """The bank has not been told of it yet."""
    AT_BANK = "at_bank"
    """The bank has not answered yet."""
    APPROVAL = "approval"
    """A resolution waits for another ops user."""
    ATOMIC_BULK = "atomic_bulk"
    """It is decided together with the other lines of its bulk."""


class WaitCause(NamedTuple):
    """A cause, what would help, and the command for that, if there is one."""

    code: WaitCode
    detail: str
    help: str
    command: str | None = None


class RowLock(NamedTuple):
    """A lock on a row of the payment (`payment`, `payout`, `bulk`, `source`, `target`) and the process that has it.

    `is_poster` if that process posts. Seconds of its transaction are None if the reader may not see them.
    """

    row: str
    pid: int
    role: str
    application: str
    transaction_seconds: float | None
    is_poster: bool


class WaitFacts(NamedTuple):
    """What the rule looks at; seconds from now on, or since then, None if it does not apply.

    `poster_seconds` and `rails_seconds` are those since a worker of the kind was seen, None if not within the hour.
    """

    id: str
    state: str
    due_seconds: float | None
    scheduled_seconds: float | None = None
    attempts: int = 0
    last_error: str | None = None
    is_parked: bool = False
    pause_reason: str | None = None
    pause_seconds: float | None = None
    frozen: tuple[str, ...] = ()
    is_atomic: bool = False
    is_ordered: bool = False
    is_proposed: bool = False
    hold_seconds: float | None = None
    is_payout: bool = False
    is_answered: bool = False
    submitted_seconds: float | None = None
    is_pending: bool = False
    payout_due_seconds: float | None = None
    payout_error: str | None = None
    paused_rail: str | None = None
    locks: tuple[RowLock, ...] = ()
    waiting: int = 0
    oldest_due_seconds: float = 0.0
    poster_seconds: float | None = None
    rails_seconds: float | None = None
    beat_seconds: float | None = None
    is_broker_up: bool = True
    has_heard: bool = True


STALE_SECONDS = 30.0
"""As of the heartbeats: a worker that was not seen for longer counts as dead."""


def causes(facts: WaitFacts) -> list[WaitCause]:
    """Why it is not final, the first cause first; none if it is."""
    return [] if State(facts.state).is_final else [*_own(facts), *_about(facts)]


def _own(facts: WaitFacts) -> Iterator[WaitCause]:
    """What the payment itself waits for."""
    error = f": {facts.last_error}" if facts.last_error else ""
    if facts.is_parked:
        yield _parked(facts, error)
    elif facts.state == State.AUTHORIZED:
        yield from _authorized(facts)
    elif facts.pause_reason is not None:
        end = "until ops resume it" if facts.pause_seconds is None else f"for {span(facts.pause_seconds)} at most"
        yield WaitCause(
            WaitCode.PAUSED, f"Ops have paused it, {end}: {facts.pause_reason}", "Resume it.", "flask ops pauses"
        )
    elif (facts.due_seconds or 0) > 0:
        yield _later(facts, error)
    elif not facts.is_ordered:
        yield from _for_poster(facts)
    if facts.is_ordered:
        detail = "What ends it was ordered, and the poster has not decided it yet."
        yield WaitCause(WaitCode.ORDERED, detail, "The poster decides it next.", "flask payments sweep")
        yield from _for_poster(facts)


def _parked(facts: WaitFacts, error: str) -> WaitCause:
    tries = f"after attempt {facts.attempts}" if facts.attempts else "by hand"
    detail = f"It was parked for a person {tries}{error}"
    if facts.is_payout and facts.submitted_seconds is not None and not facts.is_answered:
        help = "The bank may have paid it: ask the bank, and resolve it with evidence if it cannot say."
        return WaitCause(WaitCode.PARKED, detail, help, f"flask ops ask {facts.id} --reason WHY")
    help = "Mend the cause of the error, then retry it."
    return WaitCause(WaitCode.PARKED, detail, help, f"flask payments retry {facts.id} --reason WHY")


def _later(facts: WaitFacts, error: str) -> WaitCause:
    when = span(facts.due_seconds or 0)
    retry = f"flask payments retry {facts.id} --reason WHY"
    if (facts.scheduled_seconds or 0) > 0:
        help = "Nothing is wrong; it can be canceled until then."
        return WaitCause(WaitCode.SCHEDULED, f"It was ordered for later, and is due in {when}.", help)
    if (facts.last_error or "").startswith("NoPartition"):
        help = "Make the partitions; it is tried again by itself."
        detail = f"Its month has no partition; the next try is in {when}."
        return WaitCause(WaitCode.PARTITION_MISSING, detail, help, "flask payments partitions")
    detail = f"Attempt {facts.attempts} of {ATTEMPTS_MAX} failed, the next is in {when}{error}"
    return WaitCause(WaitCode.NEXT_ATTEMPT, detail, "Mend the cause of the error; a retry tries it now.", retry)


def _authorized(facts: WaitFacts) -> Iterator[WaitCause]:
    if not facts.is_payout:
        if not facts.is_ordered:
            end = "" if facts.hold_seconds is None else f"; the hold ends in {span(max(facts.hold_seconds, 0))}"
            help = "The merchant captures or voids it; ops can, for the merchant."
            command = f"flask ops capture {facts.id} --reason WHY"
            yield WaitCause(WaitCode.HOLD, f"The amount is held for its merchant{end}.", help, command)
        if facts.hold_seconds is not None and facts.hold_seconds <= 0:
            yield from _for_poster(facts)
        return
    if facts.is_answered:
        yield from _for_poster(facts)
        return
    if not _is_fresh(facts.rails_seconds):
        yield WaitCause(
            WaitCode.RAILS_STALE,
            f"No rails worker {_unseen(facts.rails_seconds)}.",
            "Start one: nobody else tells and asks the bank.",
            "celery -A celery_config worker --queues rails --pool solo -n rails@%h",
        )
    if facts.paused_rail is not None:
        detail = f"Ops have paused its rail, {facts.paused_rail}: the bank is told and asked nothing."
        yield WaitCause(WaitCode.RAIL_PAUSED, detail, "Resume the rail.", "flask ops pauses")
    error = f": {facts.payout_error}" if facts.payout_error else ""
    when = "is due now" if (facts.payout_due_seconds or 0) <= 0 else f"is in {span(facts.payout_due_seconds or 0)}"
    if facts.submitted_seconds is None:
        detail = f"The bank does not know of it yet; the next try {when}{error}"
        yield WaitCause(WaitCode.NOT_SENT, detail, "It can be failed: no money is outside.", "flask workers alive")
        return
    said = "has it and has not ended it" if facts.is_pending else "has not answered"
    detail = f"The bank was told {span(facts.submitted_seconds)} ago and {said}; the next question {when}{error}"
    yield WaitCause(WaitCode.AT_BANK, detail, "Ask the bank now.", f"flask ops ask {facts.id} --reason WHY")


def _for_poster(facts: WaitFacts) -> Iterator[WaitCause]:
    """What keeps the poster from a payment that is due."""
    sweep = "flask payments sweep"
    if not _is_fresh(facts.poster_seconds):
        detail = f"No poster {_unseen(facts.poster_seconds)}."
        yield WaitCause(WaitCode.POSTING_STALE, detail, f"`{sweep}` posts without a broker; start a poster.", sweep)
    elif not facts.is_broker_up:
        detail = "The broker does not answer: posters look for due payments by their own clock."
        yield WaitCause(WaitCode.BROKER_AWAY, detail, f"Start the broker; `{sweep}` posts without it.", sweep)
    elif not facts.has_heard:
        detail = "The posters are alive, but no message reaches them: they look by their own clock."
        yield WaitCause(WaitCode.WORKERS_DEAF, detail, f"Restart the posters; `{sweep}` posts now.", sweep)
    elif not _is_fresh(facts.beat_seconds):
        detail = f"Beat {_unseen(facts.beat_seconds)}: a lost message is not made up for."
        yield WaitCause(WaitCode.BEAT_SILENT, detail, "Start beat.", "celery -A celery_config beat")
    before = f"{facts.waiting} payments are due, the oldest for {span(facts.oldest_due_seconds)}"
    yield WaitCause(
        WaitCode.DUE, f"It waits to be posted; {before}.", "The next batch takes it.", "flask workers alive"
    )


def _about(facts: WaitFacts) -> Iterator[WaitCause]:
    """What else is to be known of it, whatever it waits for."""
    for lock in facts.locks:
        if lock.is_poster:
            yield WaitCause(WaitCode.POSTING, f"The poster has locked its {lock.row}.", "It ends within a moment.")
            continue
        since = "" if lock.transaction_seconds is None else f" for {span(lock.transaction_seconds)}"
        yield WaitCause(
            WaitCode.LOCKED,
            f"Its {lock.row} is locked{since} by process {lock.pid} ({lock.role}, {lock.application or 'unnamed'}).",
            "It is tried again when that transaction ends; as the database's owner you can end it.",
            f"psql -c 'SELECT pg_terminate_backend({lock.pid})'",
        )
    if facts.frozen and facts.state == State.INITIATED:
        detail = f"The wallet of its {' and its '.join(facts.frozen)} is frozen: posted now, it FAILS."
        yield WaitCause(WaitCode.FROZEN, detail, "Thaw the wallet first, or let it fail.", "flask ops freezes")
    if facts.is_proposed:
        detail = "A resolution of it waits for another ops user, or for a worker."
        yield WaitCause(WaitCode.APPROVAL, detail, "Another ops user approves or rejects it.")
    if facts.is_atomic and facts.state == State.INITIATED:
        detail = "It is a line of an atomic bulk: all of its lines are paid, or none."
        yield WaitCause(WaitCode.ATOMIC_BULK, detail, "It is decided with its bulk.")


def _is_fresh(seconds: float | None) -> bool:
    return seconds is not None and seconds < STALE_SECONDS


def _unseen(seconds: float | None) -> str:
    return "was seen within the last hour" if seconds is None else f"has been alive for {span(seconds)}"


UNITS = (("days", 2 * 86_400, 86_400), ("hours", 2 * 3_600, 3_600), ("minutes", 120, 60))


def span(seconds: float) -> str:
    """A length of time in words, rounded down: 70 s, 5 minutes, 3 days."""
    for name, least, size in UNITS:
        if seconds >= least:
            return f"{int(seconds // size)} {name}"
    return f"{max(int(seconds), 0)} s"
