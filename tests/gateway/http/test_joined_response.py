"""The response of the gunicorn worker: its head leaves together with the first piece of its body."""

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidResponseHeader

from gateway.http.gunicorn_worker import JoinedResponse

HEADERS = {"sized": [("Content-Length", "4")], "chunked": []}


class Client:
    """A socket that notes what is sent at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)


class Request:
    """What a response needs of a request."""

    version = (1, 1)

    def __init__(self, method: str) -> None:
        self.method = method

    def should_close(self) -> bool:
        return False


def sent(pieces: list[bytes], kind: str = "sized", *, method: str = "GET", status: str = "200 OK") -> list[bytes]:
    """What leaves by each system call, the head without its lines."""
    client = Client()
    response = JoinedResponse(Request(method), client, Config())
    response.start_response(status, HEADERS[kind])
    for piece in pieces:
        response.write(piece)
    response.close()
    heads = [data.partition(b"\r\n\r\n") for data in client.sent[:1]]
    assert all(head.startswith(f"HTTP/1.1 {status}\r\n".encode()) for head, _, _ in heads)
    return [rest for _, _, rest in heads] + client.sent[1:]


def test_a_short_answer_is_sent_at_once() -> None:
    assert sent([b"paid"]) == [b"paid"]


def test_pieces_of_a_known_length_follow_the_first() -> None:
    assert sent([b"pa", b"id", b"more"]) == [b"pa", b"id"]


def test_each_piece_of_a_stream_leaves_when_it_is_made() -> None:
    assert sent([b"one", b"two"], "chunked") == [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def test_an_empty_first_piece_sends_the_head_of_a_stream() -> None:
    assert sent([b"", b"one"], "chunked") == [b"", b"3\r\none\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 NOT MODIFIED")])
def test_an_answer_without_a_body_is_its_head(method: str, status: str) -> None:
    assert sent([b"paid"], method=method, status=status) == [b""]
    assert sent([], method=method, status=status) == [b""]


def test_a_refused_header_sends_nothing() -> None:
    client = Client()
    response = JoinedResponse(Request("GET"), client, Config())
    with pytest.raises(InvalidResponseHeader):
        response.start_response("200 OK", [("X-A", "1\r\nX-B: 2")])
    assert client.sent == []
