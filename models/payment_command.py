"""Commands on existing payments: the gateway stores them, a worker decides them under the payment's lock."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import pg_arrays
from models.audit import SHELL, Actor
from models.rules.types import PaymentAction


class CommandOutcome(StrEnum):
    """Outcome of a command."""

    DONE = "done"
    REFUSED = "refused"
    """The payment had moved on."""


class NewCommand(NamedTuple):
    """A command about to be stored."""

    id: str
    payment_id: str


class PaymentCommand(NamedTuple):
    """A command that waits for its decision; `actor` is the user who gave it."""

    id: str
    kind: str
    payment_id: str
    reason: str
    actor: Actor


NEW = pg_arrays.Columns("new", "id uuid, payment_id uuid")


def order_retries(connection: Connection, commands: Sequence[NewCommand], actor: Actor, reason: str) -> int:
    """Store commands to retry payments; returns their number: a payment with an open retry gets no other."""
    return connection.exec_driver_sql(
        "INSERT INTO commands (id, kind, payment_id, user_id, token_id, address, request_id, reason)"
        " SELECT id, 'retry', payment_id, %(user)s, %(token)s, %(address)s, %(request)s, %(reason)s"
        f" FROM {NEW.unnest} ORDER BY payment_id"
        " ON CONFLICT (payment_id) WHERE kind = 'retry' AND decided_at IS NULL DO NOTHING",
        {
            **NEW.parameters(commands),
            "user": actor.name,
            "token": actor.token_id,
            "address": actor.address,
            "request": actor.request_id,
            "reason": reason,
        },
    ).rowcount


def order_action(
    connection: Connection, id: str, kind: PaymentAction, payment_id: str, amount: int | None, actor: Actor
) -> bool:
    """Store a command to capture, void or cancel a payment; False if it has one of them already.

    `amount`, in minor units, is the amount to capture; None is the whole.
    """
    return (
        connection.exec_driver_sql(
            "INSERT INTO commands (id, kind, payment_id, amount, user_id, token_id, address, request_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (id, kind.value, payment_id, amount, *actor),
        ).rowcount
        == 1
    )


def order_by_ops(
    connection: Connection, kind: str, payment_id: str, actor: Actor, reason: str, amount: int | None = None
) -> bool:
    """Store the command of an ops user, or of the shell, as `order_action` does; False if another is in its way."""
    values = {"id": str(uuid7()), "kind": kind, "payment_id": payment_id, "amount": amount, "reason": reason}
    if actor != SHELL:
        values |= zip(("user_id", "token_id", "address", "request_id"), actor, strict=True)
    stored = connection.exec_driver_sql(
        f"INSERT INTO commands ({', '.join(values)}, is_by_ops)"
        f" VALUES ({', '.join(f'%({name})s' for name in values)}, true) ON CONFLICT DO NOTHING",
        values,
    )
    return stored.rowcount == 1


def is_ordered(connection: Connection, kind: str, payment_id: str, actor: Actor) -> bool:
    """Whether this ops user ordered the same before, and it was not refused."""
    return connection.exec_driver_sql(
        "SELECT EXISTS (SELECT FROM commands WHERE payment_id = %s AND kind = %s AND is_by_ops"
        " AND coalesce(user_id::text, 'shell') = %s AND outcome IS DISTINCT FROM 'refused')",
        (payment_id, kind, actor.name),
    ).scalar_one()


def claim(connection: Connection, limit: int, kind: str = "retry") -> list[PaymentCommand]:
    """Lock up to `limit` open retries, or commands of another kind, oldest first, skipping those locked by others."""
    rows = connection.exec_driver_sql(
        "SELECT id::text, kind, payment_id::text, reason, coalesce(user_id::text, 'shell'), token_id::text, address,"
        " request_id FROM commands WHERE decided_at IS NULL AND kind = %s"
        " ORDER BY commands.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
        (kind, limit),
    )
    return [
        PaymentCommand(id, kind, payment_id, reason, Actor(*actor)) for id, kind, payment_id, reason, *actor in rows
    ]


DECISION = pg_arrays.Columns("decision", "id uuid, outcome text")


def decide(connection: Connection, outcomes: Mapping[str, CommandOutcome]) -> None:
    """Set the outcomes of claimed commands, by id."""
    if not outcomes:
        return
    connection.exec_driver_sql(
        "UPDATE commands c SET decided_at = now(), outcome = decision.outcome"
        f" FROM {DECISION.unnest} WHERE c.id = decision.id",
        DECISION.parameters(id=outcomes, outcome=outcomes.values()),
    )


def about(connection: Connection, payment_id: str) -> list[dict[str, object]]:
    """Commands on one payment, oldest first."""
    rows = connection.exec_driver_sql(
        "SELECT kind, user_id::text AS user, is_by_ops, reason, created_at, decided_at, outcome FROM commands"
        " WHERE payment_id = %s ORDER BY id",
        (payment_id,),
    )
    return [dict(row) for row in rows.mappings()]
