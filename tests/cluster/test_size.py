"""What a payment with commission takes on disk and in the WAL, for the arithmetic of docs/scale.md."""

from collections.abc import Iterator
from pathlib import Path

import click
import psycopg2
import pytest

from embedded.postgres import DATABASE, SUPERUSER
from tests.cluster.load import load
from tests.cluster.stack import ClusterStack, new_cluster
from tests.e2e.state_machine.audit import wait_until_decided
from tests.e2e.state_machine.users import StackUsers
from tests.stacks import DECIDED_SECONDS_MAX
from tests.support import charge_commission, eventually

pytestmark = pytest.mark.slow
PAYMENTS = 4000
TABLES = "payments", "operations", "events", "idempotency_keys"
"""What grows with payments; the chain, sums and heartbeats grow with batches and with time."""

SIZES = """
SELECT coalesce(regexp_replace(c.relname, '_[0-9]{4}_[0-9]{2}$', ''), c.relname) AS grown,
    sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace = 'public'::regnamespace GROUP BY 1
"""
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[ClusterStack]:
    with new_cluster(migrated) as stack:
        charge_commission(stack.postgres, percent=1)
        yield stack


def ask(stack: ClusterStack, *statements: str) -> list[tuple]:
    """The rows of the last statement."""
    secret = stack.home.secret(SUPERUSER)
    with psycopg2.connect(host=str(stack.home.sockets), user=SUPERUSER, password=secret, dbname=DATABASE) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def test_size_of_a_payment(stack: ClusterStack, users: StackUsers, capsys: pytest.CaptureFixture[str]) -> None:
    before, began = sizes(stack), ask(stack, "CHECKPOINT", WAL)[0][0]
    with load(users, per_second=300) as running:
        eventually(lambda: running.accepted >= PAYMENTS, seconds=300)
    wait_until_decided(stack, DECIDED_SECONDS_MAX)
    count = len(running.done)
    wal = (ask(stack, WAL)[0][0] - began) / count
    after = sizes(stack)
    total = 0.0
    with capsys.disabled():
        click.echo(f"\nsize_of_a_payment, {count} payments:")
        for table in TABLES:
            rows, indices = ((after[table][part] - before[table][part]) / count for part in (0, 1))
            total += rows + indices
            click.echo(f"  {table}: {rows:.0f} + {indices:.0f} bytes a payment, rows and indices")
        click.echo(f"  all of these: {total:.0f}; WAL, after a checkpoint: {wal:.0f}")
    assert 1000 < total < 12_000
    assert wal > 1000


def sizes(stack: ClusterStack) -> dict[str, tuple[int, int]]:
    return {name: (int(rows), int(indices)) for name, rows, indices in ask(stack, SIZES)}
