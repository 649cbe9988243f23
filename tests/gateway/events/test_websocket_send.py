"""A line on which two send, and one that ends while somebody speaks: both ends in this process."""

import socket
import threading

import pytest
from wsproto.events import CloseConnection

from gateway.events import websocket
from tests.gateway.events.test_websocket import KEY, SECONDS


def test_two_who_send_at_once_send_one_after_the_other() -> None:
    ours, theirs = socket.socketpair()
    whole, size = websocket.SendAllSocket(ours), 1_000_000
    with ours, theirs:
        senders = [threading.Thread(target=whole.send, args=(letter * size,)) for letter in (b"a", b"b")]
        for sender in senders:
            sender.start()
        said = b""
        while len(said) < 2 * size:
            said += theirs.recv(65_536)
        for sender in senders:
            sender.join()
    assert said in (b"a" * size + b"b" * size, b"b" * size + b"a" * size)


def test_a_line_that_its_own_thread_is_closing_is_gone() -> None:
    ours, theirs = socket.socketpair()
    asked = {"HTTP_HOST": "x", "HTTP_SEC_WEBSOCKET_KEY": KEY, "werkzeug.socket": ours}
    with ours, theirs:
        line = websocket.WebSocketConnection(asked)
        line.ws.send(CloseConnection(1009))  # as for too long a message, while its goodbye is still on its way
        with pytest.raises(websocket.GONE):
            line.tell({})
        line.hang_up(1001)
        line.thread.join(SECONDS)
    assert not line.thread.is_alive()
