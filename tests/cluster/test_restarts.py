"""Gateways and workers restarted one after the other under load: nothing is refused, nothing is late."""

import http.client
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from celery_config import app
from embedded.process import Process
from gateway import gunicorn_conf
from tests.cluster.load import Shown, load
from tests.cluster.stack import GATEWAYS, ClusterStack, new_cluster
from tests.e2e.state_machine.audit import scalar
from tests.e2e.state_machine.users import StackUsers
from tests.faults.inject import assert_heartbeats, children
from tests.support import eventually
from tests.webhook_receiver import Receiver

pytestmark = pytest.mark.slow
ROUNDS = 2
WORKERS = ("posting", "upkeep", "rails", "webhooks")
GATEWAY_GRACE_SECONDS = gunicorn_conf.graceful_timeout
POSTERS_ALIVE = "SELECT array_agg(split_part(name, '@', 1)) FROM worker_heartbeats"
WORKER_GRACE_SECONDS = app.conf.worker_soft_shutdown_timeout


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[ClusterStack]:
    with new_cluster(migrated) as stack:
        yield stack


@contextmanager
def edited(users: StackUsers) -> Iterator[list[int]]:
    """The statuses of changes that must not be repeated, one after the other: each names the version it saw last."""
    ends, statuses = threading.Event(), []
    person = users.clients[0]

    def edit() -> None:
        path = f"/v1/wallets/{person.wallet}"
        etag = users.connection.call("GET", path, person.token)[2]["ETag"]
        while not ends.wait(0.02):
            status, body, headers = users.connection.call(
                "PATCH", path, person.token, {"label": str(len(statuses))}, etag=etag
            )
            statuses.append(status)
            assert status == http.client.OK, body
            etag = headers["ETag"]

    with ThreadPoolExecutor(1) as pool:
        editing = pool.submit(edit)
        try:
            yield statuses
        finally:
            ends.set()
            editing.result()


def test_gateways_are_replaced_behind_nginx(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    with load(users) as running, edited(users) as statuses:
        for name in GATEWAYS * ROUNDS:
            target = running.accepted + 40
            eventually(lambda target=target: running.accepted >= target)
            stack.restart(name)
            eventually(partial(stack.is_in_pool, name, stack.passed(name)), message=f"{name} is in the pool again")
    told = shown(running.done)
    assert told.refused == 0
    assert told.longest_answer < GATEWAY_GRACE_SECONDS
    assert len(statuses) > 50


@pytest.mark.parametrize("is_direct", [False, True], ids=["behind nginx", "without nginx"])
def test_processes_of_a_gateway_are_replaced_by_hup(
    stack: ClusterStack, users: StackUsers, shown: Shown, is_direct: bool
) -> None:
    with ExitStack() as ends:
        clients = users
        if is_direct:
            direct = stack.at(stack.binds[GATEWAYS[0]])
            clients = ends.enter_context(closing(StackUsers(direct, clients=3, funds="10000.00")))
        with load(clients) as running, edited(clients) as statuses:
            for name in GATEWAYS[: 1 if is_direct else 2] * ROUNDS:
                target = running.accepted + 40
                eventually(lambda target=target: running.accepted >= target)
                before = set(children(stack, name))
                stack.processes[name].send(signal.SIGHUP)
                eventually(partial(is_replaced, stack, name, before), message=f"{name} has new processes")
        told = shown(running.done)
    assert told.refused == 0
    assert told.longest_answer < GATEWAY_GRACE_SECONDS
    assert len(statuses) > 50


def is_replaced(stack: ClusterStack, name: str, before: set[int]) -> bool:
    now = set(children(stack, name))
    return len(now) == len(before) and not now & before


def test_each_worker_is_restarted(stack: ClusterStack, users: StackUsers, shown: Shown, receiver: Receiver) -> None:
    body = {"url": receiver.url, "event_types": ["payment.completed", "payment.failed"]}
    made = users.connection.call("POST", "/v1/webhook-endpoints", users.merchant.token, body)
    assert made[0] == http.client.CREATED, made
    sent = []
    with load(users) as running:
        for name in (*WORKERS, "beat"):
            target = running.accepted + 40
            eventually(lambda target=target: running.accepted >= target)
            sent.append(users.connection.submit(users.withdrawal(users.clients[1], "1.00")))
            stack.restart(name)
            assert_heartbeats(stack, WORKERS)
    told = shown(running.done)
    assert told.refused == 0
    assert told.longest_until_final < WORKER_GRACE_SECONDS
    assert {users.final(answer)["state"] for answer in sent} == {"COMPLETED"}, "the bank was told, once"
    charges = {each.answer.payment_id for each in running.done if each.answer.order.path == "/v1/charges"}

    def heard() -> set[str]:
        return {event.verified(made[1]["secret"])["data"]["id"] for event in receiver.heard}

    eventually(lambda: heard() >= charges, message="each final charge was told to the merchant")
    assert heard() == charges


def test_a_posting_worker_is_replaced_by_a_second_one(stack: ClusterStack, users: StackUsers, shown: Shown) -> None:
    one = stack.processes["posting"]
    argv = ["posting-2@%h" if word == "posting@%h" else word for word in one.argv]
    environ = {name: value for name, value in one.environ.items() if name != "METRICS_BIND"}
    second = Process(
        argv, log=stack.home.log("posting-2"), cwd=one.cwd, environ=environ, identity=one.identity, forked=True
    )
    stack.processes["posting-2"] = second
    second.start()
    eventually(lambda: "posting-2" in scalar(stack, POSTERS_ALIVE), message="the second one works")
    with load(users) as running:
        for name in ("posting", "posting-2") * ROUNDS:
            target = running.accepted + 40
            eventually(lambda target=target: running.accepted >= target)
            stack.restart(name)
            assert_heartbeats(stack, {*WORKERS, "posting-2"})
    assert shown(running.done).longest_until_final < WORKER_GRACE_SECONDS
