"""Transitions are heard on one line: each that is committed, none that is not, however many, whatever else it does."""

import os
import resource
import time
from collections.abc import Iterator

import pytest

from models import change_listener, payment_view
from models.change_listener import Listener
from models.session import DatabaseUnavailable, statements, transaction
from tests.builders import Builder
from tests.support import Database

SELECT_SEES = 1024
"""The number of open files beyond which `select.select` cannot watch a file."""

HEARD_SECONDS_MAX = 5.0


@pytest.fixture
def line(fresh_database: Database) -> Iterator[Listener]:
    with change_listener.listening(fresh_database.gateway) as line:
        yield line


def deposits(world: Builder, count: int = 1) -> list[str]:
    """Ids of deposits that are accepted and not posted."""
    ann = world.user()
    wallet = world.wallet(ann)
    return world.accept(*[world.deposit(ann, wallet, 100) for _ in range(count)])


def hear(line: Listener, count: int) -> list[str]:
    """The notifications, once there are that many."""
    heard: list[str] = []
    deadline = time.monotonic() + HEARD_SECONDS_MAX
    while len(heard) < count and time.monotonic() < deadline:
        heard += line.hear(HEARD_SECONDS_MAX)
    return heard


def test_posting_notifies_and_acceptance_does_not(world: Builder, line: Listener) -> None:
    [id] = deposits(world)
    assert line.hear(0.1) == []
    began = time.monotonic()
    world.post_payments()
    assert line.hear(HEARD_SECONDS_MAX) == [id]
    assert time.monotonic() - began < HEARD_SECONDS_MAX
    with statements(world.gateway) as connection:
        assert payment_view.by_id(connection, id).state == "COMPLETED"
    assert line.hear(0.1) == []


def test_rolled_back_posting_does_not_notify(world: Builder, line: Listener) -> None:
    [id] = deposits(world)
    park = "UPDATE payments SET parked_at = now(), last_error = 'no luck', attempts = 1 WHERE id = %s"
    with pytest.raises(KeyError), transaction(world.worker) as connection:
        connection.exec_driver_sql(park, (id,))
        raise KeyError
    assert line.hear(0.1) == []
    with transaction(world.worker) as connection:
        connection.exec_driver_sql(park, (id,))
        assert line.hear(0.1) == [], "not before the commit"
    assert line.hear(HEARD_SECONDS_MAX) == [id]


def test_all_payments_of_a_batch_are_notified(world: Builder, line: Listener) -> None:
    """More than one notification can carry."""
    ids = deposits(world, 450)
    world.post_payments()
    heard = hear(line, 450)
    assert (len(heard), set(heard)) == (450, set(ids))


def test_notification_during_a_statement_is_not_lost(world: Builder, line: Listener) -> None:
    [id] = deposits(world)
    world.post_payments()
    assert change_listener.versions(line.connection, [id]) == {id: 2}
    assert line.hear(0.0) == [id]


def test_versions_are_read_for_known_payments(world: Builder, line: Listener) -> None:
    first, second = deposits(world, 2)
    world.park(first)
    unknown = "01890000-0000-7000-8000-000000000000"
    assert change_listener.versions(line.connection, [first, second, unknown]) == {first: 2, second: 1}


def test_broken_connection_raises_database_unavailable(world: Builder, fresh_database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), change_listener.listening(fresh_database.gateway) as line:
        pid = line.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with statements(world.gateway) as connection:
            assert connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,)).scalar_one()
        line.hear(HEARD_SECONDS_MAX)  # the server's last words
        line.hear(HEARD_SECONDS_MAX)


def test_listener_works_with_many_open_files(world: Builder, fresh_database: Database) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * SELECT_SEES), hard))
    others = [os.dup(0) for _ in range(SELECT_SEES)]
    try:
        with change_listener.listening(fresh_database.gateway) as line:
            [id] = deposits(world)
            world.post_payments()
            assert line.hear(HEARD_SECONDS_MAX) == [id]
    finally:
        for other in others:
            os.close(other)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
