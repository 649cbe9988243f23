"""A small stand-in for the gateway that keeps clients waiting until a test ends all payments."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from simple_websocket import Server

PATIENCE_SECONDS = 60


class Gateway(ThreadingHTTPServer):
    """`ended` is when all payments end, `status` what orders are answered, `unknown` a payment that is not there."""

    daemon_threads = True
    request_queue_size = 128  # of many connections at once, those beyond the queue are tried again after a second

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ended = threading.Event()
        self.status = 202
        self.ids: list[str] = []
        self.requests: Counter[str] = Counter()
        self.unknown: str | None = None
        self.is_cut_short = False
        self.keeps_alive = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up as they please."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Gateway

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests[self.path] += 1
        if self.server.status != 202:
            self.answer(self.server.status, {"Retry-After": "1"})
            return
        id = str(uuid4())
        self.server.ids.append(id)
        location = {"Location": f"/v1/payments/{id}"}
        if "Prefer" in self.headers:
            self.server.ended.wait(PATIENCE_SECONDS)
            self.answer(201, location)
        else:
            self.answer(202, location | {"Retry-After": "1"})

    def do_GET(self) -> None:
        id, _, what = self.path.removeprefix("/v1/payments/").partition("/")
        self.server.requests[self.path] += 1
        if id == self.server.unknown:
            self.answer(404, {})
        elif what == "events":
            self.stream()
        elif what == "socket":
            self.serve_websocket()
        else:
            if "Prefer" in self.headers and self.server.requests[self.path] > 1:
                self.server.ended.wait(PATIENCE_SECONDS)
            self.answer(200, {} if self.server.ended.is_set() else {"Retry-After": "1"})

    def answer(self, status: int, headers: dict[str, str]) -> None:
        self.begin(status, headers | {"Content-Length": "2"})
        self.wfile.write(b"{}")

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | ({} if self.server.keeps_alive else {"Connection": "close"})).items():
            self.send_header(name, value)
        self.end_headers()

    def stream(self) -> None:
        self.begin(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", "Request-Id": "0"})
        self.chunk(b"retry: 2000\nid: 1\nevent: payment.initiated\ndata: {}\n\n")
        if not self.server.is_cut_short:
            self.server.ended.wait(PATIENCE_SECONDS)
            self.chunk(b"id: 2\nevent: payment.completed\ndata: {}\n\n")
        self.chunk(b"")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def serve_websocket(self) -> None:
        environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        websocket = Server({"werkzeug.socket": self.connection, **environ})
        websocket.send("{}")
        self.server.ended.wait(PATIENCE_SECONDS)
        websocket.send("{}")
        websocket.close(1000)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        thread = threading.Thread(target=gateway.serve_forever, args=(0.05,))
        thread.start()
        yield gateway
        gateway.ended.set()
        gateway.shutdown()
        thread.join()
