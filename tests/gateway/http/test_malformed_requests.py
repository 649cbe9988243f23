"""Malformed HTTP over a real gunicorn: answered with a problem and the common headers, then disconnected."""

import json
import re

import pytest

from gateway.http.incoming import HEADERS_MAX
from tests.gateway.events.live_gateway import Served
from tests.gateway.http.malformed_requests import BODIES, ENDED, GET, HEADS
from tests.gateway.http.raw_answers import Answer, answer_of, refused
from tests.gateway.orders import deposit_into
from tests.support import eventually


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.api.person().token


def logged(served: Served, answer: Answer) -> None:
    """The log has a line of it, and of all that came no traceback: each line is an object."""
    eventually(lambda: f'"{answer.headers["Request-Id"]}"' in served.log.read_text())
    for line in served.log.read_text().splitlines():
        assert "exception" not in json.loads(line), line


@pytest.mark.parametrize("name", HEADS)
def test_a_malformed_head_is_a_problem(served: Served, name: str) -> None:
    text, status, code = HEADS[name]
    answer = refused(served.say(text, last=name.endswith("without end")), status, code)
    logged(served, answer)


def test_a_malformed_head_ends_a_kept_connection(served: Served) -> None:
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    said = served.say(first + HEADS["obsolete folding"][0] + first, last=False)
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", said)] == [200, 400]


@pytest.mark.parametrize("path", ["/v1/deposits", "/v1/bulk-transfers", "/v1/sessions"])
@pytest.mark.parametrize("name", [*BODIES, *ENDED])
def test_a_malformed_chunked_body_is_a_problem(served: Served, token: str, path: str, name: str) -> None:
    text = {**BODIES, **ENDED}[name]
    headers = ["Host: x", f"Authorization: Bearer {token}", "Idempotency-Key: k", "Transfer-Encoding: chunked"]
    head = "\r\n".join([f"POST {path} HTTP/1.1", *headers, "Content-Type: application/json", "", ""]).encode()
    if path == "/v1/bulk-transfers":
        head = head.replace(token.encode(), served.api.person("merchant").token.encode())
    with served.api.unchanged():
        raw = served.say(head + text, last=name in ENDED or "without end" in name)
    logged(served, refused(raw, 400, "bad_request"))


KEYS = [("a", "a"), ("a", "b"), ('"a"', '"a"'), ('"a', 'b"')]


REPEATED = {
    **{
        f"keys {first} and {second}": ("Idempotency-Key", first, second, "idempotency_key_invalid")
        for first, second in KEYS
    },
    "Authorization": ("Authorization", None, "Bearer x", "bad_request"),
    "the same Authorization": ("Authorization", None, None, "bad_request"),
    "Content-Type": ("Content-Type", "application/json", "application/json", "bad_request"),
    "Content-Type of two kinds": ("content-type", "text/csv", "application/json", "bad_request"),
    "Content-Length": ("Content-Length", "2", "2", "bad_request"),
    "Origin": ("Origin", "https://a.example", "https://b.example", "bad_request"),
    "Last-Event-ID": ("Last-Event-ID", "1", "2", "bad_request"),
}


@pytest.mark.parametrize("path", ["/v1/deposits", "/v1/deposits?", "/v1/bulk-transfers", "/v1/wallets"])
@pytest.mark.parametrize("name", REPEATED)
def test_a_header_that_must_be_single_is_refused_twice(served: Served, path: str, name: str) -> None:
    header, first, second, code = REPEATED[name]
    person = served.api.person("merchant")
    body = json.dumps(deposit_into(person.wallet())).encode()
    sent = {
        "Host": "x",
        "Connection": "close",
        "Authorization": f"Bearer {person.token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Idempotency-Key": "k",
    }
    bearer = sent["Authorization"]
    lines = [f"{key}: {value}" for key, value in sent.items() if key.lower() != header.lower()]
    lines += [f"{header}: {first or bearer}", f"{header}: {second or bearer}"]
    with served.api.unchanged():
        raw = served.say("\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body, last=False)
    logged(served, refused(raw, 400, code))


def test_headers_that_are_lists_may_come_twice(served: Served) -> None:
    person = served.api.person()
    body = json.dumps(deposit_into(person.wallet())).encode()
    twice = ["Prefer: respond-async", "Prefer: wait=0", "Accept: text/csv", "Accept: application/json"]
    head = served.head("/v1/deposits", person, "Idempotency-Key: k", f"Content-Length: {len(body)}", *twice)
    assert answer_of(served.say(head + body)).status == 202


def test_too_long_a_trailer_is_a_problem(served: Served, token: str) -> None:
    head = f"POST /v1/deposits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n"
    body = b"Content-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n" + b"X-A: 1\r\n" * (HEADERS_MAX + 1) + b"\r\n"
    logged(served, refused(served.say(head.encode() + body, last=False), 431, "headers_too_large"))


@pytest.mark.parametrize("name", BODIES)
def test_malformed_unread_body_ends_the_connection(served: Served, name: str) -> None:
    head = b"POST /v1/deposits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    smuggled = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"
    raw = served.say(head + BODIES[name] + smuggled)
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", raw)] == [401]


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /v1", "SCRIPT_NAME: /nope", "PATH_INFO: /docs", "REMOTE_USER: ops"])
def test_no_header_moves_a_request_elsewhere(served: Served, token: str, header: str) -> None:
    text = f"GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{header}\r\n\r\n"
    answer = answer_of(served.say(text.encode()))
    assert answer.status == 200
    assert json.loads(answer.body)["role"] == "client"


def test_contradictory_schemes_say_nothing(served: Served) -> None:
    schemes = b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n"
    assert answer_of(served.say(GET + schemes + b"Connection: close\r\n\r\n")).status == 401


@pytest.mark.parametrize(
    ("target", "status"),
    [("*", 404), ("http://x/health/live", 200), ("/health/live?", 200), ("//health/live", 200), ("/%00%ff", 404)],
)
def test_odd_targets_are_answered(served: Served, target: str, status: int) -> None:
    method = "OPTIONS" if target == "*" else "GET"
    answer = answer_of(served.say(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()))
    assert answer.status == status
    logged(served, answer)


@pytest.mark.parametrize("header", [b"Authorization: Bearer \xff", b"If-None-Match: \xe9", b"Prefer: wait=\xb2"])
@pytest.mark.parametrize("path", [b"/v1/wallets", b"/v1/payments/00000000-0000-7000-8000-000000000000"])
def test_headers_of_any_bytes_are_answered(served: Served, token: str, header: bytes, path: bytes) -> None:
    bearer = b"" if header.startswith(b"Auth") else f"Authorization: Bearer {token}\r\n".encode()
    text = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + bearer + header + b"\r\n\r\n"
    answer = answer_of(served.say(text))
    assert answer.status in (200, 401, 404)
    logged(served, answer)


def test_a_kept_connection_goes_on_after_a_chunked_body(served: Served) -> None:
    person = served.api.person()
    body = json.dumps(deposit_into(person.wallet())).encode()
    head = served.head("/v1/deposits", person, "Transfer-Encoding: chunked", "Idempotency-Key: a")
    head = head.replace(b"Connection: close\r\n", b"")
    chunked = head + b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(body), body)
    raw = served.say(chunked * 2)
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", raw)] == [202, 202]
