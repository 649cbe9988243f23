"""The outcome of all orders, read from the tables and compared with every answer."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine

from embedded.stack import Stack
from models import invariants
from models.session import DatabaseUnavailable, transaction
from tests.e2e.state_machine.users import ACCEPTED, Answer
from tests.support import eventually, kept_engine

OPEN = "SELECT count(*) FROM payments WHERE state = 'INITIATED' AND parked_at IS NULL"

PAYMENTS = """
SELECT k.key, p.id::text, p.state, p.parked_at IS NOT NULL,
       (SELECT count(*) FROM operations o WHERE o.payment_id = p.id)
FROM payments p LEFT JOIN idempotency_keys k ON k.payment_id = p.id
WHERE k.key = ANY(%(keys)s)
   OR k.key IS NULL AND p.user_id IN (SELECT user_id FROM idempotency_keys WHERE key = ANY(%(keys)s))
"""


class Reckoning(NamedTuple):
    """Payments counted; `lost` were answered 202 and are not kept or not decided, `doubled` kept or posted twice."""

    accepted: int
    completed: int
    failed: int
    parked: int
    lost: int
    doubled: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self._asdict().items())


def owner(stack: Stack) -> Engine:
    """Its database as its owner, also after a restart."""
    return kept_engine(stack.database_url)


def scalar(stack: Stack, query: str) -> Any:
    with transaction(owner(stack)) as connection:
        return connection.exec_driver_sql(query).scalar_one()


def wait_until_decided(stack: Stack, seconds: float) -> None:
    """Until no payment is open but those set aside for a person."""

    def is_decided() -> bool:
        try:
            return scalar(stack, OPEN) == 0
        except DatabaseUnavailable:
            return False

    eventually(is_decided, seconds, message="every payment is final or parked")


def reckon(stack: Stack, answers: Sequence[Answer]) -> Reckoning:
    """Count what became of the orders behind the answers; the books must be in order."""
    with transaction(owner(stack)) as connection:
        assert invariants.violations(connection) == []
        rows = connection.exec_driver_sql(PAYMENTS, {"keys": [answer.order.key for answer in answers]}).all()
    accepted = {answer.payment_id for answer in answers if answer.status == ACCEPTED}
    states = Counter("parked" if is_parked else state for _, _, state, is_parked, _ in rows)
    undecided = {id for _, id, state, is_parked, _ in rows if state == "INITIATED" and not is_parked}
    kept_twice = sum(count - 1 for count in Counter(row[0] for row in rows).values())
    posted_twice = sum(1 for _, _, state, _, lines in rows if lines != (2 if state == "COMPLETED" else 0))
    return Reckoning(
        accepted=len(accepted),
        completed=states["COMPLETED"],
        failed=states["FAILED"],
        parked=states["parked"],
        lost=len(accepted - {row[1] for row in rows}) + len(undecided),
        doubled=kept_twice + posted_twice,
    )
