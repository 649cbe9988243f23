"""Retries ordered by ops: decided under the locks of their payments and recorded in the audit log."""

import structlog

from models import audit, payment_command, payment_stuck
from models.payment_command import CommandOutcome
from models.session import CommitUnknown, Contention, Engine, transaction

log = structlog.get_logger("commands")

COMMANDS_MAX = 200
"""Commands per transaction: their payments are locked until it ends."""


def decide(engine: Engine) -> int:
    """Decide the open retries; returns how many. Raises DatabaseUnavailable.

    After a lock time-out or a commit of unknown outcome the next task goes on: a command that was decided is no longer
    open.
    """
    decided = 0
    try:
        while count := _decide_some(engine):
            decided += count
    except (Contention, CommitUnknown) as error:
        log.warning("commands left to the next task", reason=type(error).__name__)
    return decided


def _decide_some(engine: Engine) -> int:
    with transaction(engine) as connection:
        commands = payment_command.claim(connection, COMMANDS_MAX)
        if not commands:
            return 0
        # From here the payments still INITIATED are locked, and due.
        reset = {row.id: row for row in payment_stuck.reset_for_retry(connection, {c.payment_id for c in commands})}
        outcomes = {}
        for command in commands:
            row = reset.get(command.payment_id)
            outcomes[command.id] = CommandOutcome.REFUSED if row is None else CommandOutcome.DONE
            if row is not None:
                before = {"attempts": row.attempts, "parked_at": row.parked_at, "last_error": row.last_error}
                after = {"attempts": 0, "parked_at": None}
                audit.note(
                    connection, command.actor, "payments.retry", command.payment_id, command.reason, before, after
                )
        payment_command.decide(connection, outcomes)
    log.info("commands decided", commands=len(commands), done=list(outcomes.values()).count(CommandOutcome.DONE))
    return len(commands)
