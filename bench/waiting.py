"""The measurement of waiting: how soon a client learns a payment's outcome, and the cost of a thousand waiters."""

import statistics
import time
from collections.abc import Sequence

from sqlalchemy import text

import settings
from bench import waiters, world
from bench.load import Plan
from bench.measure import Bench, BenchError, half_of, lost_or_doubled, other_answers
from bench.notification_latency import WAYS, learn
from bench.report import percentile, ratio
from bench.stack import Stack
from bench.waiters import Payment
from models import payment, pg_arrays
from models.session import transaction

LOADS = (8, 32)
"""Connections that each order again once they have the outcome; half of the rate they complete is the load."""

LINES_MAX = 4_000
"""The most connections opened at half load: a way that takes a second has the orders of a second under way."""

WARM_UP_SECONDS = 2.0
"""A way that takes a second has reached its full rate by then."""

CONNECTIONS = 8
"""Connections that submit while others wait."""

SETTLE_SECONDS_MAX = 180.0
SETTLED_CPU = 0.05
"""CPU seconds per second: a gateway that uses no more has accepted all waiters."""

IDLE_SECONDS = 4.0


def one_round(running: Stack, bench: Bench, count: int) -> dict[str, float]:
    """All figures once: every way in turn, then `count` waiters of each kind on a fresh gateway of one process.

    In a smoke test there is one load, and one such gateway for all kinds.
    """
    world.submit(running.engine(settings.GATEWAY_ROLE), bench.world.spread(1, bench.chance))
    bench.wait_until_posted()  # by posters that have just been started, and would keep the first waiters waiting
    figures = {}
    for connections in LOADS[:1] if bench.is_quick else LOADS:
        figures |= ways(running, bench, connections)
    for kinds in [list(waiters.KINDS)] if bench.is_quick else [[kind] for kind in waiters.KINDS]:
        with running.one_gateway_process():
            for kind in kinds:
                figures |= measure_waiters(running, bench, kind, count)
    return figures


def ways(running: Stack, bench: Bench, connections: int) -> dict[str, float]:
    """All ways at half of the rate that this number of connections completes, each of which waits for its 201."""
    full = one_way(running, bench, f"full load, {connections} connections, wait", "wait", connections, None)
    figures = {f"full_{connections}_{name}": value for name, value in full.items()}
    for way in WAYS:
        rate = half_of(full["per_second"])
        half = one_way(running, bench, f"half load of {connections}, {way}", way, LINES_MAX, rate)
        figures |= {f"{way}_{connections}_{name}": value for name, value in half.items()}
    return figures


def one_way(running: Stack, bench: Bench, run: str, way: str, connections: int, rate: float | None) -> dict[str, float]:
    """Payments per second with a known outcome, the ms until then, and the CPU of each in us."""
    requests, tokens = bench.world.posts(bench.requests, bench.chance, *WAYS[way].order_headers)
    since, begun = bench.now(), running.cpu_seconds()
    outcome = learn(
        Plan(running.address, requests, connections, bench.seconds, min(WARM_UP_SECONDS, bench.seconds), rate),
        way,
        tokens,
    )
    finalized = bench.finalized_since(since)
    cpu = bench.cpu_since(begun, len(outcome.ids))
    expected = WAYS[way].status
    bench.note(run, other_answers(outcome, expected) + lost_or_doubled(outcome, finalized, expected))
    bench.check_books(run)
    known = sorted(outcome.latencies())
    return {
        "per_second": outcome.per_second(),
        "p50": percentile(known, 50) * 1000,
        "p99": percentile(known, 99) * 1000,
    } | cpu


def measure_waiters(running: Stack, bench: Bench, kind: str, count: int) -> dict[str, float]:
    """The cost of `count` waiters of this kind for submitting clients and the gateway, and their time to an answer."""
    before = submitting(running, bench, f"before {kind}")
    alone = idle(running, bench.seconds)
    payments = open_payments(bench, count)
    with waiters.held(running.address, kind, payments) as held:
        held.wait_open()
        settle(running)
        among = idle(running, bench.seconds)
        loaded = submitting(running, bench, f"with {count:,} {kind}", before["rate"])
        if not held.are_held():
            held.ended()
            raise BenchError(f"{kind} ended before their payments did")
        end(bench, payments)
        ended = held.ended()
    finalized = when_final(bench, payments)
    known = sorted(at - finalized[id] for id, at in ended.items())
    after = submitting(running, bench, f"after {kind}", before["rate"])
    without = {name: statistics.mean([before[name], after[name]]) for name in before}
    return {
        **{f"{kind}_without_{name}": value for name, value in (alone | without).items()},
        **{f"{kind}_with_{name}": value for name, value in (among | loaded).items()},
        f"{kind}_memory_kb": (among["memory_mb"] - alone["memory_mb"]) * 1_000 / count,
        f"{kind}_known_p50": percentile(known, 50) * 1000,
        f"{kind}_known_p99": percentile(known, 99) * 1000,
    }


