"""Limits of connections of the served gateway: of time, number and size, and the end of a worker."""

import io
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress

import pytest

from gateway.http import connection, gunicorn_worker, incoming
from gateway.http.access_log import Environ
from gateway.http.incoming import MalformedBody
from tests.gateway.http.served_application import (
    GET,
    LAST,
    PATIENCE_SECONDS,
    Start,
    answered,
    heads,
    received,
    served,
    stream,
)
from tests.support import eventually


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        ("IDLE_SECONDS_MAX", b""),
        ("IDLE_SECONDS_MAX", GET % b""),
        ("RECEIVE_SECONDS_MAX", b"GET / HT"),
        ("RECEIVE_SECONDS_MAX", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc"),
    ],
    ids=["connected only", "answered", "within a head", "within a body"],
)
def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch, limit: str, sent: bytes) -> None:
    monkeypatch.setattr(connection, limit, 0.1)
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    with served(answered(b"text")) as worker, worker.connect() as line:
        line.sendall(sent)
        received(line)  # ends


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_who_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch, is_stream: bool) -> None:
    monkeypatch.setattr(connection, "SEND_SECONDS_MAX", 0.1)
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    text = b"a" * 10_000_000
    application = stream(iter([text] * 5)) if is_stream else answered(text)
    with served(application) as worker, worker.connect() as line:
        line.sendall(GET % b"")
        eventually(lambda: worker.connections)
        eventually(lambda: not worker.connections)
        assert len(received(line)) < len(text)


def test_who_is_gone_ends_its_stream() -> None:
    ended = threading.Event()

    def pieces() -> Iterable[bytes]:
        try:
            while True:
                yield b"a" * 1_000
        finally:
            ended.set()

    with served(stream(pieces())) as worker:
        with worker.connect() as line:
            line.sendall(GET % b"")
            line.recv(1_000)
        assert ended.wait(PATIENCE_SECONDS)


def test_above_the_limit_connections_wait_to_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    with served(answered(b"text"), connections_max=2) as worker:
        lines = [worker.connect() for _ in range(3)]
        for line in lines:
            line.sendall(LAST)
        lines[0].recv(1)
        assert len(worker.connections) <= 2
        for line in lines:
            with line:
                assert received(line).endswith(b"text")


def test_a_stopping_worker_answers_and_closes() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"text"]

    with served(application) as worker, worker.connect() as busy, worker.connect() as idle:
        busy.sendall(GET % b"")
        assert begun.wait(PATIENCE_SECONDS)
        worker.end()
        assert received(idle) == b""
        go_on.set()
        raw = received(busy)
    assert raw.endswith(b"text")
    assert b"Connection: close\r\n" in raw


def test_a_worker_that_must_end_at_once_answers_nobody() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return answered(b"text")(environ, start_response)

    with served(application) as worker, worker.connect() as busy:
        busy.sendall(GET % b"")
        assert begun.wait(PATIENCE_SECONDS)
        worker.loop.call_soon_threadsafe(worker._end_at_once)
        assert received(busy) == b""
        go_on.set()


def test_requests_that_wait_for_their_answer_are_bounded() -> None:
    lengths: list[int] = []
    go_on = threading.Event()

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        assert go_on.wait(PATIENCE_SECONDS)
        [each] = worker.connections
        lengths.append(len(each._queue))
        return answered(b"")(environ, start_response)

    requests = 20_000
    with served(application) as worker, worker.connect() as line:
        sender = threading.Thread(target=line.sendall, args=(GET % b"" * requests + LAST,))
        sender.start()
        go_on.set()
        raw = received(line)
        sender.join()
    assert len(heads(raw)) == requests + 1
    assert max(lengths) < requests / 2, "about one read of the socket above the limit"


def test_who_asks_on_and_reads_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_SECONDS_MAX", 0.1)
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    calls: list[int] = []
    text = b"a" * 10_000_000

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        calls.append(1)
        return answered(text)(environ, start_response)

    with served(application) as worker, worker.connect() as line:
        line.sendall(GET % b"" * 50)
        eventually(lambda: worker.connections)
        eventually(lambda: not worker.connections)
    assert len(calls) == 1


def test_who_stops_reading_within_the_last_answer_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_SECONDS_MAX", 0.1)
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    with served(answered(b"a" * 10_000_000)) as worker, worker.connect() as line:
        line.sendall(LAST)
        got = 0
        while got < 5_000_000:
            got += len(line.recv(65_536))
        eventually(lambda: not worker.connections)


@pytest.mark.parametrize("is_answering", [False, True], ids=["alone", "behind another"])
def test_a_request_that_has_begun_is_answered_by_a_stopping_worker(is_answering: bool) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            begun.set()
            assert go_on.wait(PATIENCE_SECONDS)
        return answered(environ["wsgi.input"].read())(environ, start_response)

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nte"
    with served(application) as worker, worker.connect() as line:
        if is_answering:
            line.sendall(GET % b"")
            assert begun.wait(PATIENCE_SECONDS)
            go_on.set()
            line.recv(65_536)
        line.sendall(head)
        eventually(lambda: any(each._reader.incoming for each in worker.connections))
        worker.end()
        eventually(lambda: worker.is_stopping)
        line.sendall(b"xt")
        raw = received(line)
    assert raw.endswith(b"text")
    assert b"Connection: close\r\n" in raw


def test_what_never_arrives_delays_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)
    with served(answered(b"text")) as worker, worker.connect() as line:
        line.sendall(b"GET / HT")
        eventually(lambda: any(each._reader.incoming for each in worker.connections))
        worker.end()
        assert received(line) == b""


def test_a_silent_body_behind_an_answer_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RECEIVE_SECONDS_MAX", 0.1)
    monkeypatch.setattr(gunicorn_worker, "TICK_SECONDS", 0.05)
    with served(answered(b"text")) as worker:
        assert len(heads(worker.say(GET % b"" + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nte"))) == 1


@pytest.mark.parametrize("endless", [b"0\r\nX-A: ", b"2;a="], ids=["of a trailer", "of a chunk's length"])
def test_what_has_no_end_in_a_chunked_body_is_refused(endless: bytes) -> None:
    errors: list[str] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except MalformedBody as error:
            errors.append(error.code)
        return answered(b"")({"wsgi.input": io.BytesIO()}, start_response)

    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    with served(application) as worker:
        raw = worker.say(head + endless + b"a" * 1_000_000)
    assert heads(raw) == [b"HTTP/1.1 200 OK"]
    assert errors in (["headers_too_large"], ["bad_request"])


def test_a_body_that_trickles_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "BODY_SECONDS_MAX", 0.2)
    errors: list[str] = []

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except MalformedBody as error:
            errors.append(error.code)
        start_response("400 BAD REQUEST", [("Content-Length", "0")])
        return []

    with served(application) as worker, worker.connect() as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
        line.settimeout(0.01)
        said = b""
        while not said:
            line.sendall(b"a")
            with suppress(TimeoutError):
                said = line.recv(65_536)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert errors == ["bad_request"]


def test_who_leaves_keeps_their_place_until_their_request_has_ended() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return answered(b"text")(environ, start_response)

    with served(application) as worker:
        with worker.connect() as line:
            line.sendall(GET % b"")
            assert begun.wait(PATIENCE_SECONDS)
            [left] = worker.connections
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        eventually(lambda: left._is_lost)
        assert worker.connections == {left}
        go_on.set()
        eventually(lambda: not worker.connections)
