"""The logs of all processes come to one place by rsyslog, as JSON with the request's id, and wait while it is away."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.load import Shown, load
from tests.cluster.nginx import free_port
from tests.cluster.rsyslog import Rsyslog
from tests.cluster.stack import ClusterStack, new_cluster
from tests.e2e.state_machine.users import StackUsers
from tests.support import eventually

pytestmark = pytest.mark.slow
SETTINGS = {"logging_collector": "on", "log_destination": "jsonlog", "log_min_duration_statement": "0"}
EVERYWHERE = {"access", "postgresql", "posting"}
"""Beside one of the gateways; `access` is nginx's file."""


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[ClusterStack]:
    with new_cluster(migrated) as stack:
        stack.postgres.stop()
        with (stack.postgres.data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        stack.postgres.start()
        stack.processes["posting"].environ["LOG_LEVEL"] = "DEBUG"  # else it tells of a payment when something is wrong
        stack.restart("posting")
        yield stack


@pytest.fixture(scope="module")
def place(stack: ClusterStack) -> Iterator[Rsyslog]:
    """The one place; the logs of the stack are sent there by another rsyslog."""
    port = str(free_port())
    place = Rsyslog(
        stack.home, "logs-place", "to-files.conf", "from-network.conf", **{"6514": port, "0.0.0.0": "127.0.0.1"}
    )
    changes = {
        "6514": port,
        "logs.internal": "127.0.0.1",
        "/var/log/payments/*.log": str(stack.home.log("*")),
        "/var/lib/postgresql/*/main/log/*.json": str(stack.postgres.data / "log" / "*.json"),
    }
    host = Rsyslog(stack.home, "logs-host", "to-network.conf", "from-files.conf", **changes)
    host.port = 0
    nginx = (host.folder / "from-files.conf").read_text().splitlines()[-1]
    nginx = re.sub(r'file="[^"]+"', f'file="{stack.nginx.access_log}"', nginx)
    (host.folder / "from-nginx.conf").write_text(f"{nginx}\n")
    place.start()
    host.start()
    yield place
    host.process.stop(signal.SIGTERM)
    place.process.stop(signal.SIGTERM)


def services(place: Rsyslog, request_id: str) -> set[str]:
    """Whose lines have the id."""
    return {line["service"] for line in place.lines() if line.get("request_id") == request_id}


def test_a_request_is_found_in_all_logs_by_its_id(stack: ClusterStack, users: StackUsers, place: Rsyslog) -> None:
    answer = users.connection.submit(users.transfer(users.clients[0], users.clients[1], "1.00"))
    users.final(answer)
    request_id = answer.headers["Request-Id"]
    eventually(lambda: services(place, request_id) >= EVERYWHERE)
    assert {name for name in services(place, request_id) if name.startswith("gateway-")}
    for line in place.lines():
        assert {"service", "host", "event", "level"} <= line.keys()
    told = [line for line in place.lines() if line["service"] == "postgresql"]
    assert told and not [line for line in told if re.search(r"INTO|FROM|RETURNING", str(line))], (
        "no text of a statement"
    )


def test_lines_wait_while_the_one_place_is_away(
    stack: ClusterStack, users: StackUsers, shown: Shown, place: Rsyslog
) -> None:
    with load(users) as running:
        eventually(lambda: running.accepted >= 60)
        place.process.kill()
        eventually(lambda: running.accepted >= 300)
        place.start()
    assert shown(running.done).refused == 0
    ids = {each.answer.headers["Request-Id"] for each in running.done}
    eventually(lambda: ids <= {line.get("request_id") for line in place.lines() if line["service"] == "access"})
    assert ids <= {line.get("request_id") for line in place.lines() if line["service"].startswith("gateway-")}
