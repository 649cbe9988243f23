"""The gateway as it is served: gunicorn with greenlets, spoken to in raw HTTP."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import redis

from gateway.http.parsing import BODY_BYTES_MAX
from tests.gateway.events.live_gateway import COMMAND, LIMITS_DB, ROOT, Served, free_port
from tests.gateway.harness import SECOND_FACTOR_KEY, SECRET_KEY, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import eventually


def order(served: Served, person: ApiUser, body: bytes, *headers: str) -> bytes:
    length = f"Content-Length: {len(body)}"
    return served.say(served.head("/v1/deposits", person, length, *headers) + body)


def test_an_order_is_kept_while_greenlets_wait_for_the_database(served: Served) -> None:
    person = served.api.person()
    body = json.dumps(deposit_into(person.wallet())).encode()
    answer = order(served, person, body, "Idempotency-Key: k")
    assert answer.startswith(b"HTTP/1.1 202 ")
    again = order(served, person, body, "Idempotency-Key: k")
    assert b"Idempotent-Replayed: true" in again


def test_every_process_hears_notices(served: Served, redis_url: str) -> None:
    person = served.api.person()
    head = f"GET /v1/wallets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {person.token}\r\n\r\n"

    def listeners() -> int:
        assert served.say(head.encode()).startswith(b"HTTP/1.1 200 ")
        lines = client.client_list()
        return sum(1 for line in lines if line["db"] == str(LIMITS_DB) and line["sub"] == "1")

    with redis.Redis.from_url(redis_url) as client:
        eventually(lambda: listeners() == 2)


def test_n72_a_kept_connection_is_counted_by_request(served: Served) -> None:
    answer = served.say(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    left = [int(number) for number in re.findall(rb'\r\nRateLimit: "address";r=(\d+);t=\d+\r\n', answer)]
    assert left == [left[0], left[0] - 1, left[0] - 2]


def test_n71_the_server_tells_no_version(served: Served) -> None:
    head = served.say(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").partition(b"\r\n\r\n")[0]
    assert re.findall(rb"Server: (.*)\r", head) == [b"payments"]
    assert not re.search(rb"gunicorn|gevent|Werkzeug|Python", head)


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: +5",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: xchunked",),
    ],
)
def test_n72_ambiguous_framing_is_refused(served: Served, framing: tuple[str, ...]) -> None:
    person = served.api.person()
    with served.api.unchanged():
        answer = served.say(served.head("/v1/deposits", person, *framing) + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert re.match(rb"HTTP/1.1 (400|501) ", answer), answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_n44_a_chunked_body_above_the_limit(served: Served) -> None:
    person = served.api.person()
    chunk = b"%x\r\n" % (BODY_BYTES_MAX + 1) + b" " * (BODY_BYTES_MAX + 1) + b"\r\n0\r\n\r\n"
    with served.api.unchanged():
        head = served.head("/v1/deposits", person, "Transfer-Encoding: chunked", "Idempotency-Key: k")
        answer = served.say(head + chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in answer


def test_a_chunked_body_is_read(served: Served) -> None:
    person = served.api.person()
    body = json.dumps(deposit_into(person.wallet())).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    head = served.head("/v1/deposits", person, "Transfer-Encoding: chunked", "Idempotency-Key: k")
    assert served.say(head + chunks).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("line", [b"Idempotency-Key: a\x00b", b"Idempotency-Key: a\rb", b"X\x00Y: 1", b" folded: 1"])
def test_n60_n65_headers_with_control_characters(served: Served, line: bytes) -> None:
    answer = served.say(b"GET /v1/wallets HTTP/1.1\r\nHost: x\r\n" + line + b"\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1.1 4\d\d ", answer)


@pytest.mark.parametrize("line", ["Authorization Bearer {}", "Authorization Bearer {}: x", "Transfer-Encoding: {}"])
def test_n68_a_malformed_request_is_logged_without_its_token(served: Served, line: str) -> None:
    token = served.api.person().token
    answer = served.say(f"GET /v1/me HTTP/1.1\r\nHost: x\r\n{line.format(token)}\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 (400|501) ", answer)
    [request_id] = re.findall(rb"Request-Id: (.*)\r", answer)
    eventually(lambda: request_id.decode() in served.log.read_text())
    assert token not in served.log.read_text()


def test_n19_trace_tells_what_is_allowed(served: Served) -> None:
    answer = served.say(b"TRACE /v1/payments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: " in answer


def test_n68_every_line_of_the_log_is_one_object_without_secrets(served: Served) -> None:
    person = served.api.person()
    canary = "canary-4711"
    attack = f'/v1/wallets/%0d%0a{{"event":"forged"}}%1b[31m?token={canary}'
    served.say(
        f"GET {attack} HTTP/1.1\r\nHost: x\r\nUser-Agent: {canary}\r\nAuthorization: Bearer {person.token}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    eventually(lambda: "forged" in served.log.read_text(), message="the access line")
    lines = served.log.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert {"request_id", "method", "path", "status", "milliseconds", "user_id", "address"} <= entries[-1].keys()
    assert "forged" not in {entry["event"] for entry in entries}
    for secret in (person.token, canary, SECRET_KEY):
        assert secret not in served.log.read_text()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("SECRET_KEY", "SECRET_KEY must have"),
        ("SECOND_FACTOR_KEYS", "SECOND_FACTOR_KEYS is not"),
        ("GATEWAY_DATABASE_URL", "GATEWAY_DATABASE_URL is not"),
    ],
)
def test_it_does_not_start_without_what_it_needs(missing: str, said: str, tmp_path: Path) -> None:
    needed = {"SECRET_KEY": SECRET_KEY, "SECOND_FACTOR_KEYS": SECOND_FACTOR_KEY}
    urls = {"WORKER_DATABASE_URL": "postgresql://x@/x", "GATEWAY_DATABASE_URL": "postgresql://x@/x"}
    environment = {**os.environ, **urls, **needed, missing: ""}
    environment["GATEWAY_BIND"] = f"127.0.0.1:{free_port()}"
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
