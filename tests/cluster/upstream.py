"""A server that reads a request whole and closes without an answer, or answers: what a proxy repeats is counted."""

import socket
import threading
from contextlib import closing, suppress

HOST = "127.0.0.1"


class Upstream:
    """Keeps the requests that it read, as bytes; its answer is empty, so that the proxy tries another."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._listener = socket.create_server((HOST, 0), backlog=100)
        self.bind = f"{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # the thread that accepts would keep it open
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self._read(self._listener.accept()[0])

    def _read(self, line: socket.socket) -> None:
        with closing(line), suppress(OSError):
            text = b""
            while b"\r\n\r\n" not in text:
                text += line.recv(65_536)
            head, _, body = text.partition(b"\r\n\r\n")
            lengths = [row.split(b":")[1] for row in head.split(b"\r\n") if row.lower().startswith(b"content-length:")]
            while len(body) < int(lengths[0] if lengths else 0):
                body += line.recv(65_536)
            self.requests.append(head + b"\r\n\r\n" + body)
            line.sendall(self.answer)
