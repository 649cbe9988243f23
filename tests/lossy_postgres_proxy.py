"""A line to PostgreSQL that can be lost where it matters: before a wish arrives, or after it but before its answer."""

import socket
import threading
from collections import deque
from contextlib import suppress
from enum import Enum
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
RECEIVE_BYTES = 65_536
COMMIT = b"COMMIT\0"
"""How psycopg2 asks for a commit."""


class Loss(Enum):
    """What is lost."""

    WISH = "the wish itself: the server never hears of it"
    ANSWER = "its answer: the server has done it, the client never hears of it"


class Line:
    """Passes connections on to the server's socket.

    Each wish with the text `at` in it loses what is next in `to_lose`; `lost` tells what happened. One with the text
    `mute_at` makes all connections mute, new ones too, until `is_mute` is taken back: nothing passes, nobody hangs up.
    """

    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.at = COMMIT
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
        """Hang up on everybody and end."""
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
        """Pass wishes on and answers back until one side hangs up, or the line is lost; or is mute, for good."""
        is_answer_unwanted, is_mute = threading.Event(), threading.Event()
        answers = threading.Thread(target=self._pass_answers, args=(client, server, is_answer_unwanted, is_mute))
        answers.start()
        with suppress(OSError):
            while wish := client.recv(RECEIVE_BYTES):
                self.is_mute |= self.mute_at is not None and self.mute_at in wish
                if self.is_mute:
                    is_mute.set()
                if is_mute.is_set():
                    continue
                if self.to_lose and self.at in wish:
                    self.lost.append(self.to_lose.popleft())
                    if self.lost[-1] is Loss.WISH:
                        break
                    is_answer_unwanted.set()
                server.sendall(wish)
        _hang_up(client, server)
        answers.join()
        client.close()
        server.close()

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