def submitting(running: Stack, bench: Bench, run: str, rate: float | None = None) -> dict[str, float]:
    """Full load, then `rate` orders a second, by default half of what was just submitted."""
    full = bench.submits(f"{run}, full load", CONNECTIONS, None)
    rate = rate or half_of(full["submitted"])
    spent = running.cpu_seconds()["gateway"]
    half = bench.submits(f"{run}, half load", CONNECTIONS, rate)
    spent = running.cpu_seconds()["gateway"] - spent
    figures = {"rate": rate, "cpu_an_order": ratio(spent, half["orders"]) * 1_000_000}
    for load, submitted in (("full", full), ("half", half)):
        figures |= {f"{load}_{name}": submitted[name] for name in ("submitted", "submit_p50", "submit_p99")}
    return figures


def settle(running: Stack) -> None:
    """Return once the gateway has accepted all waiters; raises BenchError."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    used, before = 1.0, running.cpu_seconds()["gateway"]
    while used > SETTLED_CPU:
        if time.monotonic() > deadline:
            raise BenchError(f"the gateway did not come to rest within {SETTLE_SECONDS_MAX:.0f} s")
        time.sleep(1)
        now = running.cpu_seconds()["gateway"]
        used, before = now - before, now


def idle(running: Stack, seconds: float) -> dict[str, float]:
    """The resources used without any request: ms of CPU a second, memory, connections to the database."""
    before, begun = running.cpu_seconds(), time.monotonic()
    time.sleep(min(IDLE_SECONDS, seconds))
    spent = {name: seconds - before[name] for name, seconds in running.cpu_seconds().items()}
    elapsed = time.monotonic() - begun
    with running.engine().connect() as connection:
        lines = connection.scalar(LINES_OF_GATEWAY, {"role": settings.GATEWAY_ROLE})
    return {
        "cpu_gateway": spent["gateway"] / elapsed * 1000,
        "cpu_postgres": spent["postgres"] / elapsed * 1000,
        "memory_mb": running.pss_mb()["gateway"],
        "lines": lines,
    }


def open_payments(bench: Bench, count: int) -> list[Payment]:
    """This number of transfers that stay INITIATED until `end`, each with the token of its creator."""
    tokens = {account.owner.id: account.owner.token for account in bench.world.accounts}
    transfers = bench.world.spread(count, bench.chance)
    with transaction(bench.stack.engine()) as connection:
        payment.accept(connection, transfers)
        connection.execute(PUT_OFF, {"ids": pg_arrays.plain(transfer.id for transfer in transfers), "wait": "1 day"})
    return [(transfer.id, tokens[transfer.user_id]) for transfer in transfers]


def end(bench: Bench, payments: Sequence[Payment]) -> None:
    """Let them be posted by the next sweep."""
    with transaction(bench.stack.engine()) as connection:
        connection.execute(PUT_OFF, {"ids": pg_arrays.plain(id for id, _ in payments), "wait": "0"})


def when_final(bench: Bench, payments: Sequence[Payment]) -> dict[str, float]:
    """The time at which each was written as final, just before its commit, in seconds of the epoch."""
    with bench.stack.engine().connect() as connection:
        rows = connection.execute(WHEN_FINAL, {"ids": pg_arrays.plain(id for id, _ in payments)})
        return {row[0]: row[1] for row in rows}


PUT_OFF = text("""
    UPDATE payments SET due_at = now() + CAST(:wait AS interval) WHERE id = ANY (CAST(:ids AS uuid[]))
""")
WHEN_FINAL = text("""
    SELECT id::text, extract(epoch FROM finalized_at)::float FROM payments
    WHERE id = ANY (CAST(:ids AS uuid[])) AND finalized_at IS NOT NULL
""")
LINES_OF_GATEWAY = text("SELECT count(*) FROM pg_stat_activity WHERE usename = :role")
