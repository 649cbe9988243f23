"""A replica under load: lists have what their client wrote, while the replica is killed, lags, and returns."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import httpx
import pytest
from payments_client import Client

from embedded import home as homes
from embedded.stack import Stack
from tests.cluster.load import figures, load
from tests.e2e.state_machine.users import Person, StackUsers
from tests.replicas import Replica
from tests.stacks import UNLIMITED
from tests.support import begin_with, charge_commission, eventually, memory

pytestmark = pytest.mark.slow
READERS = 3
READS = 60
"""At least so many in each step."""

PER_SECOND = 20
PAUSE_SECONDS = 0.05


class Read(NamedTuple):
    """Whether the list had what was just ordered, and how long it took."""

    has_it: bool
    seconds: float


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[tuple[Stack, Replica]]:
    with homes.temporary(memory() or homes.SHARED) as home:
        begin_with(migrated, home.path)
        stack = Stack(home, environ=UNLIMITED | {"STACK_SHAPE": "separate"})
        replica = Replica(stack.postgres)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=0)
            replica.start()
            environ = stack.processes["gateway"].environ
            environ["DATABASE_REPLICA_URL"] = replica.url(environ["GATEWAY_DATABASE_URL"])
            stack.start_processes()
            yield stack, replica
        finally:
            stack.stop()
            replica.stop()


@contextmanager
def reading(stack: Stack, users: StackUsers) -> Iterator[list[Read]]:
    """Order and list what was ordered, again and again, each client for itself, until the end of the block."""
    reads: list[Read] = []
    ends = threading.Event()

    def read(person: Person) -> None:
        with Client(stack.url, person.token) as client:
            while not ends.wait(PAUSE_SECONDS):
                ordered = client.deposits.create(wallet=person.wallet, amount="0.01", currency="EUR", source="wire")
                began = time.monotonic()
                listed = client.payments.list(limit=100).page().data
                reads.append(Read(ordered.id in {payment.id for payment in listed}, time.monotonic() - began))

    with ThreadPoolExecutor(READERS) as pool:
        running = [pool.submit(read, person) for person in users.clients[:READERS]]
        try:
            yield reads
        finally:
            ends.set()
            for each in running:
                each.result()


def places(stack: Stack) -> dict[str, int]:
    """How many reads went where so far, by place and reason."""
    answer = httpx.get(stack.metrics_urls["gateway"], headers={"Authorization": f"Bearer {stack.metrics_token}"})
    found = re.findall(r'^payments_reads_total\{place="(\w+)",reason="(\w+)"\} (\S+)', answer.text, re.M)
    return {f"{place} {reason}": int(float(number)) for place, reason, number in found}


def test_lists_have_what_was_ordered_whatever_becomes_of_the_replica(stack: tuple[Stack, Replica]) -> None:
    primary, replica = stack
    users = StackUsers(primary, clients=READERS + 3, funds="1000.00")
    steps: dict[str, Callable[[], object]] = {
        "follows": lambda: None,
        "replays nothing": replica.pause,
        "follows again": replica.resume,
        "is killed": replica.process.kill,
        "is back": lambda: (replica.stop(), replica.start()),
    }
    with load(users, per_second=PER_SECOND) as orders, reading(primary, users) as reads:
        for name, step in steps.items():
            step()
            begun, before = len(reads), places(primary)
            eventually(lambda begun=begun: len(reads) >= begun + READS)
            done, now = reads[begun:], places(primary)
            went = {place: number - before[place] for place, number in now.items() if number > before[place]}
            missed, slowest = sum(not read.has_it for read in done), max(read.seconds for read in done)
            click.echo(
                f"\nreplica {name}: {len(done)} lists, {missed} missed something, slowest {slowest:.2f} s, {went}"
            )
            assert missed == 0
            where = "primary" if name in ("replays nothing", "is killed") else "replica"
            eventually(lambda before=before, where=where: has_grown(where, before, places(primary)))
    figures(primary, "orders meanwhile", orders.done)
    users.close()


def has_grown(place: str, before: dict[str, int], now: dict[str, int]) -> bool:
    return any(number > before[name] for name, number in now.items() if name.startswith(place))
