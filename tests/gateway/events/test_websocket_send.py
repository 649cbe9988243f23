"""WebSocket connections with two senders, or closed while one sends; both ends are in this process."""

import socket
import threading

import pytest
from wsproto.events import CloseConnection

from gateway.events import websocket
from tests.gateway.events.websocket_clients import KEY, SECONDS


def test_concurrent_senders_do_not_interleave() -> None:
    server, client = socket.socketpair()
    sender, size = websocket.SendAllSocket(server), 1_000_000
    with server, client:
        senders = [threading.Thread(target=sender.send, args=(letter * size,)) for letter in (b"a", b"b")]
        for thread in senders:
            thread.start()
        received = b""
        while len(received) < 2 * size:
            received += client.recv(65_536)
        for thread in senders:
            thread.join()
    assert received in (b"a" * size + b"b" * size, b"b" * size + b"a" * size)


def test_connection_closing_in_its_thread_raises_disconnected() -> None:
    server, client = socket.socketpair()
    environ = {"HTTP_HOST": "x", "HTTP_SEC_WEBSOCKET_KEY": KEY, "werkzeug.socket": server}
    with server, client:
        connection = websocket.WebSocketConnection(environ)
        connection.ws.send(CloseConnection(1009))  # as for too long a message, before its close frame is sent
        with pytest.raises(websocket.DISCONNECTED):
            connection.send_json({})
        connection.close_and_wait(1001)
        connection.thread.join(SECONDS)
    assert not connection.thread.is_alive()
