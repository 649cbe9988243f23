"""The alarm rings: each part that is stopped is named by /status and the shell, and by nothing once it works again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from embedded.stack import Stack
from models.session import transaction
from tests.e2e.state_machine.audit import owner
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.ops import flask, flask_fails
from tests.support import eventually, past_the_triggers

pytestmark = pytest.mark.slow
OLDER = "UPDATE payments SET created_at = now() - interval '61 s' WHERE id = %s"
BY_TIMETABLE_SECONDS = 90
"""The longest wait for what comes every few seconds, on a busy machine."""


class Watch:
    """A client who reads /status."""

    def __init__(self, stack: Stack, users: StackUsers) -> None:
        self.stack, self.users = stack, users

    def status(self) -> tuple[int, set[str]]:
        """The status of the answer, and the codes of what is wrong."""
        code, body, _ = self.users.connection.call("GET", "/status", self.users.clients[0].token)
        return code, {problem["code"] for problem in body.get("problems", [])}

    def rings(self, status: int, *codes: str) -> None:
        """Wait until exactly this is wrong."""
        seen = []

        def is_so() -> bool:
            seen[:] = [self.status()]
            return seen == [(status, set(codes))]

        try:
            eventually(is_so, BY_TIMETABLE_SECONDS)
        except AssertionError:
            raise AssertionError(f"expected {(status, codes)}, seen {seen}") from None


def as_owner(stack: Stack, statement: str, *parameters: object) -> None:
    with transaction(owner(stack)) as connection:
        connection.exec_driver_sql(statement, parameters)


@pytest.fixture(scope="module")
def watch(stack: Stack, users: StackUsers) -> Watch:
    watch = Watch(stack, users)
    watch.rings(200)
    return watch


@contextmanager
def without(stack: Stack, name: str) -> Iterator[None]:
    """Meanwhile the process is stopped, as if for so long that it counts."""
    stack.processes[name].stop()
    as_owner(stack, "UPDATE worker_heartbeats SET seen_at = now() - interval '31 s' WHERE name LIKE %s", f"{name}%")
    try:
        yield
    finally:
        stack.processes[name].start()


@pytest.mark.parametrize(("name", "status"), [("posting", 503), ("upkeep", 200), ("rails", 200), ("webhooks", 200)])
def test_a_worker_that_is_stopped_is_named(watch: Watch, name: str, status: int) -> None:
    with without(watch.stack, name):
        watch.rings(status, f"{name}_stale")
        assert f"{name}_stale" in flask_fails(watch.stack, "workers", "alive")
        assert f"{name}_stale" in flask_fails(watch.stack, "workers", "alive", name)
        assert watch.users.connection.call("GET", "/health/ready", "")[0] == 200
    watch.rings(200)
    flask(watch.stack, "workers", "alive")
    flask(watch.stack, "workers", "alive", name)


def test_payments_that_wait_without_a_poster_are_told_and_the_command_helps(watch: Watch) -> None:
    with without(watch.stack, "posting"):
        transfer = watch.users.transfer(*watch.users.clients[:2], "1.00")
        assert watch.users.connection.submit(transfer).status == ACCEPTED
        as_owner(watch.stack, "UPDATE payments SET due_at = now() - interval '61 seconds' WHERE state = 'INITIATED'")
        watch.rings(503, "posting_stale", "payments_overdue")
        assert "flask payments sweep" in flask_fails(watch.stack, "workers", "alive")
        assert "1 payments posted" in flask(watch.stack, "payments", "sweep")
        watch.rings(503, "posting_stale")
    watch.rings(200)


def test_a_silent_beat_is_named(watch: Watch) -> None:
    with without(watch.stack, "beat"):
        watch.rings(200, "beat_silent")
        assert "beat_silent" in flask_fails(watch.stack, "workers", "alive", "beat")
    watch.rings(200)
    flask(watch.stack, "workers", "alive", "beat")


def test_an_unavailable_broker_is_named(watch: Watch) -> None:
    watch.stack.valkey.stop()
    watch.rings(200, "broker_away")
    assert watch.users.connection.submit(watch.users.transfer(*watch.users.clients[:2], "1.00")).status == ACCEPTED
    watch.stack.valkey.start()
    watch.rings(200)


def test_a_bank_that_gives_no_answer_is_named(watch: Watch) -> None:
    users = watch.users
    watch.stack.bank.stop()
    answer = users.connection.submit(users.withdrawal(users.clients[0], "1.00"))
    assert answer.status == ACCEPTED
    eventually(lambda: answer.payment_id in flask(watch.stack, "payments", "undecided", "--json"), BY_TIMETABLE_SECONDS)
    past_the_triggers(watch.stack.postgres, "payments", OLDER, answer.payment_id)
    watch.rings(200, "payments_undecided")
    watch.stack.bank.start()
    users.final(answer, BY_TIMETABLE_SECONDS)
    watch.rings(200)
