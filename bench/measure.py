"""The measurements: over HTTP at full and half load, reads, posting alone; each checked afterwards."""

import multiprocessing
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import text

import logs
import settings
from bench import bulk, load, world
from bench.cost import Meter
from bench.load import Outcome, Plan
from bench.report import percentile, ratio
from bench.stack import Product
from bench.world import User, World
from models.payment import NewPayment
from models.session import open_engine
from workers.posting.poster import LANES, Poster

T = TypeVar("T")

DRAINED_SECONDS_MAX = 600
"""A backlog not posted within this time is an error: payments are stuck."""

POLL_SECONDS = 0.1
WARM_UP_SECONDS = 1.0
ACCEPTED = 202
BULKS_A_SECOND = 6
"""Bulks of a thousand lines sent for each second of a window: enough that starting and stopping do not count."""
REQUESTS = 20_000
"""Different requests prepared for a run; sent again with new keys when all have been sent."""


class BenchError(RuntimeError):
    """A run whose measurement is invalid."""


@dataclass
class Bench:
    """The common state of all measurements; `amiss` collects the errors found by the checks, by run."""

    stack: Product
    world: World
    seconds: float
    chance: random.Random = field(default_factory=lambda: random.Random(20))
    amiss: dict[str, list[str]] = field(default_factory=dict)
    final: list[tuple[str, str]] = field(default_factory=list)
    """Final payments of the last run, each with its creator's token."""
    is_quick: bool = False
    """A smoke test prepares fewer requests, and has the books checked once, after its last run."""
    checks_last: bool = False
    """The books are checked after the last run only: a long history takes minutes."""

    @property
    def requests(self) -> int:
        """The number of different requests that are prepared for a run."""
        return REQUESTS // 50 if self.is_quick else REQUESTS

    @property
    def warm_up(self) -> float:
        """Seconds before each window: a second, or less in a smoke test."""
        return min(WARM_UP_SECONDS, self.seconds)

    def over_http(self, connections: int) -> dict[str, float]:
        """Full load, then half of what it completed: rates a second and latencies in ms."""
        figures = self.full_load(connections)
        half = self._load("half", connections, half_of(figures[f"completed_{connections}"]))
        half.pop("completed")
        return figures | half

    def full_load(self, connections: int) -> dict[str, float]:
        """The rates a second and latencies in ms of as many requests as are answered."""
        figures = self._load("full", connections, None)
        figures[f"completed_{connections}"] = figures.pop("completed")
        return figures

    def _load(self, kind: str, connections: int, rate: float | None) -> dict[str, float]:
        figures = self.submits(f"{kind} load, {connections} connections", connections, rate)
        completed = {"completed": figures.pop("completed")}
        return completed | {f"{kind}_{connections}_{name}": value for name, value in figures.items()}

    def reads(self, connections: int = 8) -> dict[str, float]:
        """GETs per second of final payments, each by its creator, and the CPU of one."""
        sample = self.chance.choices(self.final, k=self.requests // 2)
        requests = [load.get(f"/v1/payments/{payment_id}", token) for payment_id, token in sample]
        begun = self.stack.cpu_seconds()
        outcome = load.generate(Plan(self.stack.address, requests, connections, self.seconds, self.warm_up))
        cpu = self.cpu_since(begun, len(outcome.status))
        self.note("reads", other_answers(outcome, 200))
        return {"reads": outcome.per_second()} | {f"reads_{name}": value for name, value in cpu.items()}

    def bulks(self, merchant: User) -> dict[str, float]:
        """Lines of bulk charges per second: accepted, and COMPLETED from the first request until the last is posted."""
        orders = bulk.bodies(self.world, max(2, int(self.seconds * BULKS_A_SECOND)), self.chance)
        with Meter(self.stack) as meter:
            statuses, begun, answered, cpu = self._apart(bulk.send, self.stack.address, merchant.token, orders)
            self.wait_until_posted()
            ended = time.time()
            meter.stop()
        self.note("bulks", [f"{count} answers {status}" for status, count in statuses.items() if status != ACCEPTED])
        self.check_books("bulks")
        lines = statuses[ACCEPTED] * bulk.LINES
        rates = {"bulk_accepted": lines / (answered - begun), "bulk": lines / (ended - begun)}
        return rates | {f"bulk_{name}": value for name, value in meter.per(lines, {"load": cpu}).items()}

    def posting(self, run: str, payments: Sequence[NewPayment]) -> float:
        """Payments per second that one poster posts from a backlog."""
        return self.posting_costs(run, payments)["per_second"]

    def posting_costs(self, run: str, payments: Sequence[NewPayment], lanes: int = LANES) -> dict[str, float]:
        """Payments per second that one poster posts from a backlog, and what each costs."""
        world.submit(self.stack.engine(settings.GATEWAY_ROLE), payments)
        with Meter(self.stack) as meter:
            posted, seconds, cpu = self._apart(drain, self.stack.url_of(settings.WORKER_ROLE), lanes)
            meter.stop()
        if posted != len(payments):
            raise BenchError(f"{posted} payments were posted where {len(payments)} waited")
        self.check_books(run)
        costs = meter.per(posted, {"posting": cpu})
        return {"per_second": posted / seconds} | costs

    def _apart(self, function: Callable[..., T], *arguments: object) -> T:
        """The result of the function, run in a fresh interpreter; in a smoke test in that which makes the load."""
        if self.is_quick:
            return load.process().submit(function, *arguments).result()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()

    def check_books(self, run: str) -> None:
        """The invariants, and that every payment whose time has come is COMPLETED and none parked."""
        if self.is_quick or self.checks_last:
            self.note(run, [])
        else:
            self._check(run)

    def check_unchecked(self) -> None:
        """Check the books after the last run, if they were left for the end."""
        if self.is_quick or self.checks_last:
            self._check("all runs")

    def _check(self, run: str) -> None:
        with self.stack.engine().connect() as connection:
            rows = connection.execute(NOT_COMPLETED).all()
        found = self.stack.violations()
        self.note(run, found + [f"{count} payments {state}, parked: {parked}" for state, parked, count in rows])

    def wait_until_posted(self) -> None:
        """Return when no payment waits any more; raises BenchError if some wait for too long."""
        deadline = time.monotonic() + DRAINED_SECONDS_MAX
        with self.stack.engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            while connection.scalar(WAITING):
                if time.monotonic() > deadline:
                    raise BenchError(f"payments still wait after {DRAINED_SECONDS_MAX} s")
                time.sleep(POLL_SECONDS)

    def note(self, run: str, found: list[str]) -> None:
        """Record the errors found after a run, also an empty list."""
        self.amiss.setdefault(run, []).extend(found)

    def submits(self, run: str, connections: int, rate: float | None, *, may_refuse: bool = False) -> dict[str, float]:
        """POSTs at full load or at this rate: rates a second, latencies in ms; a refusal is amiss unless it may be."""
        requests, tokens = self.world.posts(self.requests, self.chance)
        since = self.now()
        with Meter(self.stack) as meter:
            outcome = load.generate(Plan(self.stack.address, requests, connections, self.seconds, self.warm_up, rate))
            self.wait_until_posted()
            meter.stop()
        finalized = self.finalized_since(since)
        refused = [] if may_refuse else other_answers(outcome, ACCEPTED)
        self.note(run, refused + lost_or_doubled(outcome, finalized, ACCEPTED))
        self.check_books(run)
        self.final = [(id, tokens[which]) for id, which in zip(outcome.ids, outcome.which, strict=True) if id]
        submits = sorted(outcome.latencies())
        waits = sorted(
            finalized[outcome.ids[n]] - outcome.sent[n] for n in outcome.in_window() if outcome.ids[n] in finalized
        )
        in_window = sum(outcome.opened <= at < outcome.closed for at in finalized.values())
        return {
            "completed": in_window / self.seconds,
            "orders": len(outcome.ids),
            "refused": len(outcome.ids) - outcome.statuses[ACCEPTED],
            "submitted": outcome.per_second(),
            "submit_p50": percentile(submits, 50) * 1000,
            "submit_p99": percentile(submits, 99) * 1000,
            "completed_p50": percentile(waits, 50) * 1000,
            "completed_p99": percentile(waits, 99) * 1000,
        } | meter.per(len(outcome.ids), {"load": outcome.cpu_seconds})

    def cpu_since(self, begun: Mapping[str, float], requests: int) -> dict[str, float]:
        """CPU us a request that each part of the product has used since then."""
        spent = {name: seconds - begun[name] for name, seconds in self.stack.cpu_seconds().items()}
        return {f"cpu_{name}": ratio(seconds * 1_000_000, requests) for name, seconds in spent.items()}

    def now(self) -> datetime:
        """The time of the database."""
        with self.stack.engine().connect() as connection:
            return connection.scalar(text("SELECT now()"))

    def finalized_since(self, since: datetime) -> dict[str, float]:
        """Once nothing waits: when each payment made since then became final, in seconds of the epoch."""
        self.wait_until_posted()
        with self.stack.engine().connect() as connection:
            return {row[0]: row[1] for row in connection.execute(FINALIZED, {"since": since})}


def half_of(rate: float) -> float:
    """Half of a rate a second; one at least, since no rate means full load."""
    return max(1.0, rate / 2)


def other_answers(outcome: Outcome, expected: int) -> list[str]:
    """The answers that were not as expected, counted."""
    return [f"{count} answers {status}" for status, count in outcome.statuses.items() if status != expected]


def lost_or_doubled(outcome: Outcome, finalized: dict[str, float], expected: int) -> list[str]:
    """The differences between the payments that were answered as expected and those in the table."""
    accepted = {id for id, status in zip(outcome.ids, outcome.status, strict=True) if status == expected}
    differences = {
        "accepted, but not in the table": len(accepted - finalized.keys()),
        "in the table, but not accepted": len(finalized.keys() - accepted),
        "ids answered twice": sum(status == expected for status in outcome.status) - len(accepted),
    }
    return [f"{count} payments {what}" for what, count in differences.items() if count]


def drain(worker_url: str, lanes: int) -> tuple[int, float, float]:
    """Post until nothing is due; returns how many payments, in how many seconds, and in how many of CPU."""
    logs.configure("WARNING")
    poster = Poster(open_engine(worker_url), deposits_open=False, linger_seconds=0, lanes=lanes)
    begun, cpu_begun = time.monotonic(), time.process_time()
    posted, _ = poster.drain(DRAINED_SECONDS_MAX)
    return posted, time.monotonic() - begun, time.process_time() - cpu_begun


WAITING = text("""
    SELECT EXISTS (SELECT FROM payments
                   WHERE state = 'INITIATED' AND parked_at IS NULL AND (due_at <= now() OR attempts > 0))
""")
FINALIZED = text("""
    SELECT id::text, extract(epoch FROM finalized_at)::float FROM payments
    WHERE id >= uuid_floor(:since) AND created_at >= :since AND finalized_at IS NOT NULL
""")
NOT_COMPLETED = text("""
    SELECT state, parked_at IS NOT NULL, count(*) FROM payments
    WHERE (state <> 'COMPLETED' OR parked_at IS NOT NULL)
      AND NOT (state = 'INITIATED' AND attempts = 0 AND due_at > now())
    GROUP BY 1, 2
""")
