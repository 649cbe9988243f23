"""Clients of WebSockets."""

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simple_websocket import Client

from tests.gateway.harness import ApiUser


class Listener(Client):
    """The library's client, which also reads frames that arrive together with the handshake's response."""

    def handshake(self) -> None:
        super().handshake()
        self._handle_events()
        self.connected = True  # even if that was the end: the next read finds out


SECONDS = 10


@contextmanager
def line(port: int, id: str, person: ApiUser, **options: Any) -> Iterator[Client]:
    options = {"headers": {"Authorization": f"Bearer {person.token}"}, **options}
    client = Listener(f"ws://127.0.0.1:{port}/v1/payments/{id}/socket", **options)
    try:
        yield client
    finally:
        with contextlib.suppress(OSError):
            client.sock.shutdown(socket.SHUT_RDWR)
        client.thread.join()  # it closes the socket; closed earlier, the thread could read from the next test's


def heard(client: Client) -> dict[str, Any]:
    text = client.receive(SECONDS)
    assert text is not None
    return json.loads(text)


KEY = "dGhlIHNhbXBsZSBub25jZQ=="


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
