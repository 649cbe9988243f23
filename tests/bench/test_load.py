"""The load generator against a small responder that can be slow, refuse and hang up."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from uuid import uuid4

import pytest

from bench.load import LoadError, Plan, generate, get, post, run

DELAY_SECONDS = 0.02


class Responder(BaseHTTPRequestHandler):
    """Answers 202 with a Location, 429 to every fourth POST, 200 to a GET; keeps what it saw."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    keys: list[str]
    ids: list[str]
    bodies: set[bytes]
    lock: threading.Lock

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            self.bodies.add(body)
            self.keys.append(self.headers["Idempotency-Key"])
            refuse = len(self.keys) % 4 == 0
        if self.path == "/hang-up":
            self.close_connection = True
            return
        threading.Event().wait(DELAY_SECONDS)
        if refuse:
            self.answer(429, [])
            return
        payment_id = str(uuid4())
        with self.lock:
            self.ids.append(payment_id)
        self.answer(202, [("Location", f"/v1/payments/{payment_id}")])

    def do_GET(self) -> None:
        self.answer(200, [])

    def answer(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in [*headers, ("content-length", "100000")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"x" * 50_000)
        self.wfile.write(b"x" * 50_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def responder() -> Iterator[ThreadingHTTPServer]:
    seen = {"keys": [], "ids": [], "bodies": set(), "lock": threading.Lock()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Responder,), seen))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_load_records_each_answer_with_id_and_unique_key(responder: ThreadingHTTPServer) -> None:
    requests = [post("/v1/transfers", "t", b'{"amount":"%d.00"}' % n) for n in (1, 2)]
    outcome = generate(Plan(responder.server_address, requests, connections=4, seconds=1.5, warm_up=0.8))
    seen = responder.RequestHandlerClass
    assert len(outcome.ids) > 8
    accepted = [payment_id for payment_id in outcome.ids if payment_id]
    assert sorted(accepted) == sorted(seen.ids)
    assert outcome.statuses == {202: len(seen.ids), 429: len(seen.keys) - len(seen.ids)}
    assert len(set(seen.keys)) == len(seen.keys) == len(outcome.ids)
    assert seen.bodies == {b'{"amount":"1.00"}', b'{"amount":"2.00"}'}
    assert 0 < len(outcome.in_window()) < len(outcome.ids)
    assert min(outcome.latencies()) >= DELAY_SECONDS


def test_an_open_loop_sends_at_its_rate(responder: ThreadingHTTPServer) -> None:
    requests = [get("/v1/payments/1", "t")]
    outcome = run(Plan(responder.server_address, requests, connections=4, seconds=1, warm_up=0, rate=50))
    assert 15 <= len(outcome.ids) <= 51
    sent = sorted(outcome.sent)
    assert [after - before for before, after in pairwise(sent)] == pytest.approx([1 / 50] * (len(sent) - 1), abs=1e-4)
    assert outcome.statuses == {200: len(outcome.ids)}


def test_waiting_for_a_free_connection_counts_as_latency(responder: ThreadingHTTPServer) -> None:
    requests = [post("/v1/transfers", "t", b"{}")]
    outcome = run(Plan(responder.server_address, requests, connections=1, seconds=0.6, warm_up=0, rate=200))
    taken = [answered - sent for answered, sent in zip(outcome.answered, outcome.sent, strict=True)]
    assert max(taken) > 5 * DELAY_SECONDS


def test_a_closed_connection_voids_the_run(responder: ThreadingHTTPServer) -> None:
    with pytest.raises(LoadError, match="closed a connection"):
        run(Plan(responder.server_address, [post("/hang-up", "t", b"{}")], connections=1, seconds=0.2))
