"""The stack calls its own API: again after an answer that asks for a retry, and not otherwise."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from embedded import api

AWAY = (503, {"code": "database_unavailable", "retryable": True})
REFUSED = (422, {"code": "amount_invalid", "retryable": False})
FINE = (202, {"id": "p"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list, list]]:
    """A server's URL, what it is to answer, and the keys that it was sent."""
    answers: list[tuple[int, dict]] = []
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keys.append(self.headers["Idempotency-Key"])
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    monkeypatch.setattr(api, "AGAIN_SECONDS", 0.01)
    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/", answers, keys
        listening.shutdown()


def test_it_comes_again_with_the_same_key(server):
    url, answers, keys = server
    answers += [AWAY, AWAY, FINE]
    assert api.insist(url, "token", {}, "once") == {"id": "p"}
    assert keys == ["once"] * 3


@pytest.mark.parametrize(("answer", "way"), [(AWAY, api.call), (REFUSED, api.insist)])
def test_it_does_not_come_again_unless_it_is_told_and_may(server, answer, way):
    url, answers, keys = server
    answers += [answer, FINE]
    with pytest.raises(api.ApiError, match=answer[1]["code"]):
        way(url, "token", {}, "once")
    assert len(keys) == 1


def test_its_patience_ends(server, monkeypatch):
    url, answers, keys = server
    monkeypatch.setattr(api, "INSIST_SECONDS_MAX", 1)
    answers += [AWAY] * 10_000
    with pytest.raises(api.ApiError, match="database_unavailable"):
        api.insist(url, "token", {}, "once")
    assert 1 < len(keys) < 10_000
