"""FakePayments answers as the running stack does."""

from contextlib import ExitStack

from payments_client import Client
from payments_client.testing import FAILURES, FakePayments

from embedded.stack import Stack
from models.rules.failure_codes import MESSAGES
from tests.clients.python.scenario import People, tell
from tests.e2e.state_machine.users import new_tokens

ROLES = ("client", "client", "merchant")


def test_the_fake_answers_as_the_stack(stack: Stack) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(Client(stack.url, token)) for token in new_tokens(stack, ROLES)]
        real = tell(People(*clients))
    fake = FakePayments()
    faked = tell(People(*(fake.client(fake.user(role, role)) for role in ROLES)))
    for number, (one, other) in enumerate(zip(real, faked, strict=True)):
        assert one == other, f"answer {number}: {one} of the stack, {other} of the fake"


def test_the_fake_knows_every_failure() -> None:
    assert {code: (MESSAGES[code], code.is_retryable) for code in MESSAGES} == FAILURES
