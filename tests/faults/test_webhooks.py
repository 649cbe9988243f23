"""The webhook worker is killed during calls, again and again: every event arrives, those of each payment in order."""

import threading
from collections import defaultdict

import click
import pytest

from embedded.stack import Stack
from models.session import transaction
from tests.e2e.state_machine.audit import owner, scalar, wait_until_decided
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.inject import is_running, kill_the_parent
from tests.support import eventually
from tests.webhook_receiver import Receiver, status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
CHARGES, KILLS = 150, 4
CHARGES_FULL, KILLS_FULL = 1_500, 20
DELIVERED_SECONDS_MAX = 300

PENDING = "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending' AND endpoint_id = '{}'"
EVENTS = "SELECT subject_id::text, name FROM events WHERE user_id = %s ORDER BY subject_id, version"
OWNER_OF = "SELECT user_id::text FROM webhook_endpoints WHERE id = %s"


def test_killed_amid_calls_and_nothing_is_lost(
    stack: Stack, users: StackUsers, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    count, kills = (CHARGES, KILLS) if times == 1 else (CHARGES_FULL, KILLS_FULL)
    receiver, calling, turn = Receiver(), threading.Event(), threading.Event()

    def slowly_at_times(handler, heard) -> None:
        """Every tenth request is held until the worker that sent it has been killed."""
        if len(receiver.heard) % 10 == 0 and not turn.is_set():
            calling.set()
            turn.wait(timeout=5)
        status(204)(handler, heard)

    receiver.answer = slowly_at_times
    body = {"url": receiver.url, "event_types": ["payment.*"]}
    _, endpoint, _ = users.connection.call("POST", "/v1/webhook-endpoints", users.merchant.token, body)
    orders = [users.charge(users.clients[n % 10], "1.00") for n in range(count)]
    killed = []
    with users.submitting(orders, per_second=count / (3 * kills)) as submitted:
        for _ in range(kills):
            calling.clear()
            turn.clear()
            eventually(calling.is_set, seconds=120, message="a call is under way")
            killed.append(kill_the_parent(stack, *stack.doing("webhooks")))
            turn.set()
    answers = [answer.result() for answer in submitted]
    turn.set()
    assert len(set(killed)) == kills
    assert not any(map(is_running, killed))
    assert {answer.status for answer in answers} == {ACCEPTED}
    wait_until_decided(stack, DELIVERED_SECONDS_MAX)

    with transaction(owner(stack)) as connection:
        [user_id] = connection.exec_driver_sql(OWNER_OF, (endpoint["id"],)).one()
        events: dict[str, list[str]] = defaultdict(list)
        for subject, name in connection.exec_driver_sql(EVENTS, (user_id,)):
            events[subject].append(name)

    def is_delivered() -> bool:
        return (
            scalar(stack, PENDING.format(endpoint["id"])) == 0
            and len({heard.id for heard in receiver.heard}) == 2 * count
        )

    eventually(is_delivered, DELIVERED_SECONDS_MAX, message="every event was sent")
    sent: dict[str, list[str]] = defaultdict(list)
    for heard in receiver.heard:
        event = heard.verified(endpoint["secret"])
        sent[event["data"]["id"]].append(event["type"])
    receiver.close()
    assert events.keys() == sent.keys() == {answer.payment_id for answer in answers}
    for payment_id, names in sent.items():
        assert list(dict.fromkeys(names)) == events[payment_id], names
        assert names == sorted(names, key=events[payment_id].index), "the next begins when the one before has arrived"
    with capsys.disabled():
        doubled = len(receiver.heard) - 2 * count
        click.echo(f"{2 * count} events, {kills} kills, {doubled} sent more than once, none lost")
