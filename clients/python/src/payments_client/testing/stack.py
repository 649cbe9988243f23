"""The real API on this machine, with its database and workers, from a checkout; and a receiver of its webhooks."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from payments_client import Client, WebhookError, webhooks
from payments_client.webhooks import WebhookEvent

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class RunningStack:
    """Where the stack is, and its users `alice` and `bob`, who are clients, the merchant `shop`, and `ops`."""

    url: str
    users: dict[str, dict[str, str]]

    def token(self, name: str) -> str:
        """The token of a user."""
        return self.users[name]["token"]

    def wallet(self, name: str) -> str:
        """The token of a user's wallet, in euros."""
        return self.users[name]["wallet"]

    def client(self, name: str) -> Client:
        """A client of a user; close it, or use it as a context manager."""
        return Client(self.url, self.token(name))


@contextmanager
def running(checkout: Path) -> Iterator[RunningStack]:
    """The stack of the checkout: started and ended again, or left as it is if it runs."""

    def embedded(command: str) -> int:
        program = [f"{checkout}/.venv/bin/python", "-m", "embedded", command]
        return subprocess.run(program, cwd=checkout, capture_output=True, check=False).returncode  # noqa: S603  ours

    subprocess.run(["/bin/sh", "embedded/bootstrap.sh"], cwd=checkout, check=True)
    was_running = embedded("status") == 0
    if not was_running and embedded("up") != 0:
        raise RuntimeError(f"the stack did not start: run `make up` in {checkout} to see why")
    try:
        told = json.loads((checkout / ".run" / "stack.json").read_text())
        yield RunningStack(told["url"], told["users"])
    finally:
        if not was_running:
            embedded("down")


class WebhookInbox:
    """An endpoint of a user, and the events that it was sent and that are signed."""

    def __init__(self, client: Client, *event_types: str) -> None:
        self.events: list[WebhookEvent] = []
        self._client = client
        self._changed = threading.Condition()
        self._secret = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        url, wanted = f"http://127.0.0.1:{self._server.server_port}/", list[Any](event_types) or ["*"]
        self._endpoint = client.webhook_endpoints.create(url=url, event_types=wanted)
        self._secret = self._endpoint.secret

    def wait_for(self, type: str, *, id: str | None = None, timeout: float = WAIT_SECONDS) -> WebhookEvent:
        """The first event of the type, about the object with this id if one is given; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self.events:
                    if event.type == type and id in (None, event.data.raw.get("id")):
                        return event
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"no {type} within {timeout} s, but {[event.type for event in self.events]}")

    def close(self) -> None:
        """Delete the endpoint and end the receiver."""
        self._client.webhook_endpoints.delete(self._endpoint.id, if_match="*")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(inbox._take(body, dict(self.headers)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    def _take(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            event = webhooks.verify(body, headers, self._secret)
        except WebhookError:
            return 401
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        return 204
