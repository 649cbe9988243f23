"""The alarm rings: each part that is stopped is named by /status and the shell, and by nothing once it works again."""

import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from embedded.stack import Stack
from models.session import transaction
from tests.alert_rules import RULES, Scrape, dashboard_expressions, firing, metric_names
from tests.e2e.state_machine.audit import owner
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.ops import flask, flask_fails
from tests.support import eventually, past_the_triggers

pytestmark = pytest.mark.slow
OLDER = "UPDATE payments SET created_at = now() - interval '61 s' WHERE id = %s"
BY_TIMETABLE_SECONDS = 90
"""The longest wait for what comes every few seconds, on a busy machine."""


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    return {"STACK_SHAPE": "separate"}


class Watch:
    """A client who reads /status."""

    def __init__(self, stack: Stack, users: StackUsers) -> None:
        self.stack, self.users = stack, users

    def status(self) -> tuple[int, set[str]]:
        """The status of the answer, and the codes of what is wrong."""
        code, body, _ = self.users.connection.call("GET", "/status", self.users.clients[0].token)
        return code, {problem["code"] for problem in body.get("problems", [])}

    def scrape(self) -> Scrape:
        """What the gateway, and the workers that run, export."""
        return Scrape.of(scraped(self.stack))

    def rings(self, status: int, *codes: str, alerts: Collection[str] = ()) -> None:
        """Wait until exactly this is wrong, and the alert of each code fires, and these; besides them what counts."""
        seen = []
        expected = {"".join(word.title() for word in code.split("_")) for code in codes} | set(alerts)

        def is_so() -> bool:
            seen[:] = [self.status()]
            if seen == [(status, set(codes))]:
                seen.append(firing(self.scrape()))
            return seen == [(status, set(codes)), expected]

        try:
            eventually(is_so, BY_TIMETABLE_SECONDS)
        except AssertionError:
            raise AssertionError(f"expected {(status, codes, expected)}, seen {seen}") from None


def scraped(stack: Stack) -> Iterator[str]:
    """The metrics of each process that serves some and runs."""
    for name, url in stack.metrics_urls.items():
        if stack.processes[name].is_alive:
            with suppress(httpx.TransportError):
                answer = httpx.get(url, headers={"Authorization": f"Bearer {stack.metrics_token}"}, timeout=60)
                assert answer.status_code == 200, answer.text
                yield answer.text


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


def test_a_silent_beat_is_named_and_payments_go_on(watch: Watch, reckoned: Reckon) -> None:
    with without(watch.stack, "beat"):
        reckoned(watch.users.submit(watch.users.mixed(100)))
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


def test_a_partition_that_is_missing_is_named_and_the_command_helps(watch: Watch) -> None:
    month = "date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month'"
    as_owner(watch.stack, f"DO $$ BEGIN EXECUTE 'DROP TABLE payments' || to_char({month}, '_YYYY_MM'); END $$")
    watch.rings(200, "partition_missing")
    flask(watch.stack, "payments", "partitions")
    watch.rings(200)


def test_books_that_do_not_balance_are_told(watch: Watch) -> None:
    unused = "SELECT min(id::text)::uuid FROM accounts WHERE last_seq = 0"  # no verification of the books looks there
    change = f"UPDATE accounts SET balance = balance + %s WHERE id = ({unused})"
    past_the_triggers(watch.stack.postgres, "payments", change, 1)
    watch.rings(200, alerts=["BooksUnbalanced"])
    past_the_triggers(watch.stack.postgres, "payments", change, -1)
    watch.rings(200)


def test_a_dead_receiver_of_webhooks_is_told(watch: Watch) -> None:
    users = watch.users
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    body = {"url": url, "event_types": ["payment.*"]}
    _, endpoint, _ = users.connection.call("POST", "/v1/webhook-endpoints", users.clients[0].token, body)
    users.final(users.connection.submit(users.transfer(*users.clients[:2], "1.00")), BY_TIMETABLE_SECONDS)
    watch.rings(200, alerts=["WebhookReceiverFails"])
    as_owner(watch.stack, "UPDATE webhook_endpoints SET is_active = false WHERE id = %s", endpoint["id"])
    watch.rings(200)


def test_every_metric_of_rules_and_dashboard_is_exported_and_counts_every_payment_once(watch: Watch) -> None:
    users, number = watch.users, 20
    users.final(users.connection.submit(users.transfer(*users.clients[:2], "99999999.00")), BY_TIMETABLE_SECONDS)
    before = watch.scrape()
    for answer in [users.connection.submit(users.transfer(*users.clients[:2], "1.00")) for _ in range(number)]:
        users.final(answer, BY_TIMETABLE_SECONDS)
    after = watch.scrape()
    counted = (
        ("payments_request_seconds_count", {"method": "POST", "route": "/v1/transfers", "status": "2xx"}),
        ("payments_transitions_total", {"type": "transfer", "state": "INITIATED"}),
        ("payments_transitions_total", {"type": "transfer", "state": "COMPLETED"}),
        ("payments_final_seconds_count", {"type": "transfer"}),
    )
    for name, labels in counted:
        assert after.total(name, **labels) - before.total(name, **labels) == number, name
    named = {name for text in [*RULES.values(), *dashboard_expressions()] for name in metric_names(text)}
    assert named - after.samples.keys() == set()
