"""A payment for each cause to wait for, with the beginnings of what is said of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from uuid_utils import uuid7

from models import bank_account, bulk, freeze, payment
from models.audit import SHELL
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.freeze import FreezeTarget
from models.pause import Scope, pause
from models.payment import put_off
from models.rules.waiting import WaitCode
from models.session import transaction
from tests.builders import COUNTERPARTY, Builder

Case = Callable[[Builder], AbstractContextManager[str]]


def execute(builder: Builder, statement: str, *parameters: object) -> None:
    with transaction(builder.owner) as connection:
        connection.exec_driver_sql(statement, parameters)


def transfer(builder: Builder) -> str:
    client, source = builder.client(1_00)
    return builder.transfer(client, source, builder.client()[1], 1_00)


def withdrawal(builder: Builder, instruction: str = "rail = NULL") -> str:
    """A withdrawal on hold; `instruction` is what became of its payout."""
    client, wallet = builder.client(1_00)
    id = builder.order("withdrawal", client, wallet, builder.technical("wire"), 1_00)
    builder.post_payments()
    execute(builder, f"UPDATE instructions SET {instruction} WHERE payment_id = %s", id)
    return id


@contextmanager
def due(builder: Builder) -> Iterator[str]:
    yield transfer(builder)


@contextmanager
def scheduled(builder: Builder) -> Iterator[str]:
    client, source = builder.client(1_00)
    with transaction(builder.gateway) as connection:
        later = payment.clock(connection) + timedelta(days=2, hours=1)
    yield builder.order("transfer", client, source, builder.client()[1], 1_00, scheduled_at=later)


@contextmanager
def tried(builder: Builder) -> Iterator[str]:
    id = transfer(builder)
    execute(
        builder,
        "UPDATE payments SET attempts = 3, last_error = 'poison', due_at = now() + interval '45 s' WHERE id = %s",
        id,
    )
    yield id


@contextmanager
def without_partition(builder: Builder) -> Iterator[str]:
    id = transfer(builder)
    with transaction(builder.worker) as connection:
        put_off(connection, id, "NoPartition: no partition of relation", 60.0)
    yield id


@contextmanager
def parked(builder: Builder) -> Iterator[str]:
    id = transfer(builder)
    builder.park(id)
    yield id


@contextmanager
def parked_at_bank(builder: Builder) -> Iterator[str]:
    id = withdrawal(builder, "submitted_at = now(), rail = 'r', due_at = NULL")
    execute(builder, "UPDATE payments SET parked_at = now() WHERE id = %s", id)
    yield id


@contextmanager
def paused(builder: Builder) -> Iterator[str]:
    shop = builder.user("merchant")
    wallet = builder.wallet(shop)
    with transaction(builder.worker) as connection:
        assert pause(connection, Scope(merchant_id=shop), "the shop is wrong", None, SHELL) is not None
    id = builder.order("charge", shop, builder.client(1_00)[1], wallet, 1_00)
    builder.post_payments()
    yield id


@contextmanager
def rail_paused(builder: Builder) -> Iterator[str]:
    id = withdrawal(builder, "rail = 'paused'")
    with transaction(builder.worker) as connection:
        assert pause(connection, Scope(rail="paused"), "the bank is wrong", None, SHELL) is not None
    yield id


@contextmanager
def frozen(builder: Builder) -> Iterator[str]:
    client, source = builder.client(1_00)
    id = builder.transfer(client, source, builder.client()[1], 1_00)
    with transaction(builder.worker) as connection:
        freeze.freeze(connection, FreezeTarget(account_id=source), "stolen", SHELL)
    yield id


@contextmanager
def held(builder: Builder) -> Iterator[str]:
    shop = builder.user("merchant")
    id = builder.order("charge", shop, builder.client(1_00)[1], builder.wallet(shop), 1_00, capture=False)
    builder.post_payments()
    yield id


@contextmanager
def not_sent(builder: Builder) -> Iterator[str]:
    yield withdrawal(builder)


@contextmanager
def at_bank(builder: Builder) -> Iterator[str]:
    yield withdrawal(builder, "submitted_at = now() - interval '70 s', rail = 'r', attempts = 1")


@contextmanager
def proposed(builder: Builder) -> Iterator[str]:
    with parked_at_bank(builder) as id:
        execute(
            builder,
            "INSERT INTO resolutions (id, payment_id, outcome, reason, proposed_by) VALUES"
            " (%s, %s, 'not_paid', 'seen', 'shell')",
            str(uuid7()),
            id,
        )
        yield id


@contextmanager
def line(builder: Builder) -> Iterator[str]:
    shop = builder.user("merchant")
    wallet, account = builder.wallet(shop, 1_00), str(uuid7())
    one = NewLine(str(uuid7()), 1_00, None, iban=COUNTERPARTY.iban, name="Bob")
    new = NewBulk(str(uuid7()), BulkKind.TRANSFERS, BulkMode.ATOMIC, shop, "EUR", account, wallet)
    new = new._replace(wire_id=builder.technical("wire"))
    with transaction(builder.gateway) as connection:
        assert bank_account.register(connection, account, shop, "Shop", COUNTERPARTY.iban, None, wallet)
        assert bulk.accept(connection, new, one.id, bytes(32), [one]).lines == 1
    yield one.id


@contextmanager
def locked(builder: Builder, row: str = "payments") -> Iterator[str]:
    client, source = builder.client(1_00)
    id = builder.transfer(client, source, builder.client()[1], 1_00)
    with transaction(builder.owner) as connection:
        key = id if row == "payments" else source
        connection.exec_driver_sql(f"SELECT FROM {row} WHERE id = %s FOR NO KEY UPDATE", (key,))
        yield id


@contextmanager
def wallet_locked(builder: Builder) -> Iterator[str]:
    with locked(builder, "accounts") as id:
        yield id


CASES: dict[WaitCode, tuple[Case, str, str]] = {
    WaitCode.DUE: (due, "It waits to be posted; ", "flask workers alive"),
    WaitCode.SCHEDULED: (scheduled, "It was ordered for later, and is due in 2 days.", ""),
    WaitCode.NEXT_ATTEMPT: (tried, "Attempt 3 of 8 failed, the next is in 4", "flask payments retry ID --reason WHY"),
    WaitCode.PARTITION_MISSING: (without_partition, "Its month has no partition; ", "flask payments partitions"),
    WaitCode.PARKED: (parked, "It was parked for a person after attempt 1: no", "flask payments retry ID --reason WHY"),
    WaitCode.PAUSED: (paused, "Ops have paused it, until ops resume it: the shop is wrong", "flask ops pauses"),
    WaitCode.RAIL_PAUSED: (rail_paused, "Ops have paused its rail, paused: ", "flask ops pauses"),
    WaitCode.FROZEN: (frozen, "The wallet of its source is frozen: posted now, it FAILS.", "flask ops freezes"),
    WaitCode.HOLD: (held, "The amount is held for its merchant; the hold ends in", "flask ops capture ID --reason WHY"),
    WaitCode.NOT_SENT: (not_sent, "The bank does not know of it yet; the next try is due now", "flask workers alive"),
    WaitCode.AT_BANK: (at_bank, "The bank was told 7", "flask ops ask ID --reason WHY"),
    WaitCode.APPROVAL: (proposed, "A resolution of it waits for another ops user, or for a worker.", ""),
    WaitCode.ATOMIC_BULK: (line, "It is a line of an atomic bulk: ", ""),
    WaitCode.LOCKED: (locked, "Its payment is locked", "psql -c 'SELECT pg_terminate_backend("),
}  # fmt: skip
"""For each code a payment that waits for it, and the beginnings of what it says and of the command that helps."""
