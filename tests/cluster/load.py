"""Orders that come all the time, each sent again by its key until it is accepted; and what became of them."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import click

from embedded.stack import Stack
from tests.e2e.state_machine.audit import reckon, scalar, wait_until_decided
from tests.e2e.state_machine.users import ACCEPTED, Answer, Order, StackUsers
from tests.stacks import DECIDED_SECONDS_MAX

AGAIN_SECONDS = 0.05
INSIST_SECONDS_MAX = 120
THREADS = 8

LONGEST_UNTIL_FINAL = """
SELECT coalesce(max(extract(epoch FROM p.finalized_at - p.created_at)), 0)::float
FROM payments p JOIN idempotency_keys k ON k.payment_id = p.id WHERE k.key = ANY('{{{keys}}}')
"""


_pause = threading.Event()


class Insistence(NamedTuple):
    """The last answer to an order, the statuses of the refusals before it (0: none came), and all the time taken."""

    answer: Answer
    refusals: list[int]
    seconds: float


class Figures(NamedTuple):
    """What a scenario prints; seconds are of the slowest order."""

    accepted: int
    final: int
    lost: int
    doubled: int
    refused: int
    longest_refusal: float
    longest_answer: float
    longest_until_final: float

    def __str__(self) -> str:
        told = self._asdict().items()
        return ", ".join(f"{name.replace('_', ' ')} {f'{v:.2f} s' if 'longest' in name else v}" for name, v in told)


Shown = Callable[[list[Insistence]], Figures]


def insist(users: StackUsers, order: Order) -> Insistence:
    """Submit the order until it is accepted."""
    began = time.monotonic()
    refusals: list[int] = []
    while (answer := users.connection.submit(order)).status != ACCEPTED:
        refusals.append(answer.status)
        assert time.monotonic() - began < INSIST_SECONDS_MAX, f"never accepted: {refusals[-1]}, {answer.body}"
        _pause.wait(AGAIN_SECONDS)
    return Insistence(answer, refusals, time.monotonic() - began)


class Load:
    """Orders of a running load; `done` after its block."""

    def __init__(self, users: StackUsers, per_second: float) -> None:
        self._users = users
        self._pause = 1 / per_second
        self._orders = iter(users.mixed(100_000))
        self.ends = threading.Event()
        self._futures: list[Future[Insistence]] = []
        self.done: list[Insistence] = []

    def run(self, pool: ThreadPoolExecutor) -> None:
        """Submit until the end; a late answer delays no other order as long as a thread is free."""
        due = time.monotonic()
        while not self.ends.wait(max(0.0, due - time.monotonic())):
            due += self._pause
            self._futures.append(pool.submit(insist, self._users, next(self._orders)))

    def collect(self) -> None:
        """Wait for the last ones."""
        self.done = [future.result() for future in self._futures]

    @property
    def accepted(self) -> int:
        """So far."""
        return sum(future.done() for future in self._futures)


@contextmanager
def load(users: StackUsers, per_second: float = 60) -> Iterator[Load]:
    """Submit so many orders a second within the block, and insist on each."""
    running = Load(users, per_second)
    with ThreadPoolExecutor(THREADS) as pool, ThreadPoolExecutor(1) as clock:
        ticking = clock.submit(running.run, pool)
        try:
            yield running
        finally:
            running.ends.set()
            ticking.result()
            running.collect()


def figures(stack: Stack, name: str, done: list[Insistence]) -> Figures:
    """Wait until all is decided, and print what became of the orders; nothing is lost and nothing doubled."""
    wait_until_decided(stack, DECIDED_SECONDS_MAX)
    found = reckon(stack, [each.answer for each in done])
    keys = ",".join(each.answer.order.key for each in done)
    told = Figures(
        accepted=found.accepted,
        final=found.completed + found.failed,
        lost=found.lost,
        doubled=found.doubled,
        refused=sum(len(each.refusals) for each in done),
        longest_refusal=max((each.seconds for each in done if each.refusals), default=0.0),
        longest_answer=max(each.answer.seconds for each in done),
        longest_until_final=scalar(stack, LONGEST_UNTIL_FINAL.format(keys=keys)),
    )
    click.echo(f"\n{name}: {told}")
    assert (told.lost, told.doubled) == (0, 0)
    assert told.accepted == told.final == len(done)
    return told
