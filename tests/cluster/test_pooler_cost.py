"""What DATABASE_POOLER=transaction costs: CPU of a payment with plans, without, and through PgBouncer, in turns."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import click
import psutil
import pytest

from embedded.home import Home
from embedded.postgres import Postgres
from models.session import open_engine
from tests.builders import Builder
from tests.cluster.pgbouncer import PgBouncer
from tests.support import Database

pytestmark = pytest.mark.slow
ROUNDS = 5
PAYMENTS = 1_000
GROUPS = (1, 8)
"""Payments that a gateway stores by one commit: alone, and under some load."""

ARMS = ("prepared", "unprepared", "through PgBouncer")


@pytest.fixture
def pgbouncer(home: Home, postgres: Postgres) -> Iterator[PgBouncer]:
    pgbouncer = PgBouncer(home, postgres)
    pgbouncer.start()
    yield pgbouncer
    pgbouncer.stop()


def builder_of(database: Database, pgbouncer: PgBouncer, arm: str) -> Builder:
    builder = Builder.of(database)
    if arm != ARMS[0]:
        urls = [pgbouncer.url(url) if arm == ARMS[2] else url for url in (database.worker, database.gateway)]
        builder.worker, builder.gateway = (open_engine(url, keeps_plans=False) for url in urls)
    return builder


def cpu_of(pid: int) -> float:
    """Seconds that the process has run so far; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:  # noqa: PTH123 - a file of the kernel
            return int(file.read().split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0


def children(postgres: Postgres) -> list[int]:
    return [child.pid for child in psutil.Process(postgres.pid).children()]


class CpuTime(dict[str, float]):
    """Seconds of each part within the block."""


@contextmanager
def measured(postgres: Postgres, pgbouncer: PgBouncer) -> Iterator[CpuTime]:
    parts = {"postgres": children(postgres), "pgbouncer": [pgbouncer.process.pid]}
    before = {pid: cpu_of(pid) for pids in parts.values() for pid in pids}
    own, used = resource.getrusage(resource.RUSAGE_SELF), CpuTime()
    yield used
    parts["postgres"] = children(postgres)
    used |= {part: sum(cpu_of(pid) - before.get(pid, 0.0) for pid in pids) for part, pids in parts.items()}
    ended = resource.getrusage(resource.RUSAGE_SELF)
    used["python"] = ended.ru_utime + ended.ru_stime - own.ru_utime - own.ru_stime


def pay(builder: Builder, group: int, user: str, source: str, target: str) -> None:
    for _ in range(PAYMENTS // group):
        builder.accept(*(builder.new_payment("transfer", user, source, target, 1) for _ in range(group)))
    assert builder.post_payments() == PAYMENTS


@pytest.mark.parametrize("group", GROUPS)
def test_the_cost_of_a_payment(
    postgres: Postgres, pgbouncer: PgBouncer, fresh_database: Database, capsys: pytest.CaptureFixture[str], group: int
) -> None:
    builders = {arm: builder_of(fresh_database, pgbouncer, arm) for arm in ARMS}
    users = {arm: builder.client(10**9) for arm, builder in builders.items()}
    targets = {arm: builder.wallet(builder.user()) for arm, builder in builders.items()}
    used: dict[str, list[CpuTime]] = {arm: [] for arm in ARMS}
    for number in range(ROUNDS + 1):
        for arm, builder in builders.items():
            with measured(postgres, pgbouncer) as cpu:
                pay(builder, group, *users[arm], targets[arm])
            if number:  # the first round opens connections and prepares
                used[arm].append(cpu)
    with capsys.disabled():
        click.echo(f"\nCPU of a payment, {group} a commit")
        for arm, rounds in used.items():
            figures = {part: median(cpu[part] for cpu in rounds) / PAYMENTS * 1e6 for part in rounds[0]}
            click.echo(f"{arm}: " + ", ".join(f"{part} {figure:.0f} us" for part, figure in figures.items()))
    assert all(cpu["pgbouncer"] > 0 for cpu in used[ARMS[2]])
