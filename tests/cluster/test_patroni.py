"""The primary of two databases dies under load: the standby takes over, and every order that was accepted is there."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from celery_config import QUEUE_OF_KIND
from embedded import home as homes
from embedded.stack import Stack
from tests.cluster.load import Shown, load
from tests.cluster.patroni import PatroniPostgres
from tests.e2e.state_machine.users import StackUsers
from tests.faults.inject import assert_heartbeats
from tests.stacks import UNLIMITED
from tests.support import charge_commission, eventually

pytestmark = pytest.mark.slow
WORKERS = tuple(QUEUE_OF_KIND)
UNAVAILABLE = 503
TAKEN_OVER_SECONDS_MAX = 120


class PatroniStack(Stack):
    """The embedded stack whose PostgreSQL is the primary of two hosts."""

    def __init__(self, home: homes.Home) -> None:
        postgres = PatroniPostgres(home)
        super().__init__(home, database_url=postgres.url(), environ=UNLIMITED)
        self.postgres = postgres


@contextmanager
def new_stack() -> Iterator[PatroniStack]:
    with homes.temporary() as home:
        stack = PatroniStack(home)
        try:
            stack.start_servers()
            stack.migrate()
            charge_commission(stack.postgres, percent=0)
            stack.start_processes()
            yield stack
        finally:
            stack.stop()


@pytest.fixture(scope="module")
def stack() -> Iterator[PatroniStack]:
    with new_stack() as stack:
        yield stack


def assert_all_is_there(stack: PatroniStack, users: StackUsers, shown: Shown, running: object) -> None:
    """Nothing that was answered is lost, and gateways and workers go on by themselves."""
    told = shown(running.done)
    assert told.refused > 0
    assert {status for each in running.done for status in each.refusals} == {UNAVAILABLE}
    assert_heartbeats(stack, WORKERS)
    [answer] = users.submit_until_accepted([users.transfer(users.clients[0], users.clients[1], "1.00")])
    users.final(answer, seconds=60)


def test_the_host_of_the_primary_dies(stack: PatroniStack, users: StackUsers, shown: Shown) -> None:
    before = stack.postgres.leader()
    with load(users) as running:
        eventually(lambda: running.accepted >= 120)
        before.kill()
        eventually(lambda: stack.postgres.leader() not in (None, before), seconds=TAKEN_OVER_SECONDS_MAX)
        target = running.accepted + 120
        eventually(lambda: running.accepted >= target, seconds=TAKEN_OVER_SECONDS_MAX)
    assert_all_is_there(stack, users, shown, running)
    before.heal()
    stack.postgres.start_database(before)
    stack.postgres.wait_for_standby()


def test_postgres_alone_is_killed(stack: PatroniStack, users: StackUsers, shown: Shown) -> None:
    before = stack.postgres.leader()
    with load(users) as running:
        eventually(lambda: running.accepted >= 120)
        os.kill(stack.postgres.postmaster(before), signal.SIGKILL)
        eventually(lambda: stack.postgres.leader() not in (None, before), seconds=TAKEN_OVER_SECONDS_MAX)
        target = running.accepted + 120
        eventually(lambda: running.accepted >= target, seconds=TAKEN_OVER_SECONDS_MAX)
    assert_all_is_there(stack, users, shown, running)
    stack.postgres.wait_for_standby()


def test_the_standby_dies(stack: PatroniStack, users: StackUsers, shown: Shown) -> None:
    """Commits wait until the primary goes on alone."""
    leader = stack.postgres.leader()
    standby = next(host for host in stack.postgres.hosts.values() if host is not leader)
    with load(users) as running:
        eventually(lambda: running.accepted >= 120)
        standby.kill()
        target = running.accepted + 240
        eventually(lambda: running.accepted >= target, seconds=TAKEN_OVER_SECONDS_MAX)
    shown(running.done)
    assert stack.postgres.leader() is leader
    assert {status for each in running.done for status in each.refusals} <= {UNAVAILABLE}
