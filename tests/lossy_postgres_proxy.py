"""A proxy to PostgreSQL that can drop a connection before a request arrives, or after it and before its answer."""

import socket
import threading
from collections import deque
from contextlib import suppress
from enum import Enum
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
RECEIVE_BYTES = 65_536
COMMIT = b"COMMIT\0"
"""A commit as psycopg2 sends it."""


class Loss(Enum):
    """The message that is lost."""

    REQUEST = "the request: the server never receives it"
    ANSWER = "its answer: the server has done it, the client never hears of it"


class Line:
    """Passes connections on to the server's socket.

    Each request with the text `at` in it loses what is next in `to_lose`, but for the first `spared` of them; `lost`
    says what happened. One with the text `mute_at` makes all connections mute, new ones too, until `is_mute` is reset:
    nothing passes, and none is closed.
    """

    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.at = COMMIT
        self.spared = 0
        self.to_lose: deque[Loss] = deque()
        self.lost: list[Loss] = []
        self.mute_at: bytes | None = None
        self.is_mute = False
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / SOCKET_NAME))
        self._listening.listen()
        self._sides: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def hang_up(self) -> None:
        """End all connections that there are."""
        _hang_up(*self._sides)

    def close(self) -> None:
        """Close all connections and end."""
        _hang_up(self._listening, *self._sides)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._sides += [client, server]
                self._threads.append(threading.Thread(target=self._pass, args=(client, server)))
                self._threads[-1].start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        """Pass requests on and answers back until one side closes the connection, it is dropped, or it is mute."""
        is_answer_unwanted, is_mute = threading.Event(), threading.Event()
        answers = threading.Thread(target=self._pass_answers, args=(client, server, is_answer_unwanted, is_mute))
        answers.start()
        with suppress(OSError):
            while request := client.recv(RECEIVE_BYTES):
                self.is_mute |= self.mute_at is not None and self.mute_at in request
                if self.is_mute:
                    is_mute.set()
                if is_mute.is_set():
                    continue
                if self.to_lose and self.at in request and self._is_reached():
                    self.lost.append(self.to_lose.popleft())
                    if self.lost[-1] is Loss.REQUEST:
                        server.shutdown(socket.SHUT_WR)
                        answers.join()  # until the server has ended the transaction, and so unlocked its rows
                        break
                    is_answer_unwanted.set()
                server.sendall(request)
        _hang_up(client, server)
        answers.join()
        client.close()
        server.close()

    def _is_reached(self) -> bool:
        self.spared -= 1
        return self.spared < 0

    def _pass_answers(
        self, client: socket.socket, server: socket.socket, is_unwanted: threading.Event, is_mute: threading.Event
    ) -> None:
        with suppress(OSError):
            while (answer := server.recv(RECEIVE_BYTES)) and not is_unwanted.is_set():
                if self.is_mute:
                    is_mute.set()
                if not is_mute.is_set():
                    client.sendall(answer)
        if not is_mute.is_set():
            _hang_up(client, server)


def _hang_up(*sides: socket.socket) -> None:
    for side in sides:
        with suppress(OSError):  # hung up already
            side.shutdown(socket.SHUT_RDWR)
