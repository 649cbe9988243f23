"""A dump restored in a cluster whose transactions have lower numbers: nothing starts; once mended, nothing is lost."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine, make_url

import settings
from embedded import home as homes
from embedded.home import CHECKOUT, write_private
from embedded.postgres import DATABASE, OWNER_ROLE, SUPERUSER, Postgres
from models import event, health, preflight
from models.payment_list import Viewer
from models.session import transaction
from tests.builders import Builder
from tests.support import Database, eventually, memory
from tests.webhook_fan_out import FanOut

AHEAD = 2_000
"""Transactions of the old cluster that the new one has not had."""
FUNDED_AND_TWO = 3
"""Payments: the queue's funds, and two deposits."""
PROCESSES = ("worker", "gateway")


def run(server: Postgres, program: str, *arguments: str, input: bytes = b"") -> bytes:
    """The output of a program of PostgreSQL's, connected to the server as its superuser."""
    command = [str(server.bin_dir / program), "-h", str(server.home.sockets), "-U", SUPERUSER, *arguments]
    environment = {"PGPASSWORD": server.home.secret(SUPERUSER)}
    return subprocess.run(command, env=environment, input=input, capture_output=True, check=True).stdout


@contextmanager
def restored(source: Postgres, name: str) -> Iterator[Postgres]:
    """A new cluster, with the same secrets, in which the dump of a database of another was restored."""
    with homes.temporary(memory() or homes.SHARED) as home:
        for role in (SUPERUSER, OWNER_ROLE):
            write_private(home.directory("secrets") / role, source.home.secret(role))
        server = Postgres(home, durable=False)
        try:
            server.start()
            run(server, "psql", "-d", SUPERUSER, input=run(source, "pg_dumpall", "--roles-only"))
            dump = run(source, "pg_dump", "--format=custom", name)
            run(server, "pg_restore", "--exit-on-error", "--single-transaction", "-d", DATABASE, input=dump)
            yield server
        finally:
            server.stop("immediate")


def as_owner(server: Postgres, statement: str) -> None:
    engine = create_engine(server.url(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def raise_the_epoch(server: Postgres, refusal: str) -> None:
    """Run the command that the refusal names."""
    [command] = re.findall(r"pg_resetwal .*? \$PGDATA", refusal)
    server.stop()
    environment = {"PATH": f"{server.bin_dir}:/usr/bin:/bin", "PGDATA": str(server.data)}
    subprocess.run(["/bin/sh", "-c", command], env=environment, check=True, **server.home.servers.popen_options())
    server.start()


def use_numbers_up(server: Postgres, _: str) -> None:
    """The recipe of docs/settings.md for a server whose files are not accessible."""
    [statement] = re.findall(r"^DO \$\$ .*?\$\$;$", (CHECKOUT / "docs" / "settings.md").read_text(), re.M | re.S)
    as_owner(server, statement)


@pytest.mark.parametrize("mend", [raise_the_epoch, use_numbers_up])
def test_restored_dump_loses_no_event(
    postgres: Postgres, fresh_database: Database, mend: Callable[[Postgres, str], None]
) -> None:
    queue = FanOut(Builder.of(fresh_database))
    as_owner(postgres, f"DO $$ BEGIN FOR i IN 1..{AHEAD} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    queue.world.accept(queue.deposit())
    eventually(queue.fan_out)
    queue.world.accept(queue.deposit())
    queue.world.post_payments()
    eventually(lambda: [row.name for row in feed(queue, event.START)].count("payment.completed") == FUNDED_AND_TWO)
    read = feed(queue, event.START)
    delivered = queue.delivered()
    assert len(delivered) == 1 < len(queue.events())
    with restored(postgres, str(make_url(fresh_database.owner).database)) as server:
        roles = (OWNER_ROLE, settings.WORKER_ROLE, settings.GATEWAY_ROLE)
        copy = Database(*(server.url(role=role) for role in roles))
        for process in PROCESSES:
            with pytest.raises(SystemExit, match=f"^{process} refuses to start: a dump was restored") as refused:
                preflight.check_or_exit(getattr(copy, process), process, durability=False)
        assert alarms(copy) == [str(refused.value).partition("start: ")[2]], "under running processes, too"
        mend(server, str(refused.value))
        for process in PROCESSES:
            preflight.check_or_exit(getattr(copy, process), process, durability=False)
        assert alarms(copy) == []
        queue.world = Builder.of(copy)
        queue.world.accept(queue.deposit())
        queue.world.post_payments()
        eventually(lambda: queue.fan_out() == 0 and len(queue.delivered()) == len(queue.events()))
        assert queue.delivered()[:1] == delivered
        assert sorted(queue.delivered()) == sorted(queue.events())
        new = feed(queue, (read[-1].xact, read[-1].sequence))
        assert [(row.name, row.version) for row in new] == [("payment.initiated", 1), ("payment.completed", 2)]
        assert feed(queue, event.START) == read + new
        for engine in (queue.world.owner, queue.world.worker, queue.world.gateway):
            engine.dispose()


def alarms(database: Database) -> list[str]:
    """The problems in the gateway's /status."""
    engine = create_engine(database.gateway, poolclass=NullPool)
    with transaction(engine) as connection:
        report = health.report(connection, broker_is_up=True)
    return [problem.detail for problem in report.problems if problem.code == "dump_restored"]


def feed(queue: FanOut, after: tuple[str, int]) -> list[event.Event]:
    """The events that `GET /v1/events` shows the client after a cursor."""
    with transaction(queue.world.gateway) as connection:
        return event.page(connection, Viewer(queue.client, False), after, 100)


def test_newest_event_is_read_from_an_index(owner) -> None:
    with owner.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {preflight.NEWEST_EVENT}")]
    assert any("Index Only Scan Backward using events_pkey" in line for line in plan), plan
