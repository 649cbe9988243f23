"""A new connection is for the process that has fewest."""

import socket
from contextlib import ExitStack

import pytest

from gateway.http import gunicorn_worker, open_connections
from tests.gateway.http.served_application import served
from tests.support import eventually

AGES = range(9_000, 9_003)
LEAVE_SECONDS = 5.0
"""Time enough for the other on a busy machine; who leaves a connection sees no other meanwhile."""


@pytest.fixture(autouse=True)
def no_others() -> None:
    for age in range(open_connections.PROCESSES_MAX):
        open_connections.forget(age)


def test_who_has_as_few_as_any_other_has_fewest() -> None:
    for age, connections in zip(AGES, (3, 2, 2), strict=True):
        open_connections.tell(age, connections)
    assert [open_connections.has_fewest(age) for age in AGES] == [False, True, True]


def test_who_accepts_no_more_is_no_longer_counted() -> None:
    first, second, _ = AGES
    open_connections.tell(first, 0)
    open_connections.tell(second, 5)
    assert not open_connections.has_fewest(second)
    open_connections.forget(first)
    assert open_connections.has_fewest(second)


def test_connections_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn_worker, "LEAVE_SECONDS", LEAVE_SECONDS)
    with ExitStack() as at_end:
        listener = at_end.enter_context(socket.create_server(("127.0.0.1", 0)))
        workers = [at_end.enter_context(served(lambda *_: [], listener=listener.dup())) for _ in range(2)]
        for number in range(1, 7):
            at_end.enter_context(workers[0].connect())
            eventually(lambda number=number: sum(len(worker.connections) for worker in workers) == number)
            assert max(len(worker.connections) for worker in workers) == (number + 1) // 2


def test_who_has_fewest_and_is_busy_is_not_waited_for() -> None:
    open_connections.tell(AGES[0], 0)
    listener = socket.create_server(("127.0.0.1", 0))
    with served(lambda *_: [], listener=listener) as worker, worker.connect(), worker.connect():
        eventually(lambda: len(worker.connections) == 2)
