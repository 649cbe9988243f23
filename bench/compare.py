"""`python -m bench --against REV`: this checkout beside another commit, in turns, each turn on fresh servers.

Both are driven over HTTP by this checkout's load generator in the same world; of the other commit nothing is
needed but what `bench/host.py` uses. Ratios are taken within a round; the order changes with each round.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

import settings
from bench import report, stack, world
from bench.measure import Bench, BenchError
from bench.report import Round, table
from bench.stack import Product
from bench.world import User
from embedded.home import CHECKOUT, temporary_directory
from models import pg_arrays
from models.payment import NewPayment
from models.session import transaction

CONNECTIONS = (8, 32)
CLIENTS = 20
QUIET_SECONDS = 2.0
STOP_SECONDS_MAX = 120
SLOWER_MAX = 0.15
"""The tolerated loss of rate against the other commit."""

OLD, NEW = "old", "new"
RATES = {
    "8 connections, COMPLETED/s": "completed_8",
    "32 connections, COMPLETED/s": "completed_32",
    "8 connections, GETs by id/s": "reads",
}
LATENCIES = {
    "8 connections, submit p50 ms": "full_8_submit_p50",
    "8 connections, submit p99 ms": "full_8_submit_p99",
    "32 connections, submit p50 ms": "full_32_submit_p50",
    "32 connections, submit p99 ms": "full_32_submit_p99",
}
CPU = {
    "8 connections, CPU us a payment": "full_8_cpu_product",
    "32 connections, CPU us a payment": "full_32_cpu_product",
    "8 connections, CPU us a GET": "reads_cpu_product",
}
"""CPU of all processes and servers, without the load generator: what can be compared on a busy machine, too."""

COSTS = {
    f"{connections} connections, a payment: {title}": f"full_{connections}_{name}"
    for connections in CONNECTIONS
    for title, name, _ in report.COSTS
}
"""What one payment costs by part, and its WAL."""

LOWER_IS_BETTER = LATENCIES | CPU | COSTS
Pair = Mapping[str, Round]
"""The figures of one round, of the old and the new commit."""


def compare(options: argparse.Namespace) -> tuple[str, dict[str, list[str]]]:
    """Measure; returns the section of the report, and the errors found by the checks, by run."""
    amiss: dict[str, list[str]] = {}
    pairs = []
    with worktree(options.against) as other:
        checkouts = {OLD: other, NEW: CHECKOUT}
        for number in range(1, options.rounds + 1):
            pair = {}
            for name in (OLD, NEW) if number % 2 else (NEW, OLD):
                pair[name] = one_turn(f"{name}, ", checkouts[name], options, amiss)
                said = ", ".join(f"{figure} {value:,.4g}" for figure, value in pair[name].items())
                print(f"round {number}, {name}: {said}", file=sys.stderr, flush=True)
            pairs.append(pair)
    facts = {
        "old": git("log", "-1", "--format=%h %s", options.against),
        "new": git("log", "-1", "--format=%h %s") + (", and changes since" if git("status", "--porcelain") else ""),
        "machine": report.processor(),
        "each window": f"{options.seconds:g} s, after 1 s to warm up; {options.accounts:,} wallets",
        "rate limits": report.limits(stack.ENVIRON),
    }
    return render(pairs, facts | ({"a smoke test": "its figures mean nothing"} if options.quick else {}), amiss), amiss


def one_turn(run: str, checkout: Path, options: argparse.Namespace, amiss: dict[str, list[str]]) -> dict[str, float]:
    """Measure one product, on servers created for it and stopped with it."""
    figures = {"busy_percent": psutil.cpu_percent(min(QUIET_SECONDS, options.seconds))}
    with hosted(checkout) as (product, clients, ops):
        people = world.make(product.engine(settings.GATEWAY_ROLE), clients, ops, options.accounts)
        bench = Bench(product, people, options.seconds, is_quick=options.quick)
        fund(product.engine(settings.GATEWAY_ROLE), people.deposits())
        bench.wait_until_posted()
        for connections in CONNECTIONS:
            figures |= bench.full_load(connections)
        figures |= bench.reads()
        bench.check_unchecked()
    for name, found in bench.amiss.items():
        amiss.setdefault(run + name, []).extend(found)
    return figures


def fund(gateway: Engine, deposits: Sequence[NewPayment]) -> None:
    """Accept the deposits by the columns that every commit knows: our own way to accept names later ones, too."""
    for some in world.batches(deposits):
        columns = {
            "ids": pg_arrays.plain(deposit.id for deposit in some),
            "users": pg_arrays.plain(deposit.user_id for deposit in some),
            "sources": pg_arrays.plain(deposit.source_id for deposit in some),
            "targets": pg_arrays.plain(deposit.target_id for deposit in some),
            "amounts": pg_arrays.plain(deposit.amount for deposit in some),
        }
        with transaction(gateway) as connection:
            connection.execute(FUND, columns | {"currency": world.CURRENCY, "fingerprint": world.FINGERPRINT})


FUND = text("""
    WITH deposit AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:users AS uuid[]), CAST(:sources AS uuid[]),
                             CAST(:targets AS uuid[]), CAST(:amounts AS numeric[]))
            AS deposit (id, user_id, source_id, target_id, amount)
    ), kept AS (
        INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
        SELECT user_id, 'bench-' || id, :fingerprint, id FROM deposit
    )
    INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency)
    SELECT id, 'deposit', user_id, source_id, target_id, amount, :currency FROM deposit
