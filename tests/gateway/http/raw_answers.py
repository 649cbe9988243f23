"""Answers of the gateway as bytes, taken apart."""

import json
from typing import NamedTuple

from gateway.http.access_log import HEADERS
from gateway.http.errors import PROBLEMS


class Answer(NamedTuple):
    """An answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_of(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    return Answer(int(line.split(" ")[1]), dict(header.split(": ", 1) for header in headers), body)


def refused(raw: bytes, status: int, code: str) -> Answer:
    """The only answer: this problem with the common headers, after which the connection is closed."""
    assert raw.count(b"HTTP/1.1 ") == 1, raw
    answer = answer_of(raw)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), raw
    problem = json.loads(answer.body)
    assert (problem["code"], problem["status"], PROBLEMS[code].status) == (code, status, status)
    assert problem["request_id"] == answer.headers["Request-Id"]
    assert HEADERS.items() <= answer.headers.items()
    assert answer.headers["Server"] == "payments"
    assert answer.headers["Connection"] == "close"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    return answer
