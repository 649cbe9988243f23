"""Batches of retries, carried out in portions, so that payments that arrive meanwhile are posted among them."""

import time
from collections.abc import Callable

import structlog

from models import batch_claim, payment, payment_stuck
from models.batch import Batch, SkipReason
from models.rules.state import State
from models.session import Connection, Engine, statements, transaction

log = structlog.get_logger("batches")

PORTION_MAX = 50
"""Payments per transaction: they are locked until it ends, and are due all at once."""

REST_SECONDS = 0.15
"""Time after a portion: on two cores that orders use half of, a batch without rests made the slowest of them wait 2.7
times as long, for one that is over after 10 s instead of 40."""

DUE_MAX = 100
"""While more payments than this are due, the next portion waits, so that a new payment is behind few that are retried:
500 of each made it wait 0.7 s."""

WAIT_SECONDS = 0.02
"""Between two looks at what is due: less than one batch of a poster takes."""

TURN_SECONDS = 2.0
"""Duration of one task, so that its worker can run others; in each at least one portion does not wait any longer."""


def carry_out(engine: Engine, ring: Callable[[], None], seconds: float = TURN_SECONDS) -> bool:
    """Make payments of open batches due, and ring for each portion; returns whether to go on soon.

    Raises DatabaseUnavailable.
    """
    deadline, has_progress = time.monotonic() + seconds, False
    while True:
        with statements(engine) as connection:
            if not batch_claim.is_any_open(connection):
                return False
            is_busy = batch_claim.is_more_due_than(connection, DUE_MAX)
        is_over = time.monotonic() >= deadline
        if not is_busy or (is_over and not has_progress):
            if not _decide_portion(engine):
                return False
            has_progress = True
            ring()
        if is_over:
            return True
        time.sleep(WAIT_SECONDS if is_busy else REST_SECONDS)


def _decide_portion(engine: Engine) -> bool:
    """Decide a portion of the oldest open batch, in one transaction; False if another worker has it."""
    with transaction(engine) as connection:
        batch = batch_claim.claim(connection)
        if batch is None:
            return False
        if batch.stopped_at is not None:
            batch_claim.skip_rest(connection, batch.id)
            return True
        ids = batch_claim.waiting(connection, batch.id, PORTION_MAX)
        retried = _retry(connection, batch, ids)
    log.info("portion of a batch decided", batch=batch.id, retried=retried, skipped=len(ids) - retried)
    return True


def _retry(connection: Connection, batch: Batch, ids: list[str]) -> int:
    """Make those due that are as they were selected, and skip the others; returns how many are due."""
    were_parked = "parked" in batch.filter
    rows = payment_stuck.reset_for_retry(connection, ids, batch.selected_at, were_parked=were_parked)
    retried = {row.id for row in rows}
    left = set(ids) - retried
    states = payment.states(connection, left)
    final = {id for id, state in states.items() if State(state).is_final}
    skipped = {id: SkipReason.FINAL if id in final else SkipReason.MOVED_ON for id in left}
    batch_claim.note_retries(connection, batch.actor, batch.reason, rows)
    batch_claim.decide(connection, batch.id, retried, skipped)
    return len(rows)
