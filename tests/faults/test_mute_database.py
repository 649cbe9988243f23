"""A mute PostgreSQL: no wait is endless, callers get 503, and all goes on when it answers again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url

import settings
from celery_config import QUEUE_OF_KIND
from embedded import home as homes
from embedded.stack import ROLE_VARIABLES, Stack
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import assert_heartbeats, logged
from tests.lossy_postgres_proxy import COMMIT, SOCKET_NAME, Line
from tests.stacks import UNLIMITED
from tests.support import begin_with, charge_commission, eventually

pytestmark = pytest.mark.slow
UNAVAILABLE = 503
WORKERS = ("posting", "housekeeping")
LEFT = "left to the next one"
MUTE_AT = {"a statement": b"", "commit": COMMIT}
"""The empty text is in every statement."""


@pytest.fixture(scope="module")
def lines() -> dict[str, Line]:
    """Of each process that speaks to the database, by its name."""
    return {}


@pytest.fixture(scope="module")
def stack(migrated: Path, lines: dict[str, Line]) -> Iterator[Stack]:
    """A stack whose every process has a line of its own to PostgreSQL."""
    with homes.temporary() as home:
        begin_with(migrated, home.path)
        stack = Stack(home, environ=UNLIMITED)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=0)
            for name in ("gateway", *WORKERS):
                directory = home.path / f"line-{name}"
                directory.mkdir(mode=0o755)
                lines[name] = Line(directory, home.sockets / SOCKET_NAME)
                (directory / SOCKET_NAME).chmod(0o777)
                environ = stack.processes[name].environ
                variable = ROLE_VARIABLES[settings.GATEWAY_ROLE if name == "gateway" else settings.WORKER_ROLE]
                url = make_url(environ[variable]).update_query_dict({"host": str(directory)})
                environ[variable] = url.render_as_string(hide_password=False)
            stack.start_processes()
            yield stack
        finally:
            for line in lines.values():
                line.close()
            stack.stop()


def speak(lines: dict[str, Line]) -> None:
    for line in lines.values():
        line.mute_at, line.is_mute = None, False


def assert_all_goes_on(stack: Stack, users: StackUsers) -> None:
    assert_heartbeats(stack, QUEUE_OF_KIND)
    users.submit_until_accepted(users.mixed(10), seconds=300)


@pytest.mark.parametrize("at", ["connecting", *MUTE_AT])
def test_workers_go_on_when_it_speaks_again(
    stack: Stack, users: StackUsers, lines: dict[str, Line], reckoned: Reckon, at: str
) -> None:
    pids = {name: stack.processes[name].pid for name in WORKERS}
    left = {name: logged(stack, name, LEFT) for name in WORKERS}
    of_workers = [lines[name] for name in WORKERS]
    for line in of_workers:
        if at == "connecting":
            line.is_mute = True
            line.hang_up()
        else:
            line.mute_at = MUTE_AT[at]
    answers = users.submit([users.charge(users.clients[0], "1.00"), users.withdrawal(users.clients[1], "6660.01")])
    assert {answer.status for answer in answers} == {ACCEPTED}
    for name in WORKERS:
        eventually(lambda name=name: lines[name].is_mute, seconds=60, message=f"{name} meets {at}")
        gave_up = f"{name} waits no longer"
        eventually(lambda name=name: logged(stack, name, LEFT) > left[name], seconds=120, message=gave_up)
    speak(lines)
    assert_all_goes_on(stack, users)
    assert {users.final(answer, seconds=120)["state"] for answer in answers} == {"COMPLETED"}
    assert {name: stack.processes[name].pid for name in WORKERS} == pids, "nobody had to end"
    reckoned(answers)


@pytest.mark.parametrize("at", ["connecting", *MUTE_AT])
def test_the_gateway_answers_all_the_same(
    stack: Stack, users: StackUsers, lines: dict[str, Line], reckoned: Reckon, at: str
) -> None:
    """503, or 202 for what was kept before; a client gives up after a minute."""
    line = lines["gateway"]
    answers = users.submit(users.mixed(20))
    if at == "connecting":
        line.is_mute = True
        line.hang_up()
    else:
        line.mute_at = b"EXECUTE accept" if at == "commit" else MUTE_AT[at]
    orders = users.mixed(30)
    submitted = users.submit(orders, threads=30)
    assert line.is_mute
    assert {answer.status for answer in submitted} <= {ACCEPTED, UNAVAILABLE}
    assert UNAVAILABLE in {answer.status for answer in submitted}
    assert all("Retry-After" in answer.headers for answer in submitted if answer.status == UNAVAILABLE)
    with ThreadPoolExecutor(2) as pool:
        paths = ("/health/ready", f"/v1/wallets/{users.clients[0].wallet}")
        reads = pool.map(lambda path: users.connection.call("GET", path, users.clients[0].token)[0], paths)
        assert set(reads) == {UNAVAILABLE}
    speak(lines)
    assert_all_goes_on(stack, users)
    reckoned([*answers, *users.submit_until_accepted(orders, seconds=120)])
