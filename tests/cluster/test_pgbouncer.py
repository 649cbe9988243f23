"""All processes behind PgBouncer in transaction mode: orders, waits, postings, and servers that end under load."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from models.session import Engine, open_engine, transaction
from settings import GATEWAY_ROLE, WORKER_ROLE
from tests.builders import scalar
from tests.cluster.load import Shown, load
from tests.cluster.stack import PooledStack, new_cluster
from tests.e2e.state_machine.users import StackUsers
from tests.faults.inject import as_superuser, catch_a_poster
from tests.support import eventually

pytestmark = pytest.mark.slow
SESSIONS = 8
"""Of PostgreSQL for each role: fewer than the connections of the clients."""

OF_ROLE = "SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND application_name {which} 'payments-waits'"
TIME_OUTS = "SELECT concat_ws(' ', current_setting('lock_timeout'), current_setting('statement_timeout'))"
UNAVAILABLE = 503


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[PooledStack]:
    with new_cluster(migrated, PooledStack, default_pool_size=str(SESSIONS)) as stack:
        yield stack


@contextmanager
def pooled(stack: PooledStack, role: str) -> Iterator[Engine]:
    """Connections through PgBouncer."""
    engine = open_engine(stack.pgbouncer.url(stack.postgres.url(role=role)), keeps_plans=False)
    yield engine
    engine.dispose()


def test_a_wait_is_woken_past_the_pooler(stack: PooledStack, users: StackUsers) -> None:
    order = users.transfer(users.clients[0], users.clients[1], "1.00")
    headers = {"Authorization": f"Bearer {order.token}", "Content-Type": "application/json", "Prefer": "wait=30"}
    with closing(http.client.HTTPConnection(stack.bind, timeout=60)) as line:
        line.request("POST", order.path, json.dumps(order.body), headers | {"Idempotency-Key": order.key})
        answer = line.getresponse()
        assert (answer.status, json.load(answer)["state"]) == (201, "COMPLETED")
    assert as_superuser(stack, OF_ROLE.format(role=GATEWAY_ROLE, which="=")) >= 1


def test_sessions_are_shared_and_each_transaction_gets_any(stack: PooledStack, users: StackUsers, shown: Shown) -> None:
    pids = set()
    with pooled(stack, GATEWAY_ROLE) as engine, load(users, per_second=80) as running:
        while running.accepted < 300:
            with transaction(engine) as connection:
                pids.add(scalar(connection, "SELECT pg_backend_pid()"))
                assert scalar(connection, TIME_OUTS) == "2s 10s"
    assert shown(running.done).refused == 0
    assert len(pids) > 1, "one connection of a client was given several sessions"
    for role in (GATEWAY_ROLE, WORKER_ROLE):
        assert 1 <= as_superuser(stack, OF_ROLE.format(role=role, which="<>")) <= SESSIONS


def test_no_session_is_free_is_a_503_and_ends(stack: PooledStack, users: StackUsers, shown: Shown) -> None:
    with pooled(stack, GATEWAY_ROLE) as engine, load(users) as running:
        eventually(lambda: running.accepted >= 30)
        with ExitStack() as holding:
            for _ in range(SESSIONS):
                connection = holding.enter_context(transaction(engine))
                scalar(connection, "SELECT 1")
            answer = users.connection.submit(users.transfer(users.clients[0], users.clients[1], "1.00"))
            assert (answer.status, answer.body["code"]) == (UNAVAILABLE, "database_unavailable")
            assert "Retry-After" in answer.headers
    told = shown(running.done)
    assert {status for each in running.done for status in each.refusals} == {UNAVAILABLE}
    assert told.refused > 0


def test_pgbouncer_killed_loses_nothing(stack: PooledStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running:
        for _ in range(2):
            target = running.accepted + 60
            eventually(lambda target=target: running.accepted >= target)
            stack.pgbouncer.process.kill()
            stack.pgbouncer.start()
    shown(running.done)
    assert {status for each in running.done for status in each.refusals} <= {UNAVAILABLE}


def test_postgres_restarted_behind_it_loses_nothing(stack: PooledStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running:
        eventually(lambda: running.accepted >= 60)
        stack.postgres.stop("immediate")
        stack.postgres.start()
    told = shown(running.done)
    assert told.refused > 0
    assert {status for each in running.done for status in each.refusals} == {UNAVAILABLE}


def test_a_poster_that_stands_still_gives_way(stack: PooledStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running:
        eventually(lambda: running.accepted >= 60)
        pid = catch_a_poster(stack)
        try:
            users.final(users.connection.submit(users.transfer(users.clients[0], users.clients[1], "1.00")))
        finally:
            os.kill(pid, signal.SIGCONT)
    assert shown(running.done).refused == 0
