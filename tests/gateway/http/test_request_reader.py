"""However the bytes of requests are cut, they are read alike."""

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import incoming
from gateway.http.errors import ApiError
from gateway.http.incoming import BodyStream, IncomingRequest
from gateway.http.request_reader import RequestReader
from tests.gateway.http.malformed_requests import BODIES, ENDED, HEADS

FRAMED = b"POST /v1/deposits HTTP/1.1\r\nHost: x\r\n%b: %b\r\n\r\n%b"
SMUGGLED = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
TEXTS = {
    **{name: head for name, (head, _, _) in HEADS.items() if len(head) < 20_000},
    **{f"{name} in a body": FRAMED % (b"Transfer-Encoding", b"chunked", body) for name, body in BODIES.items()},
    **{f"{name} in a body": FRAMED % (b"Transfer-Encoding", b"chunked", body) for name, body in ENDED.items()},
    "three in a row": SMUGGLED + FRAMED % (b"Content-Length", b"2", b"{}") + SMUGGLED,
    "chunks and one more": FRAMED % (b"Transfer-Encoding", b"chunked", b"2;a=b\r\n{}\r\n0\r\nX-A: 1\r\n\r\n")
    + SMUGGLED,
    "length of none": FRAMED % (b"Content-Length", b"0", SMUGGLED),
    "upgrade that is ignored": FRAMED % (b"Connection: Upgrade\r\nUpgrade", b"h2c", SMUGGLED),
    "body that looks like a request": FRAMED % (b"Content-Length", b"%d" % len(SMUGGLED), SMUGGLED),
}


class Read(NamedTuple):
    """What a reader made of some bytes."""

    requests: list[tuple[dict[str, Any], bytes, bool]]
    error: str | None


class Requests:
    """Keeps the requests that are read."""

    def __init__(self) -> None:
        self.received: list[IncomingRequest] = []

    def request_begins(self) -> IncomingRequest:
        return IncomingRequest("192.0.2.1", ("x", "80"))

    def expect_body(self, request: IncomingRequest) -> None:
        if request.is_streamed:
            request.stream = BodyStream(lambda: None, lambda: None, lambda: None)

    def answer(self, request: IncomingRequest) -> None:
        self.received.append(request)


def read(parts: list[bytes]) -> Read:
    requests = Requests()
    reader = RequestReader(requests)
    error = None
    try:
        for part in parts:
            reader.feed(part)
    except ApiError as refusal:
        error = refusal.code
    return Read([_taken_apart(request) for request in requests.received], error)


def _taken_apart(request: IncomingRequest) -> tuple[dict[str, Any], bytes, bool]:
    environ = {name: value for name, value in request.environ.items() if not name.startswith("wsgi.")}
    body = b"".join(request.stream._parts) if request.stream else request.environ["wsgi.input"].getvalue()
    return environ, body, request.is_complete


@pytest.mark.parametrize("name", TEXTS)
def test_bytes_one_by_one_are_read_as_all_at_once(name: str) -> None:
    text = TEXTS[name]
    assert read([text[n : n + 1] for n in range(len(text))]) == read([text])


@given(st.sampled_from(sorted(TEXTS)), st.lists(st.integers(0, 20_000), max_size=6))
def test_bytes_in_pieces_are_read_as_all_at_once(name: str, cuts: list[int]) -> None:
    text = TEXTS[name]
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[begin:end] for begin, end in pairwise(ends)]
    assert read(pieces) == read([text])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    outcome = read([text])
    assert outcome.error in (None, "bad_request", "uri_too_long")


@given(st.text(max_size=300), st.text(max_size=50))
def test_any_target_and_header_is_read_or_refused(target: str, value: str) -> None:
    outcome = read([f"GET /{target} HTTP/1.1\r\nHost: x\r\nX-A: {value}\r\n\r\n".encode()])
    assert outcome.error in (
        None,
        "bad_request",
        "headers_too_large",
        "expectation_failed",
        "transfer_coding_unsupported",
    )
    assert all(environ["PATH_INFO"].startswith("/") for environ, _, _ in outcome.requests)


def test_a_head_without_end_is_refused_in_bounded_memory() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "
    parts = [head, *[b"a" * 10_000] * 100]
    assert read(parts).error == "headers_too_large"


def test_headers_that_no_client_needs_are_not_kept() -> None:
    incoming._keys.clear()
    for n in range(2 * incoming.KEYS_MAX):
        read([b"GET / HTTP/1.1\r\nHost: x\r\nX-%d: 1\r\n\r\n" % n])
    assert len(incoming._keys) <= incoming.KEYS_MAX
