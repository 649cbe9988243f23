"""Retries decided: what ops wish about payments, done under the payments' locks and noted in the audit log."""

import structlog

from models import audit, payment_command, payment_stuck
from models.payment_command import CommandOutcome
from models.session import CommitUnknown, Contention, Engine, transaction

log = structlog.get_logger("commands")

COMMANDS_MAX = 200
"""Commands in one transaction: their payments are locked until it ends."""


def decide(engine: Engine) -> int:
    """Decide the open retries; returns how many. Raises DatabaseAway.

    What cannot be locked in time is left to the next one, and so is a commit of unknown outcome: a command decided
    already is open no more.
    """
    decided = 0
    try:
        while count := _decide_some(engine):
            decided += count
    except (Contention, CommitUnknown) as error:
        log.warning("commands left to the next one", reason=type(error).__name__)
    return decided


def _decide_some(engine: Engine) -> int:
    with transaction(engine) as connection:
        commands = payment_command.claim(connection, COMMANDS_MAX)
        if not commands:
            return 0
        # From here those still INITIATED are locked, and due.
        revived = {row.id: row for row in payment_stuck.reset_for_retry(connection, {c.payment_id for c in commands})}
        outcomes = {}
        for wish in commands:
            row = revived.get(wish.payment_id)
            outcomes[wish.id] = CommandOutcome.REFUSED if row is None else CommandOutcome.DONE
            if row is not None:
                before = {"attempts": row.attempts, "parked_at": row.parked_at, "last_error": row.last_error}
                after = {"attempts": 0, "parked_at": None}
                audit.note(connection, wish.actor, "payments.retry", wish.payment_id, wish.reason, before, after)
        payment_command.decide(connection, outcomes)
    log.info("commands decided", commands=len(commands), done=list(outcomes.values()).count(CommandOutcome.DONE))
    return len(commands)
