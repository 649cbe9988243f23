"""Resolutions that two ops users agreed on: judged again under the locks of their payments, and executed once."""

import structlog

from models import audit, payment_action, payment_command, payout, resolution
from models.payment_command import CommandOutcome
from models.rules import ops_actions
from models.rules.ops_actions import OpsAction, Refusal
from models.session import CommitUnknown, Connection, Contention, Engine, transaction

log = structlog.get_logger("resolutions")

RESOLUTIONS_MAX = 100
"""Resolutions per transaction: their payments are locked until it ends."""


def execute(engine: Engine) -> int:
    """Execute what was approved, as answers in the bank's place; returns their number. Raises DatabaseUnavailable.

    After a lock time-out or a commit of unknown outcome the next task goes on, as with retries.
    """
    judged = 0
    try:
        while count := _execute_some(engine):
            judged += count
    except (Contention, CommitUnknown) as error:
        log.warning("resolutions left to the next task", reason=type(error).__name__)
    return judged


def _execute_some(engine: Engine) -> int:
    with transaction(engine) as connection:
        commands = payment_command.claim(connection, RESOLUTIONS_MAX, "resolve")
        if not commands:
            return 0
        ids = sorted({command.payment_id for command in commands})
        payout.lock(connection, ids)
        outcomes = {command.payment_id: _execute(connection, command.payment_id) for command in commands}
        payment_command.decide(connection, {command.id: outcomes[command.payment_id] for command in commands})
    log.info("resolutions judged", outcomes=outcomes)
    return len(commands)


def _execute(connection: Connection, payment_id: str) -> CommandOutcome:
    """Judge one resolution by what is known now; its payment is finished by the command of the answer."""
    agreed = resolution.approved(connection, payment_id)
    known = payment_action.facts(connection, [payment_id]).get(payment_id)
    if agreed is None or known is None:
        return CommandOutcome.REFUSED
    refused = ops_actions.refusal(OpsAction.RESOLVE, known._replace(is_proposed=False))  # by this very one
    if not resolution.is_of_two_ops_users(connection, agreed):
        refused = Refusal.PEOPLE
    if refused is None and not payout.store_answers(connection, [agreed.result()], agreed.id):
        refused = Refusal.ANSWERED
    resolution.executed(connection, agreed.id, refused)
    after = {"payment": payment_id, "outcome": agreed.outcome, "refusal": refused}
    action = "resolutions.execute" if refused is None else "resolutions.refuse"
    audit.note(connection, audit.WORKER, action, agreed.id, agreed.reason, after=after)
    return CommandOutcome.DONE if refused is None else CommandOutcome.REFUSED
