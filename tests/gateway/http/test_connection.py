"""Connections of the served gateway: order, framing, limits of time and number, and clients that behave badly."""

import hashlib
import threading
from collections.abc import Iterable
from contextvars import ContextVar

import pytest

from gateway.http import connection, incoming
from gateway.http.access_log import PENDING_ERROR, Environ
from gateway.http.incoming import BUFFERED_BYTES_MAX, BodyStream, MalformedBody
from tests.gateway.harness import ApiHarness
from tests.gateway.http.raw_answers import refused
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


@pytest.mark.parametrize("on_loop", [False, True], ids=["in a thread", "on the loop"])
def test_pipelined_requests_are_answered_in_order(on_loop: bool) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        path = environ["PATH_INFO"].encode()
        start_response("200 OK", [("Content-Length", str(len(path)))])
        return [path]

    with served(application, on_loop=on_loop) as worker:
        raw = worker.say(b"".join(GET % b"%d" % n for n in range(50)) + LAST)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in raw.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"/%d" % n for n in range(50)] + [b"/last"]


def test_a_fault_outside_the_application_is_a_problem(api: ApiHarness, caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if PENDING_ERROR not in environ:
            raise RuntimeError("secret")
        return api.app(environ, start_response)

    with served(application) as worker:
        raw = worker.say(LAST)
    refused(raw, 500, "internal_error")
    assert b"secret" not in raw
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["secret"]


def test_a_fault_that_cannot_be_answered_ends_the_connection() -> None:
    def application(_environ: Environ, _start_response: Start) -> list[bytes]:
        raise RuntimeError

    with served(application) as worker:
        assert worker.say(GET % b"") == b""


def test_a_fault_within_a_stream_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Iterable[bytes]:
        yield b"one"
        raise RuntimeError("broken")

    with served(stream(pieces())) as worker:
        raw = worker.say(GET % b"")
    assert raw.endswith(b"\r\n\r\n3\r\none\r\n")
    assert len(heads(raw)) == 1
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["broken"]


@pytest.mark.parametrize(("version", "body"), [(b"1.1", b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"), (b"1.0", b"onetwo")])
def test_a_stream_is_framed_as_the_client_can_read_it(version: bytes, body: bytes) -> None:
    with served(stream([b"one", b"", b"two"])) as worker:
        raw = worker.say(b"GET / HTTP/%b\r\nHost: x\r\nConnection: close\r\n\r\n" % version)
    assert raw.partition(b"\r\n\r\n")[2] == body


def test_the_answer_to_head_has_no_body() -> None:
    with served(answered(b"text")) as worker:
        raw = worker.say(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
    assert raw.count(b"Content-Length: 4\r\n") == 2
    assert raw.count(b"text") == 1


@pytest.mark.parametrize("length", [10, 70_000], ids=["read whole", "read while it arrives"])
def test_who_expects_it_is_told_to_continue(length: int) -> None:
    with served(answered(b"text")) as worker, worker.connect() as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % length)
        line.sendall(b"Connection: close\r\nExpect: 100-continue\r\n\r\n")
        assert line.recv(len(connection.CONTINUE)) == connection.CONTINUE
        line.sendall(b"a" * length)
        assert heads(received(line)) == [b"HTTP/1.1 200 OK"]


def test_who_is_refused_without_its_body_is_not_told_to_continue() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("401 UNAUTHORIZED", [("Content-Length", "0")])
        return []

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n"
    with served(application) as worker:
        raw = worker.say(head)
    assert heads(raw) == [b"HTTP/1.1 401 UNAUTHORIZED"]
    assert b"Connection: close\r\n" in raw


def test_a_large_body_is_read_while_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    add = BodyStream.add

    def watched(self: BodyStream, part: bytes) -> None:
        add(self, part)
        sizes.append(self._size)

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        hash = hashlib.sha256()
        while piece := environ["wsgi.input"].read(10_000):
            hash.update(piece)
        start_response("200 OK", [("Content-Length", "64")])
        return [hash.hexdigest().encode()]

    monkeypatch.setattr(BodyStream, "add", watched)
    body = bytes(range(256)) * 40_000
    with served(application) as worker:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        raw = worker.say(head + body)
    assert raw.endswith(hashlib.sha256(body).hexdigest().encode())
    assert BUFFERED_BYTES_MAX < max(sizes) < 2 * BUFFERED_BYTES_MAX


def test_silence_amid_a_body_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[str] = []
    monkeypatch.setattr(incoming, "BODY_SECONDS_MAX", 0.1)

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except MalformedBody as error:
            errors.append(error.code)
        start_response("400 BAD REQUEST", [("Content-Length", "0")])
        return []

    with served(application) as worker, worker.connect() as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\nabc")
        assert heads(received(line)) == [b"HTTP/1.1 400 BAD REQUEST"]
    assert errors == ["bad_request"]


def test_an_unknown_upgrade_is_ignored() -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    with served(answered(b"text")) as worker:
        assert heads(worker.say(upgrade + LAST)) == [b"HTTP/1.1 200 OK"] * 2


def test_headers_of_an_answer_that_cannot_be_sent_end_the_connection() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0"), ("X-Name", "\u0142")])
        return []

    with served(application) as worker:
        assert worker.say(GET % b"") == b""


def test_a_connection_serves_requests_of_all_lengths() -> None:
    with served(lambda environ, start: answered(environ["wsgi.input"].read())(environ, start)) as worker:
        post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
        bodies = [b"", b"a", b"b" * 70_000, b"c"]
        raw = worker.say(b"".join(post % (len(body), body) for body in bodies) + LAST)
    assert len(heads(raw)) == 5
    assert b"b" * 70_000 in raw


def test_who_expects_it_behind_another_answer_is_told_to_continue() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return answered(environ["wsgi.input"].read())(environ, start_response)

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
    with served(application) as worker, worker.connect() as line:
        line.sendall(GET % b"" + head)
        assert begun.wait(PATIENCE_SECONDS)
        go_on.set()
        said = b""
        while not said.endswith(connection.CONTINUE):
            said += line.recv(1)
        line.sendall(b"text")
        assert received(line).endswith(b"text")


def test_many_upgrades_that_are_ignored_are_all_answered() -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with served(answered(b"")) as worker:
        assert len(heads(worker.say(upgrade * 3_000 + LAST))) == 3_001


def test_a_stream_on_the_loop_is_a_fault_and_is_sent_by_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    with served(stream([b"one"]), on_loop=True) as worker:
        assert worker.say(LAST).endswith(b"\r\n\r\n3\r\none\r\n0\r\n\r\n")
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [RuntimeError]


@pytest.mark.parametrize("on_loop", [False, True], ids=["in a thread", "on the loop"])
def test_a_request_knows_nothing_of_the_one_before(on_loop: bool) -> None:
    user = ContextVar("user", default=b"nobody")

    def application(environ: Environ, start_response: Start) -> list[bytes]:
        before = user.get()
        user.set(environ["PATH_INFO"].encode())
        return answered(before)(environ, start_response)

    with served(application, on_loop=on_loop) as worker:
        raw = worker.say(GET % b"one" * 3 + LAST)
    assert raw.count(b"nobody") == 4
