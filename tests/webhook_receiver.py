"""A receiver of webhooks on loopback, which answers as a test sets and remembers what it was sent."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

DOCUMENT = json.loads((Path(__file__).parents[1] / "docs" / "openapi.json").read_text())


class Heard(NamedTuple):
    """A request that a receiver has read."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The event, as a receiver with this secret takes it, and as the OpenAPI document has it.

        Raises WebhookVerificationError, or ValidationError.
        """
        event = Webhook(secret).verify(self.body, self.headers)
        operation = DOCUMENT["webhooks"][event["type"]]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(event)
        members = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        assert event.keys() == members.keys()
        assert {parameter["name"] for parameter in operation["parameters"]} <= self.headers.keys()
        return event


Answer = Callable[[BaseHTTPRequestHandler, Heard], None]


def status(code: int, **headers: str) -> Answer:
    """Answer this."""

    def answer(handler: BaseHTTPRequestHandler, _: Heard) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Receiver:
    """A receiver of webhooks with a server of its own; `answer` is what it does with each."""

    def __init__(self, protocol: str = "HTTP/1.0") -> None:
        self.heard: list[Heard] = []
        self.answer: Answer = status(204)
        self.over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = protocol

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # the sender died
                    return
                heard = Heard({name.lower(): value for name, value in self.headers.items()}, body, time.monotonic())
                receiver.heard.append(heard)
                receiver.answer(self, heard)

            def do_GET(self) -> None:
                raise AssertionError("nobody gets anything here")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """Callers hang up here."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def hang(self, _: BaseHTTPRequestHandler, __: Heard) -> None:
        """Answer nothing, until the test is over."""
        self.over.wait()

    def drip(self, first: bytes) -> Answer:
        """Answer this, and then a byte now and then without end."""

        def answer(handler: BaseHTTPRequestHandler, _: Heard) -> None:
            handler.wfile.write(first)
            while not self.over.wait(0.02):
                handler.wfile.write(b"x")

        return answer
