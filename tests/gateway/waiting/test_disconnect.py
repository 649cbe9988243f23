"""A client that disconnected is noticed without a wait, and one that did not is left alone."""

import socket

from gateway.waiting.disconnect import disconnected, socket_of


def test_of_each_line_whether_its_client_has_closed_it() -> None:
    pairs = [socket.socketpair() for _ in range(6)]
    (connected, _), (gone, gone_client), (half, half_client), (talking, talker), (closed, _), (also_closed, _) = pairs
    lines = [connected, gone, half, talking, closed, also_closed]
    assert disconnected(lines) == [False] * 6
    gone_client.close()
    half_client.shutdown(socket.SHUT_WR)
    talker.sendall(b"GET / HTTP/1.1\r\n")
    closed.close()
    also_closed.close()
    assert disconnected(lines) == [False, True, True, False, True, True]
    for pair in pairs:
        for line in pair:
            line.close()
    assert disconnected(lines) == [True] * 6
    assert disconnected([]) == []


def test_a_server_that_does_not_tell_the_line() -> None:
    assert socket_of({"wsgi.input": object()}) is None
    with socket.socket() as line:
        assert socket_of({"gunicorn.socket": line}) is line
