"""What a long history costs: the product with many payments in its tables beside the same with none, in turns.

Each is a stack on servers of its own. Ratios are taken within a round: those of CPU hold on a busy machine, too.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import text

import settings
from bench import history, world
from bench.measure import Bench
from bench.report import COSTS, LONG_HISTORY, Round, median, ratio, shown, table
from models import webhook_queue
from models.session import transaction
from workers import final_counts

EMPTY, FULL = "empty", "full"
CONNECTIONS = 32
GOAL, STRETCH_GOAL = 0.9, 1.0
EVENTS_AT_ONCE = 5_000

RATES = {
    "end to end, 32 connections, COMPLETED/s": f"completed_{CONNECTIONS}",
    "posting alone, payments/s": "posting_per_second",
}
PER_PAYMENT = {
    f"{load}, a payment: {title}": f"{run}_{name}"
    for load, run in (("end to end, 32 connections", f"full_{CONNECTIONS}"), ("posting alone", "posting"))
    for title, name, _ in (("CPU of all", "cpu", ""), *COSTS)
    if (run, name) != ("posting", "cpu_load")
}
"""What a payment costs, where less is better."""

Pair = Mapping[str, Round]
"""The figures of one round, with empty tables and after a history."""


def fill(bench: Bench, payments: int) -> None:
    """Fund the accounts, write so many payments, and start the product once all of it is read and on the disk."""
    bench.posting("funding", bench.world.deposits())
    history.write(bench.stack.engine(), bench.world, payments)
    read_events(bench)
    with bench.stack.superuser_engine().connect() as connection:
        connection.execute(text("CHECKPOINT"))


def read_events(bench: Bench) -> None:
    """Count payments and find deliveries up to the newest event: workers would have, while the history happened."""
    worker = bench.stack.engine(settings.WORKER_ROLE)
    while final_counts.count_up(worker):
        pass
    events = EVENTS_AT_ONCE
    while events:
        with transaction(worker) as connection:
            events = webhook_queue.fan_out(connection, EVENTS_AT_ONCE)


def order(number: int) -> tuple[str, str]:
    """Who is measured first changes with each round."""
    return (EMPTY, FULL) if number % 2 else (FULL, EMPTY)


def one_turn(bench: Bench, posting: int) -> dict[str, float]:
    """The figures of one product, at full load over HTTP and from a backlog of `posting` payments."""
    figures = bench.full_load(CONNECTIONS)
    with bench.stack.posting_stopped():
        costs = bench.posting_costs("posting", bench.world.spread(posting, bench.chance))
    world.submit(bench.stack.engine(settings.GATEWAY_ROLE), bench.world.spread(1, bench.chance))
    bench.wait_until_posted()  # by posters that are up: starting is not part of the next turn
    figures |= {f"posting_{name}": value for name, value in costs.items()}
    for run in (f"full_{CONNECTIONS}", "posting"):
        figures[f"{run}_cpu"] = sum(value for name, value in figures.items() if name.startswith(f"{run}_cpu_"))
    return figures


def render(pairs: Sequence[Pair], payments: int, facts: Mapping[str, str], amiss: Mapping[str, Sequence[str]]) -> str:
    """The section in Markdown."""
    parts = [
        LONG_HISTORY,
        f"Rounds in one run: {len(pairs)} (`python -m bench --long`), {payments:,} payments in the tables beside "
        "none, each in a stack of its own. Ratios are taken within a round; the order changes with each.",
        table(["measured on", ""], [[name, value] for name, value in facts.items()]),
        table(
            ["figure", "empty", "full", "full / empty, round by round", "median", f"goal {GOAL}, {STRETCH_GOAL}"],
            [[*row(title, name, pairs), verdict(name, pairs)] for title, name in RATES.items()],
        ),
        "What a payment costs, where below 1 is better:",
        table(
            ["figure", "empty", "full", "full / empty, round by round", "median"],
            [row(title, name, pairs) for title, name in PER_PAYMENT.items()],
        ),
        table(["after", "violations"], [[run, "; ".join(found) or "nothing"] for run, found in amiss.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def row(title: str, name: str, pairs: Sequence[Pair]) -> list[str]:
    """Medians of both, the ratio of each round, and their median."""
    middles = [shown(median([pair[side][name] for pair in pairs])) for side in (EMPTY, FULL)]
    ratios = ratios_of(name, pairs)
    return [title, *middles, ", ".join(f"{value:.2f}" for value in ratios), f"{median(ratios):.2f}"]


def verdict(name: str, pairs: Sequence[Pair]) -> str:
    """Which of both goals a rate reaches."""
    reached = median(ratios_of(name, pairs))
    return "yes, the stretch goal" if reached >= STRETCH_GOAL else "yes" if reached >= GOAL else "no"


def ratios_of(name: str, pairs: Sequence[Pair]) -> list[float]:
    """The figure after a history over that with empty tables, of each round."""
    return [ratio(pair[FULL][name], pair[EMPTY][name]) for pair in pairs]
