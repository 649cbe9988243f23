"""No broker, so no message of beat's either: what is accepted goes on all the same, by each worker's own clock."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import pytest

from embedded.stack import Stack
from tests.e2e.state_machine.audit import scalar
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import logged, stopped
from tests.support import eventually
from tests.webhook_receiver import Receiver

pytestmark = pytest.mark.slow
CREATED = 201
UNWELCOMED = "SELECT count(*) FROM users WHERE welcomed_at IS NULL"
Injury = Callable[[Stack], AbstractContextManager[None]]


@contextmanager
def killed(stack: Stack) -> Iterator[None]:
    stack.broker.kill()
    try:
        yield
    finally:
        stack.broker.start()


@contextmanager
def frozen(stack: Stack) -> Iterator[None]:
    with stopped(stack.broker.pid):
        yield


@pytest.mark.parametrize("broker_is", [killed, frozen])
def test_without_a_broker_to_carry_messages_all_goes_on(
    stack: Stack, users: StackUsers, reckoned: Reckon, broker_is: Injury
) -> None:
    """A charge is posted and sent to a webhook; a withdrawal is sent to the bank and ended by its answer; a new user is
    onboarded and gets a mail.
    """
    receiver, failed = Receiver(), {name: logged(stack, name, "task failed") for name in stack.processes}
    body = {"url": receiver.url, "event_types": ["payment.*"]}
    assert users.connection.call("POST", "/v1/webhook-endpoints", users.merchant.token, body)[0] == CREATED
    answers = []
    try:
        with broker_is(stack):
            for _ in range(2):
                heard, written = len(receiver.heard), letters(stack)
                answers += [
                    users.connection.submit(users.charge(users.clients[0], "1.00")),
                    users.connection.submit(users.withdrawal(users.clients[0], "6660.01")),
                ]
                assert [answer.status for answer in answers[-2:]] == [ACCEPTED] * 2
                number = f"+1415{random.randrange(2_000_000, 9_999_999)}"
                newcomer = {"email": f"{uuid4()}@example.com", "password": f"correct {uuid4()}", "phone_number": number}
                newcomer |= {"first_name": "Carol", "last_name": "Clear"}
                assert users.connection.call("POST", "/v1/clients", "", newcomer)[0] == CREATED
                for answer in answers[-2:]:
                    assert users.final(answer, seconds=120)["state"] == "COMPLETED"
                eventually(lambda heard=heard: len(receiver.heard) >= heard + 2, seconds=120, message="they are told")
                eventually(lambda written=written: letters(stack) > written, seconds=120, message="mail is sent")
                eventually(lambda: scalar(stack, UNWELCOMED) == 0, seconds=120, message="who signs up is welcomed")
        reckoned(answers + users.submit(users.mixed(50)))
    finally:
        receiver.close()
    assert all(process.is_alive for process in stack.processes.values())
    assert {name: logged(stack, name, "task failed") for name in stack.processes} == failed


def letters(stack: Stack) -> int:
    return len(list((stack.home.path / "mail").glob("*.eml")))