""")


@dataclass
class Hosted(Product):
    """A product run and checked by another checkout's code."""

    host: subprocess.Popen[str]
    pids: Mapping[str, int]

    def cpu_seconds(self) -> dict[str, float]:
        """CPU that each of the SPENDERS has used, and all its processes and servers together."""
        return stack.spent(self.pids) | {"product": stack.cpu_seconds_of(psutil.Process(self.host.pid))}

    def violations(self) -> list[str]:
        """The violated invariants, by that checkout's definition."""
        self.host.stdin.write("\n")
        self.host.stdin.flush()
        return json.loads(self.host.stdout.readline())


@contextmanager
def hosted(checkout: Path) -> Iterator[tuple[Product, list[User], User]]:
    """That checkout's product with clients and an ops of its own; raises BenchError if it does not start."""
    users = [{"email": f"client{n}@bench.example", "role": "client", "name": f"client{n}"} for n in range(CLIENTS)]
    users.append({"email": "ops@bench.example", "role": "ops", "name": "ops"})
    host = subprocess.Popen(
        [sys.executable, "-P", CHECKOUT / "bench" / "host.py"],
        cwd=checkout,
        env=os.environ | stack.ENVIRON | {"PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with host:
        try:
            host.stdin.write(json.dumps(users) + "\n")
            host.stdin.flush()
            said = host.stdout.readline()
            if not said:
                raise BenchError(f"the product in {checkout} did not start")
            bind, database_url, superuser_url, pids, people = json.loads(said)
            *clients, ops = [User(id, token) for id, token in people]
            yield Hosted(bind, database_url, superuser_url, host, pids), clients, ops
        finally:
            host.stdin.close()
            host.wait(STOP_SECONDS_MAX)


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """A worktree of that commit, removed afterwards."""
    with temporary_directory() as directory:
        git("worktree", "prune")  # of what a killed run left
        checkout = directory / "checkout"
        git("worktree", "add", "--quiet", "--detach", str(checkout), revision)
        try:
            yield checkout
        finally:
            git("worktree", "remove", "--force", str(checkout))


def git(*arguments: str) -> str:
    """Run git in this checkout and return its output; raises BenchError with its error message."""
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def render(pairs: Sequence[Pair], facts: Mapping[str, str], amiss: Mapping[str, Sequence[str]]) -> str:
    """The section of the report in Markdown."""
    parts = [
        report.COMPARISON,
        f"Rounds in one run: {len(pairs)} (`python -m bench --against`). Each turn on fresh servers, the same load "
        "generator and the same data for both; the order changes with each round. Single POSTs with token, "
        "idempotency key and the full contract, then GETs of final payments. Ratios are taken within a round: above 1, "
        "the new one does more.",
        table(["measured on", ""], [[name, value] for name, value in facts.items()]),
        table(
            ["figure", "old", "new", "new / old, round by round", "median", f"within {SLOWER_MAX:.0%}"],
            [row(title, name, pairs) for title, name in RATES.items()],
        ),
        "Latencies and costs, medians, where below 1 is better:",
        table(
            ["figure", "old", "new", "new / old, round by round", "median"],
            [row(title, name, pairs)[:-1] for title, name in LOWER_IS_BETTER.items()],
        ),
        table(
            ["round", "product", "machine busy before", *RATES, *LATENCIES, *CPU],
            [
                [str(number), product, f"{pair[product]['busy_percent']:.0f} %"]
                + [f"{pair[product][name]:,.4g}" for name in (*RATES.values(), *LATENCIES.values(), *CPU.values())]
                for number, pair in enumerate(pairs, 1)
                for product in pair
            ],
        ),
        table(["after", "violations"], [[run, "; ".join(found) or "nothing"] for run, found in amiss.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def row(title: str, name: str, pairs: Sequence[Pair]) -> list[str]:
    """Medians of both, the ratio of each round, their median, and whether a rate is within the limit."""
    old, new = ([pair[product][name] for pair in pairs] for product in (OLD, NEW))
    ratios = [report.ratio(after, before) for before, after in zip(old, new, strict=True)]
    median = report.median(ratios)
    middle = [f"{statistics.median(values):,.4g}" for values in (old, new)]
    verdict = "nothing to compare with" if math.isnan(median) else "yes" if median >= 1 - SLOWER_MAX else "NO"
    return [title, *middle, ", ".join(f"{ratio:.2f}" for ratio in ratios), f"{median:.2f}", verdict]
