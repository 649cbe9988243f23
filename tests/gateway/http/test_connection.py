"""Connections of the served gateway: order, framing, limits of time and number, and clients that behave badly."""

import hashlib
import threading
from collections.abc import Callable, Iterable

import pytest

from gateway.http import connection, gunicorn_worker, incoming
from gateway.http.access_log import PENDING_ERROR, Environ
from gateway.http.incoming import BUFFERED_BYTES_MAX, BodyStream, MalformedBody
from tests.gateway.harness import ApiHarness
from tests.gateway.http.raw_answers import refused
from tests.gateway.http.served_application import PATIENCE_SECONDS, answered, heads, received, served
from tests.support import eventually

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
Start = Callable[..., object]


def stream(pieces: Iterable[bytes]) -> Callable[..., Iterable[bytes]]:
    def application(_environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return pieces

    return application


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


def test_a_fault_amid_a_stream_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def pieces() -> Iterable[bytes]:
        yield b"one"
        raise RuntimeError("amid")

    with served(stream(pieces())) as worker:
        raw = worker.say(GET % b"")
    assert raw.endswith(b"\r\n\r\n3\r\none\r\n")
    assert len(heads(raw)) == 1
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["amid"]


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


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        ("IDLE_SECONDS_MAX", b""),
        ("IDLE_SECONDS_MAX", GET % b""),
        ("RECEIVE_SECONDS_MAX", b"GET / HT"),
        ("RECEIVE_SECONDS_MAX", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc"),
    ],
    ids=["connected only", "answered", "amid a head", "amid a body"],
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


def test_an_unknown_upgrade_is_ignored() -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    with served(answered(b"text")) as worker:
        assert heads(worker.say(upgrade + LAST)) == [b"HTTP/1.1 200 OK"] * 2


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


def test_who_stops_reading_amid_the_last_answer_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
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
