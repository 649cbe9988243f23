"""A line to PostgreSQL that can be lost at COMMIT: before it arrives, or after it was obeyed but before its answer."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
RECEIVE_BYTES = 65_536
COMMIT = b"COMMIT\0"
READY_FOR_QUERY = ord("Z")


class Loss(Enum):
    """What is lost of the next COMMIT."""

    WISH = "the COMMIT itself: the server never hears of it"
    ANSWER = "its answer: the server has committed, the client never hears of it"


class Line:
    """Passes connections on to the server's socket; `lose` arms it for one COMMIT, `lost` counts what happened."""

    def __init__(self, directory: Path, server: Path) -> None:
        self.directory = directory
        self.lose: Loss | None = None
        self.lost = 0
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / SOCKET_NAME))
        self._listening.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                for passing in (self._pass_wishes, self._pass_answers):
                    self._threads.append(threading.Thread(target=passing, args=(client, server)))
                    self._threads[-1].start()

    def _pass_answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(RECEIVE_BYTES):
                client.sendall(piece)
        _hang_up(client, server)

    def _pass_wishes(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(RECEIVE_BYTES):
                if self.lose and piece.endswith(COMMIT):
                    self._lose(self.lose, piece, client, server)
                    break
                server.sendall(piece)
        _hang_up(client, server)

    def _lose(self, loss: Loss, piece: bytes, client: socket.socket, server: socket.socket) -> None:
        """Hang up on the client; on the server only after it has obeyed, if it is the answer that is lost."""
        self.lose, self.lost = None, self.lost + 1
        client.shutdown(socket.SHUT_RDWR)
        if loss is Loss.ANSWER:
            server.sendall(piece)
