"""Waiters of a served gateway: many at once, beside other requests, and answered when it stops or is replaced."""

import base64
import json
import os
import re
import resource
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.waiting.waiters import TICK_SECONDS
from tests.gateway.events.live_gateway import COMMAND, ROOT, Served, serving
from tests.gateway.harness import SECOND_FACTOR_KEY, SECRET_KEY, ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import Database, eventually

WAITERS = 100
QUICK_SECONDS = 10.0
STOP_SECONDS_MAX = 20.0
"""On a busy machine; less than the waits. After the graceful timeout gunicorn cuts off the requests that are left."""

FEW_FILES = 512


@pytest.fixture
def served(database: Database, api: ApiHarness, redis_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(database, api, redis_url, tmp_path, RATE_LIMIT_TOKEN="100000 per day") as served:
        yield served


@pytest.fixture(scope="module")
def one_place(
    database: Database, api: ApiHarness, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    changes = {"GATEWAY_WORKERS": "1", "WAITERS_MAX": "1"}
    with serving(database, api, redis_url, tmp_path_factory.mktemp("served"), **changes) as served:
        yield served


@pytest.fixture
def person(api: ApiHarness) -> ApiUser:
    return api.person()


def ordered(served: Served, person: ApiUser, wallet: str, prefer: str = "wait=30") -> bytes:
    """The whole answer to an order, its sender not half-closing: as clients are."""
    body = json.dumps(deposit_into(wallet)).encode()
    key = f"Idempotency-Key: {secrets.token_hex(8)}"
    head = served.head("/v1/deposits", person, f"Content-Length: {len(body)}", key, f"Prefer: {prefer}")
    return served.say(head + body, last=False)


@contextmanager
def waiting(served: Served, person: ApiUser) -> Iterator[list[Future[bytes]]]:
    """This number of orders are stored and wait at the beginning of the block; all are answered at its end."""
    kept = f"SELECT count(*) FROM payments WHERE user_id = '{person.id}'"
    wallet = person.wallet()
    with ThreadPoolExecutor(WAITERS) as pool:
        answers = [pool.submit(ordered, served, person, wallet) for _ in range(WAITERS)]
        eventually(lambda: served.api.execute(kept) == [WAITERS], message="all are kept")
        yield answers


def payments(answers: list[Future[bytes]], status: int) -> list[dict]:
    """The payment of each answer, which is whole and has this status."""
    shown = []
    for answer in answers:
        head, _, body = answer.result().partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer.result()
        assert int(re.findall(rb"Content-Length: (\d+)", head)[0]) == len(body)
        shown.append(json.loads(body))
    return shown


def test_waiters_are_answered_when_posted_and_delay_no_others(served: Served, person: ApiUser) -> None:
    with waiting(served, person) as answers:
        began = time.monotonic()
        assert ordered(served, person, person.wallet(), prefer="wait=0").startswith(b"HTTP/1.1 202 ")
        assert time.monotonic() - began < QUICK_SECONDS
        assert not any(answer.done() for answer in answers)
        served.api.post_payments()
        began = time.monotonic()
        assert {payment["state"] for payment in payments(answers, 201)} == {"COMPLETED"}
        assert time.monotonic() - began < QUICK_SECONDS


def test_waiters_are_answered_when_gunicorn_stops(served: Served, person: ApiUser) -> None:
    with waiting(served, person) as answers:
        began = time.monotonic()
        os.kill(served.process.pid, signal.SIGTERM)
        assert {payment["state"] for payment in payments(answers, 202)} == {"INITIATED"}
        eventually(lambda: served.process.status == 0, STOP_SECONDS_MAX)
        assert time.monotonic() - began < STOP_SECONDS_MAX
    assert "graceful timeout" not in served.log.read_text()


def test_all_are_answered_when_its_processes_are_replaced(served: Served, person: ApiUser) -> None:
    before = {child.pid for child in psutil.Process(served.process.pid).children()}
    with waiting(served, person) as answers:
        os.kill(served.process.pid, signal.SIGHUP)
        assert {payment["state"] for payment in payments(answers, 202)} == {"INITIATED"}
        eventually(lambda: not before & {child.pid for child in psutil.Process(served.process.pid).children()})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ordered, served, person, person.wallet())
        eventually(lambda: (served.api.post_payments(), answer.done())[1])
    assert payments([answer], 201)[0]["state"] == "COMPLETED"


LONG_POLL = ("", "Prefer: wait=30")
STREAM = ("/events", "Accept: text/event-stream")
KEY = base64.b64encode(secrets.token_bytes(16)).decode()
UPGRADE = ("/socket", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")


@pytest.mark.parametrize("way", [LONG_POLL, STREAM, UPGRADE], ids=["long poll", "event stream", "WebSocket"])
def test_disconnected_waiter_frees_its_place(one_place: Served, person: ApiUser, way: tuple[str, ...]) -> None:
    id = person.order("/v1/deposits", deposit_into(person.wallet())).get_json()["id"]

    def get(below: str, *headers: str) -> bytes:
        connection = "Upgrade" if "socket" in below else "close"
        lines = [f"GET /v1/payments/{id}{below} HTTP/1.1", "Host: x", f"Connection: {connection}", *headers]
        return "\r\n".join([*lines, f"Authorization: Bearer {person.token}", "", ""]).encode()

    def is_place_taken() -> bool:
        return b"Preference-Applied" not in one_place.say(get("", "Prefer: wait=1"), last=False)

    def waiting_line() -> socket.socket | None:
        """One whose request waits, None if it came too late for the place."""
        line = socket.create_connection(("127.0.0.1", one_place.port))
        line.sendall(get(*way))
        if way is not LONG_POLL:
            line.recv(1)
        while not is_place_taken():
            if select.select([line], [], [], 0)[0]:
                line.close()
                return None
        return line

    with eventually(waiting_line), pytest.raises(AssertionError, match="not within"):
        eventually(lambda: not is_place_taken(), 2 * TICK_SECONDS)
    eventually(lambda: not is_place_taken(), 10 * TICK_SECONDS)


def test_open_files_are_allowed_at_the_start(
    database: Database, api: ApiHarness, redis_url: str, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, before[1]))
    try:
        with serving(database, api, redis_url, tmp_path, None, WAITERS_MAX="1500") as served:
            for child in psutil.Process(served.process.pid).children():
                assert child.rlimit(psutil.RLIMIT_NOFILE)[0] > 1500 + FEW_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_it_does_not_start_where_too_few_are_allowed() -> None:
    environment = {**os.environ, "GATEWAY_DATABASE_URL": "postgresql://x@/x", "SECRET_KEY": SECRET_KEY}
    environment["SECOND_FACTOR_KEYS"] = SECOND_FACTOR_KEY
    few = ["sh", "-c", f'ulimit -n {FEW_FILES} && exec "$@"', "sh", *COMMAND]
    done = subprocess.run(few, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "open files are needed and 512 allowed" in done.stdout + done.stderr
