"""The auditor: verifies the books behind the poster, and everything on demand; what is broken becomes a breach."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import structlog

from models import audit, breach, checkpoint, client_timeout, freeze, imbalance, invariants, ledger_batch, verification
from models.breach import Breach
from models.checkpoint import Checkpoint, SigningKey
from models.freeze import FreezeTarget
from models.ledger_batch import LedgerBatch
from models.session import Connection, Engine, transaction
from models.verification import Position

RUN_SECONDS = 2.0
"""Duration of one task, so that its worker can run others; what is left is for the next."""

FULL_SECONDS_MAX = 3600
"""Time limit of one invariant of a full run, which reads whole tables."""

BATCHES_AT_ONCE = 20
"""Batches of a full run that are read together: up to 10,000 payments."""

log = structlog.get_logger("auditor")

Progress = Callable[[int, int, str], None]
"""Called with the steps done, their number, and what is done next."""


class Verified(NamedTuple):
    """What a run looked at and found: events, batches and payments; breaches that are new, open and healed."""

    events: int
    batches: int
    payments: int
    new: list[Breach]
    found: list[Breach]
    healed: list[str]
    remains: bool

    def then(self, next: "Verified") -> "Verified":
        """Both together."""
        counts = (self.events + next.events, self.batches + next.batches, self.payments + next.payments)
        return Verified(
            *counts, self.new + next.new, self.found + next.found, self.healed + next.healed, remains=next.remains
        )


def run(engine: Engine, seconds: float = RUN_SECONDS, *, again: bool = True, freezes_max: int = 0) -> Verified:
    """Verify what is new since the last run and, if `again`, some older batches, what was broken, and the sums of all.

    The wallets of a new breach are frozen, unless as many as `freezes_max` are frozen for breaches already.
    """
    deadline = time.monotonic() + seconds
    total = _slice(engine, freezes_max, again=again)
    while total.remains and time.monotonic() < deadline:
        total = total.then(_slice(engine, freezes_max, again=False))
    return _sums(engine).then(total) if again else total


NOTHING = Verified(0, 0, 0, [], [], [], remains=False)


def _slice(engine: Engine, freezes_max: int, *, again: bool) -> Verified:
    """One slice: read in a transaction of one snapshot, and recorded in one that locks the wallets to be frozen."""
    with transaction(engine) as connection:
        verification.read_one_snapshot(connection)
        if not verification.try_lock(connection):
            return NOTHING
        at = verification.position(connection)
        events = verification.transitions(connection, at)
        before = ledger_batch.by_number(connection, at.batch)
        batches = ledger_batch.page(connection, at.batch, verification.BATCHES_MAX)
        found = [*_lost(connection, at, before), *ledger_batch.broken(connection, before, batches)]
        posted = [id for batch in batches for id in batch.payments]
        more = set(verification.unannounced(connection, posted))
        rechecked: list[str] = []
        older: list[LedgerBatch] = []
        if again:
            rechecked = breach.open_subjects(connection)
            older = _older(connection, at, rechecked, found)
            more.update(id for batch in older for id in batch.payments)
        ids = {word for subject in rechecked if breach.is_id(word := subject.split(" ")[0])}
        some = verification.slice_of(events, more | ids)
        found += verification.broken(connection, some, ids)
        subjects = [*rechecked, *(f"batch {batch.number}" for batch in (*batches, *older))]
        healed = breach.not_found_again(connection, verification.HEALED_BY_NEXT, found, subjects=subjects)
    last = batches[-1] if batches else None
    reached = Position(
        events[-1].xact if events else at.xact,
        events[-1].sequence if events else at.sequence,
        last.number if last else at.batch,
        last.hash if last else at.batch_hash,
        older[-1].number if older and older[-1].number < at.batch else 0 if again else at.again,
    )
    with transaction(engine) as connection:
        verification.lock(connection)  # one that only tries would lose what it found to a run that only begins
        if verification.position(connection) != at:
            return NOTHING  # another run was faster
        breach.heal(connection, healed)
        new = _record(connection, found, freezes_max)
        verification.advance(connection, reached)
    _tell(new)
    remains = len(events) == verification.EVENTS_MAX or len(batches) == verification.BATCHES_MAX
    return Verified(len(events), len(batches), len(some.ids), new, found, list(healed.values()), remains)


def _sums(engine: Engine) -> Verified:
    """Add up the balances of each currency, and record those that do not sum to zero."""
    with transaction(engine) as connection:
        if not verification.try_lock(connection):
            return NOTHING
        sums = imbalance.look(connection)
        found = [
            Breach(imbalance.INVARIANT, one.currency, {"currency": one.currency, "sum": str(one.amount)})
            for one in sums
            if one.amount
        ]
        healed = breach.not_found_again(connection, [imbalance.INVARIANT], found)
        breach.heal(connection, healed)
        new = list(breach.record(connection, found).values())
    _tell(new)
    return NOTHING._replace(new=new, found=found, healed=list(healed.values()))


def _lost(connection: Connection, at: Position, before: LedgerBatch | None) -> Iterator[Breach]:
    """Whether the last verified batch is missing or another one."""
    if before is None or before.hash != at.batch_hash:
        details = {"hash": at.batch_hash.hex(), "newest": ledger_batch.newest(connection)}
        yield Breach(ledger_batch.STILL_THERE, f"batch {at.batch}", details)


def _older(connection: Connection, at: Position, rechecked: Iterable[str], found: list[Breach]) -> list[LedgerBatch]:
    """The next batches to be verified once more; their breaches, and those of batches that were open, are added."""
    before = ledger_batch.by_number(connection, at.again)
    older = [
        batch for batch in ledger_batch.page(connection, at.again, verification.BATCHES_MAX) if batch.number <= at.batch
    ]
    found += ledger_batch.broken(connection, before, older)
    for number in {int(words[1]) for words in map(str.split, rechecked) if words[0] == "batch"}:
        batch = ledger_batch.by_number(connection, number)
        if batch is not None:
            found += ledger_batch.broken(connection, ledger_batch.by_number(connection, number - 1), [batch])
    return older


def _record(connection: Connection, found: list[Breach], freezes_max: int) -> list[Breach]:
    """Record the breaches that are new, and freeze their wallets, in the order of ids as posters lock them."""
    new = breach.record(connection, found)
    reasons: dict[str, tuple[str, str]] = {}
    for id, one in new.items() if freezes_max else ():
        if one.invariant not in verification.OF_RECORDS:
            reason = f"{one.invariant}: broken by {one.subject}"[: audit.REASON_LENGTH_MAX]
            reasons |= dict.fromkeys(breach.wallets(connection, one), (id, reason))
    free = freezes_max - freeze.in_force_for_breaches(connection) if reasons else 0
    for account_id in sorted(reasons):
        if free <= 0:
            log.error("not frozen: too many are", account=account_id, freezes_max=freezes_max)
            continue
        id, reason = reasons[account_id]
        _, is_new = freeze.freeze(connection, FreezeTarget(account_id), reason, audit.WORKER, breach_id=id)
        free -= is_new
    return list(new.values())


def sign(engine: Engine, key: SigningKey | None) -> list[Checkpoint]:
    """Sign checkpoints over all batches that are verified; none without a key, or with a breach of the chain."""
    signed: list[Checkpoint] = []
    while key is not None:
        with transaction(engine) as connection:
            if not verification.try_lock(connection) or breach.is_any_open(connection, verification.CHAIN_BREACHES):
                return signed
            new = checkpoint.sign_next(connection, key, verification.position(connection).batch)
        if new is None:
            return signed
        signed.append(new)
    return signed


def run_full(engine: Engine, progress: Progress, *, freezes_max: int = 0) -> Verified:
    """Verify everything: each invariant over all data from one snapshot, and every batch of the chain.

    Freezes wallets as `run` does.
    """
    with transaction(engine) as connection:
        began = verification.moment(connection)
        newest = ledger_batch.newest(connection)
    count = len(invariants.INVARIANTS) + newest // BATCHES_AT_ONCE + 3
    found: list[Breach] = []
    with client_timeout.at_most(FULL_SECONDS_MAX + 2), transaction(engine) as connection:
        invariants.read_one_moment(connection, FULL_SECONDS_MAX)
        for step, name in enumerate(invariants.INVARIANTS):
            progress(step, count, name)
            found += verification.broken_everywhere(connection, name)
        progress(count - newest // BATCHES_AT_ONCE - 3, count, ledger_batch.CHAINED)
        found += ledger_batch.unchained(connection, None, verification.BREACHES_MAX)
        if not ledger_batch.is_beginning_unchanged(connection):
            found.append(Breach(ledger_batch.BEGINNING, "batch 0", {}))
    batches = payments = 0
    for verified, some in _chain(engine, found):
        batches, payments = batches + verified, payments + some
        progress(min(count - 1, count - newest // BATCHES_AT_ONCE - 2 + batches // BATCHES_AT_ONCE), count, "the chain")
    new, healed = _keep(engine, found, began, freezes_max)
    progress(count, count, "done")
    return Verified(0, batches, payments, new, found, healed, remains=False)


def _chain(engine: Engine, found: list[Breach]) -> Iterator[tuple[int, int]]:
    """Verify all batches, adding their breaches; the numbers of batches and payments, page by page."""
    before: LedgerBatch | None = None
    last = -1
    while True:
        with transaction(engine) as connection:
            batches = ledger_batch.page(connection, last, BATCHES_AT_ONCE)
            found += ledger_batch.broken(connection, before, batches)
            if not batches:
                at = verification.position(connection)
                found += _lost(connection, at, ledger_batch.by_number(connection, at.batch))
                return
        before, last = batches[-1], batches[-1].number
        yield len(batches), sum(len(batch.payments) for batch in batches)


def _keep(engine: Engine, found: list[Breach], began: datetime, freezes_max: int) -> tuple[list[Breach], list[str]]:
    """Record what a full run found, and what it did not find any more."""
    with transaction(engine) as connection:
        by_name = {name: sum(one.invariant == name for one in found) for name in verification.HEALED_IN_FULL}
        whole = [name for name, count in by_name.items() if count < verification.BREACHES_MAX]
        healed = breach.not_found_again(connection, whole, found, before=began)
        breach.heal(connection, healed)
        new = _record(connection, found, freezes_max)
        verification.note_full(connection)
    _tell(new)
    return new, list(healed.values())


def _tell(new: Iterable[Breach]) -> None:
    for one in new:
        log.error("breach", invariant=one.invariant, subject=one.subject, details=one.details)
