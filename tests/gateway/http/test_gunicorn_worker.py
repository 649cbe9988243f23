"""The end of a gateway's process: who has connected is answered, who connects later is refused at once."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from gateway.http import connection
from gateway.http.access_log import Environ
from tests.gateway.http.served_application import GET, Start, answered, heads, received, served
from tests.support import PATIENCE_SECONDS, eventually

FULL_SECONDS = 0.5
OK = [b"HTTP/1.1 200 OK"]


def test_connected_and_not_accepted_is_answered() -> None:
    with ExitStack() as ends, served(answered(b"yes"), connections_max=1) as worker:
        idle = ends.enter_context(worker.connect())
        eventually(lambda: worker.connections)
        waiting = [ends.enter_context(worker.connect()) for _ in range(5)]
        for line in waiting:
            line.sendall(GET % b"wanted")
        worker.end()
        for line in waiting:
            answer = received(line)
            assert heads(answer) == OK
            assert b"Connection: close" in answer
        assert received(idle) == b""


@pytest.mark.parametrize("earlier", [0, 1], ids=["fresh", "used"])
def test_connected_and_silent_may_ask_once_more(earlier: int) -> None:
    with served(answered(b"yes")) as worker, worker.connect() as line:
        eventually(lambda: worker.connections)
        for _ in range(earlier):
            line.sendall(GET % b"first")
            assert line.recv(65_536).endswith(b"yes")
        worker.end()
        eventually(lambda: worker.is_stopping)
        line.sendall(GET % b"wanted")
        assert heads(received(line)) == OK


def test_who_sends_a_long_refused_body_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", PATIENCE_SECONDS)

    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("413 TOO LARGE", [("Content-Length", "0")])
        return [b""]

    with served(application) as worker, worker.connect() as line:
        line.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        while select.select([], [line], [], FULL_SECONDS)[1]:
            line.send(b"a" * 65_536)
        assert heads(received(line)) == [b"HTTP/1.1 413 TOO LARGE"]
        worker.end_at_once()


@pytest.fixture
def goes_on() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_connecting_is_refused_while_others_are_answered(goes_on: threading.Event) -> None:
    asked = threading.Event()

    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        asked.set()
        goes_on.wait(PATIENCE_SECONDS)
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    with served(application) as worker, worker.connect() as line:
        address = worker.address
        line.sendall(GET % b"slow")
        assert asked.wait(PATIENCE_SECONDS)
        worker.end()
        eventually(lambda: is_refused(address), message="who connects is refused")
        goes_on.set()
        assert heads(received(line)) == OK


def is_refused(address: tuple[str, int]) -> bool:
    with suppress(ConnectionResetError), closing(socket.socket()) as line:
        line.settimeout(PATIENCE_SECONDS)
        return line.connect_ex(address) != 0
    return False
