"""A stack before it runs: its port, and the environment of each of its processes."""

import pytest

from celery_config import QUEUE_OF, QUEUE_OF_KIND, QUEUES
from embedded import home as homes
from embedded.home import Home, StackError
from embedded.shapes import SHAPES, THREADS
from embedded.stack import Stack


def test_no_two_stacks_take_the_same_port(home: Home):
    with homes.temporary() as other:
        stacks = [Stack(home), Stack(other)]
        try:
            assert stacks[0].url != stacks[1].url
        finally:
            for stack in stacks:
                stack.stop()


def test_a_port_that_is_taken_is_refused(home: Home):
    stack = Stack(home)
    try:
        with pytest.raises(StackError, match="is not free"):
            Stack(home, port=int(stack.url.rpartition(":")[2]))
    finally:
        stack.stop()


def test_roles_of_a_given_database_may_be_given_too(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORKER_DATABASE_URL", "postgresql://worker:own@db/payments")
    stack = Stack(home, database_url="postgresql://owner:secret@db/payments", redis_url="redis://broker/0")
    try:
        assert stack.parts.keys() == {"bank", "gateway", "posting", "housekeeping"}
        assert stack.processes["posting"].environ["WORKER_DATABASE_URL"] == "postgresql://worker:own@db/payments"
        environ = stack.processes["gateway"].environ
        assert environ["GATEWAY_DATABASE_URL"].startswith("postgresql+psycopg2://payments_gateway:")
        assert "secret" not in environ["GATEWAY_DATABASE_URL"]
        assert not {"DATABASE_URL", "WORKER_DATABASE_URL"} & environ.keys()
    finally:
        stack.stop()


def test_an_unknown_shape_is_refused(home: Home):
    with pytest.raises(StackError, match="STACK_SHAPE is compact or separate, not 'flat'"):
        Stack(home, environ={"STACK_SHAPE": "flat"})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_queue_and_the_timetable_have_a_process(home: Home, shape: str):
    stack = Stack(home, environ={"STACK_SHAPE": shape})
    try:
        served = {queue for process in stack.processes.values() for queue in queues_of(process.argv)}
        assert served == set(QUEUES)
        for kind, queue in QUEUE_OF_KIND.items():
            assert all(queue in queues_of(process.argv) for process in stack.doing(kind).values())
        [beat] = stack.doing("beat").values()
        assert {"beat", "--beat"} & {*beat.argv}
    finally:
        stack.stop()


def queues_of(argv: list[str]) -> list[str]:
    return argv[argv.index("--queues") + 1].split(",") if "--queues" in argv else []


def test_a_message_in_each_thread_leaves_one_for_each_queue():
    assert len(QUEUE_OF) + len(QUEUES) == THREADS


@pytest.mark.parametrize("shape", SHAPES)
def test_no_process_is_told_the_secrets_of_another(home: Home, shape: str):
    stack = Stack(home, environ={"STACK_SHAPE": shape})
    try:
        for name, process in stack.processes.items():
            role = "gateway" if name == "gateway" else "worker"
            urls = {key: value for key, value in process.environ.items() if key.endswith("DATABASE_URL")}
            assert urls.keys() == {f"{role.upper()}_DATABASE_URL"}
            assert all(f"//payments_{role}:" in url for url in urls.values())
            assert "payments_owner" not in " ".join(process.environ.values())
            assert ("SECRET_KEY" in process.environ) == (name == "gateway")
            assert ("SECOND_FACTOR_KEYS" in process.environ) == (name == "gateway")
            assert ("RECEIPT_KEY" in process.environ) == (name in stack.doing("upkeep"))
    finally:
        stack.stop()


@pytest.mark.parametrize("shape", SHAPES)
def test_only_upkeep_is_told_where_mail_goes(home: Home, shape: str):
    stack = Stack(home, environ={"STACK_SHAPE": shape})
    try:
        assert stack.mail == f"file://{home.path}/mail"
        assert (home.path / "mail").stat().st_mode & 0o777 == 0o700
        urls = {name: process.environ.get("MAIL_URL") for name, process in stack.processes.items()}
        assert {name for name, url in urls.items() if url} == stack.doing("upkeep").keys()
    finally:
        stack.stop()


@pytest.mark.parametrize("shape", SHAPES)
def test_only_rails_is_told_where_the_bank_is(home: Home, shape: str):
    stack = Stack(home, environ={"STACK_SHAPE": shape})
    try:
        urls = {name: process.environ.get("RAIL_SIMULATOR_URL") for name, process in stack.processes.items()}
        assert {name: url for name, url in urls.items() if url} == dict.fromkeys(stack.doing("rails"), stack.bank_url)
        assert all(process.environ["RAIL"] == "simulator" for process in stack.doing("rails").values())
        assert stack.bank_url.startswith("http://127.0.0.1:")
        assert not {"WORKER_DATABASE_URL", "GATEWAY_DATABASE_URL", "REDIS_URL"} & stack.bank.environ.keys()
        assert (home.path / "bank").stat().st_mode & 0o777 == 0o700
    finally:
        stack.stop()


def test_another_rail_needs_no_simulated_bank(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAIL", "sepa")
    monkeypatch.setenv("RAIL_OUTBOX", "/out")
    stack = Stack(home)
    try:
        assert "bank" not in stack.parts
        environ = stack.processes["housekeeping"].environ
        assert (environ["RAIL"], environ["RAIL_OUTBOX"]) == ("sepa", "/out")
        assert "RAIL" not in stack.processes["gateway"].environ
    finally:
        stack.stop()


def test_mail_server_password_is_not_shown(home: Home, monkeypatch: pytest.MonkeyPatch):
    url = "smtp://carol:secret@mail.example:587?tls=required"
    monkeypatch.setenv("MAIL_URL", url)
    stack = Stack(home)
    try:
        assert stack.mail == "smtp://mail.example:587"
        assert stack.processes["housekeeping"].environ["MAIL_URL"] == url
        assert "MAIL_URL" not in stack.processes["gateway"].environ
    finally:
        stack.stop()


def test_limits_are_wide_unless_told(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RATE_LIMIT_TOKEN", raising=False)
    monkeypatch.setenv("RATE_LIMIT_ADDRESS", "7 per second")
    stack = Stack(home)
    try:
        environ = stack.processes["gateway"].environ
        assert (environ["RATE_LIMIT_TOKEN"], environ["RATE_LIMIT_ADDRESS"]) == ("1000 per second", "7 per second")
    finally:
        stack.stop()


def test_webhooks_reach_receivers_on_this_machine_unless_told(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WEBHOOK_HTTP", "false")
    monkeypatch.delenv("WEBHOOK_NETWORKS", raising=False)
    stack = Stack(home)
    try:
        for name in ("gateway", "housekeeping"):
            environ = stack.processes[name].environ
            assert (environ["WEBHOOK_HTTP"], environ["WEBHOOK_NETWORKS"]) == ("false", "127.0.0.0/8")
    finally:
        stack.stop()
