"""Two gateways behind nginx: orders, long polls, streams, WebSockets, uploads, and a gateway that is killed."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from simple_websocket import Client, ConnectionClosed

from gateway.bulks.upload import UPLOAD_BYTES_MAX
from tests.cluster.load import Shown, load
from tests.cluster.stack import GATEWAYS, ClusterStack, new_cluster
from tests.e2e.state_machine.users import ACCEPTED, CURRENCY, Order, StackUsers
from tests.faults.inject import children, is_running, kill
from tests.support import entries_of, eventually

pytestmark = pytest.mark.slow
WAIT_SECONDS = 30
HEARTBEAT = b": "
MEGABYTE = 1024 * 1024
UPLOADED = 100 * MEGABYTE
LINE_BYTES = 4096
GROWTH_MAX = 32 * MEGABYTE
ROUNDS = 4


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[ClusterStack]:
    with new_cluster(migrated) as stack:
        yield stack


def access_lines(stack: ClusterStack) -> list[dict]:
    """What both gateways logged."""
    logs = [stack.home.log(name).read_text() for name in GATEWAYS]
    return [entry for log in logs for entry in entries_of(log) if "request_id" in entry]


def test_an_order_passes_with_its_id_and_the_clients_address(stack: ClusterStack, users: StackUsers) -> None:
    order = users.transfer(users.clients[0], users.clients[1], "1.00")
    headers = {"Content-Type": "application/json", "Idempotency-Key": order.key, "Request-Id": "given-by-client"}
    forged = {"X-Forwarded-For": "203.0.113.7"}
    with closing(http.client.HTTPConnection(stack.bind, source_address=("127.0.0.9", 0), timeout=60)) as line:
        line.request("POST", order.path, json.dumps(order.body), bearer(order.token) | headers | forged)
        answer = line.getresponse()
        payment = json.load(answer)
    assert (answer.status, answer.headers["Request-Id"]) == (ACCEPTED, "given-by-client")
    assert answer.headers["Location"] == f"/v1/payments/{payment['id']}"
    eventually(lambda: "given-by-client" in {entry["request_id"] for entry in access_lines(stack)})
    [entry] = [entry for entry in access_lines(stack) if entry["request_id"] == "given-by-client"]
    assert entry["address"] == "127.0.0.9"


def test_waits_and_streams_last_as_long_as_they_may(stack: ClusterStack, users: StackUsers) -> None:
    posting = stack.processes["posting"]
    posting.stop()
    answer = users.connection.submit(users.transfer(users.clients[0], users.clients[1], "1.00"))
    id, token = answer.payment_id, answer.order.token
    with ThreadPoolExecutor(3) as pool:
        waits = pool.submit(polled, stack, id, token)
        reads = pool.submit(streamed, stack, id, token)
        talks = pool.submit(talked, stack, id, token)
        status, seconds = waits.result()
        assert status == http.client.OK
        assert seconds >= WAIT_SECONDS - 1, "it was not cut"
        assert not reads.done()
        assert not talks.done()
        posting.start()
        stream, pauses = reads.result()
        assert b"event: payment.completed" in stream
        assert HEARTBEAT in stream
        assert len(pauses) >= 2, "it comes piece by piece"
        messages, code = talks.result()
        assert (messages[-1]["type"], code) == ("payment.completed", 1000), messages


def polled(stack: ClusterStack, id: str, token: str) -> tuple[int, float]:
    began = time.monotonic()
    with connected(stack) as line:
        line.request("GET", f"/v1/payments/{id}", headers=bearer(token) | {"Prefer": f"wait={WAIT_SECONDS}"})
        return line.getresponse().status, time.monotonic() - began


def streamed(stack: ClusterStack, id: str, token: str) -> tuple[bytes, list[float]]:
    """The stream until its end, and when its pieces came."""
    pieces, times = [], []
    with connected(stack) as line:
        line.request("GET", f"/v1/payments/{id}/events", headers=bearer(token) | {"Accept": "text/event-stream"})
        answer = line.getresponse()
        while piece := answer.read1():
            pieces.append(piece)
            times.append(time.monotonic())
    return b"".join(pieces), times


def talked(stack: ClusterStack, id: str, token: str) -> tuple[list[dict], int]:
    """What a WebSocket says, and the code with which it is closed."""
    client = Client(f"ws://{stack.bind}/v1/payments/{id}/socket", headers=bearer(token))
    messages = []
    try:
        while True:
            messages.append(json.loads(client.receive(timeout=90)))
    except ConnectionClosed as closed:
        return messages, int(closed.reason)


def connected(stack: ClusterStack) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection(stack.bind, timeout=90))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_upload_of_100_mb_is_streamed_and_refused_at_its_limit(stack: ClusterStack, users: StackUsers) -> None:
    with closing(StackUsers(stack, clients=0, funds="0.00")) as others:
        merchant = others.merchant
    body = {"currency": CURRENCY, "target": merchant.wallet, "is_open": True, "charges": []}
    opened = users.connection.submit(Order("/v1/bulk-charges", merchant.token, body, str(uuid4())))
    assert opened.status == ACCEPTED, opened
    line = json.dumps({"wallet": users.clients[0].wallet, "amount": "0.01"}).encode().ljust(LINE_BYTES - 1) + b"\n"
    processes = [psutil.Process(stack.nginx.process.pid), *(psutil.Process(stack.processes[n].pid) for n in GATEWAYS)]
    family = [child for process in processes for child in (process, *process.children())]
    before = {process.pid: process.memory_info().rss for process in family}
    sent = [0]

    def pieces() -> Iterator[bytes]:
        for number in range(UPLOADED // LINE_BYTES):
            sent[0] += LINE_BYTES
            yield line if number < 1000 else b" " * (LINE_BYTES - 1) + b"\n"  # blank lines are passed over

    headers = bearer(merchant.token) | {"Content-Type": "application/x-ndjson"}
    path = f"/v1/bulk-charges/{opened.payment_id}/lines"
    with connected(stack) as upload:
        with suppress(ConnectionError):  # it is refused before all was sent
            upload.request("PUT", path, pieces(), headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        answer = upload.getresponse()
        problem = json.load(answer)
    assert (answer.status, problem["code"]) == (413, "body_too_large"), problem
    assert sent[0] > UPLOAD_BYTES_MAX
    assert [path for path in (stack.nginx.folder / "body").rglob("*") if path.is_file()] == [], "none was put aside"
    growth = {process.pid: process.memory_info().rss - before[process.pid] for process in family}
    assert max(growth.values()) < GROWTH_MAX, growth
    with connected(stack) as upload:
        upload.request("PUT", path, line, headers | {"Content-Length": str(UPLOADED)})
        assert upload.getresponse().status == 413, "by its length, at once"
    close = users.connection.call(
        "POST", f"/v1/bulk-charges/{opened.payment_id}/close", merchant.token, {"lines": 1000}
    )
    assert close[0] == http.client.OK, f"what came before was stored: {close}"


def test_a_gateway_killed_mid_request_loses_nothing(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    killed = []
    with load(users) as running:
        for number in range(ROUNDS):
            name = GATEWAYS[number % 2]
            target = running.accepted + 60
            eventually(lambda target=target: running.accepted >= target)
            victims = [stack.processes[name].pid, *children(stack, name)]
            for pid in reversed(victims):
                os.kill(pid, signal.SIGKILL)
            killed += victims
            eventually(lambda victims=victims: not any(map(is_running, victims)))
            target = running.accepted + 30
            eventually(lambda target=target: running.accepted >= target, message="the other one serves")
            stack.processes[name].start()
            stack.wait_ready()
            eventually(partial(stack.is_in_pool, name, stack.passed(name)), message=f"{name} is in the pool again")
    told = shown(running.done)
    assert len(set(killed)) == len(killed) == ROUNDS * 3
    assert told.refused == 0, "each order has a key, so nginx asked the other gateway"
    passes = [json.loads(line) for line in stack.nginx.access_log.read_text().splitlines()]
    assert any(", " in entry["gateway"] and entry["status"] == ACCEPTED for entry in passes), "it did so"


def test_one_process_of_a_gateway_killed_loses_nothing(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running:
        for number in range(ROUNDS):
            target = running.accepted + 60
            eventually(lambda target=target: running.accepted >= target)
            kill(children(stack, GATEWAYS[number % 2])[0])
    assert shown(running.done).refused == 0


def test_a_frozen_gateway_delays_and_loses_nothing(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    name = GATEWAYS[0]
    frozen = [stack.processes[name].pid, *children(stack, name)]
    with load(users) as running:
        eventually(lambda: running.accepted >= 30)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        target = running.accepted + 100
        try:
            eventually(lambda: running.accepted >= target, message="the other one serves")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
    shown(running.done)


def test_both_gateways_away_is_a_503_and_ends(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running:
        eventually(lambda: running.accepted >= 30)
        for name in GATEWAYS:
            stack.processes[name].stop()
        answer = users.connection.submit(users.transfer(users.clients[0], users.clients[1], "1.00"))
        assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "gateway_unavailable", "1")
        for name in GATEWAYS:
            stack.processes[name].start()
        stack.wait_ready()
    told = shown(running.done)
    assert told.refused > 0
    assert {status for each in running.done for status in each.refusals} == {503}
