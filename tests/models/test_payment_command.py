"""Commands: one open retry a payment, claimed by one worker, decided once."""

from models import payment_command
from models.audit import Actor
from models.payment_command import CommandOutcome, NewCommand
from models.session import transaction
from tests.builders import Builder, new_id


def order(world: Builder, actor: Actor, *payment_ids: str) -> int:
    with transaction(world.gateway) as connection:
        return payment_command.order_retries(
            connection, [NewCommand(new_id(), id) for id in payment_ids], actor, "because"
        )


def test_payment_has_one_open_retry(world):
    ops, here, there = Actor(world.user()), new_id(), new_id()
    assert order(world, ops, here, there) == 2
    assert order(world, ops, here) == 0
    with transaction(world.worker) as connection:
        first, second = payment_command.claim(connection, 10)
        assert {first.payment_id, second.payment_id} == {here, there}
        payment_command.decide(connection, {first.id: CommandOutcome.DONE, second.id: CommandOutcome.REFUSED})
        assert payment_command.claim(connection, 10) == []
        assert [c["outcome"] for c in payment_command.about(connection, first.payment_id)] == ["done"]
        assert [c["outcome"] for c in payment_command.about(connection, second.payment_id)] == ["refused"]
    assert order(world, ops, here) == 1, "the one before is decided"


def test_command_names_its_actor_and_reason(world):
    ops = Actor(world.user(), new_id(), "192.0.2.1", "request-1")
    order(world, ops, payment_id := new_id())
    with transaction(world.worker) as connection:
        [command] = payment_command.claim(connection, 10)
        assert (command.kind, command.payment_id, command.reason, command.actor) == (
            "retry",
            payment_id,
            "because",
            ops,
        )


def test_two_workers_claim_different_commands(world):
    order(world, Actor(world.user()), new_id(), new_id())
    with transaction(world.worker) as first, transaction(world.worker) as second:
        assert len(payment_command.claim(first, 1)) == 1
        assert len(payment_command.claim(second, 10)) == 1
        assert payment_command.claim(second, 10) != payment_command.claim(first, 10)
