"""The order of events: a reader that continues from its cursor misses none, whichever transaction commits first."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from models import event, payment, payment_timeline, payment_view
from models.event import Event
from models.payment import NewPayment
from models.payment_list import Viewer
from models.session import statements, transaction
from tests.builders import Builder

ALL = Viewer("", reads_all=True)
TRANSACTIONS = 4
LIMIT = 3
BATCH = 200
MANY_WALLETS = """
INSERT INTO accounts (id, token, owner_id, currency)
SELECT gen_random_uuid(), 'wal_' || md5(k::text), %s, 'EUR' FROM generate_series(1, 20000) AS k
"""
PARK = "UPDATE payments SET parked_at = now(), attempts = 1, last_error = 'no luck' WHERE state = 'INITIATED'"


def read(world: Builder, viewer: Viewer, after: tuple[str, int] = event.START, limit: int = 100) -> list[Event]:
    with statements(world.gateway) as connection:
        return event.page(connection, viewer, after, limit)


def place_of(found: Event) -> tuple[str, int]:
    return found.xact, found.sequence


def beginning(world: Builder) -> tuple[str, int]:
    with statements(world.gateway) as connection:
        return event.newest(connection)


@contextmanager
def open_transaction(world: Builder) -> Iterator[Connection]:
    """A transaction of the gateway's, rolled back unless it is committed before."""
    with world.gateway.connect() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # however busy the machine is
        yield connection


class Follower:
    """A reader that continues from its cursor, page by page."""

    def __init__(self, connection: Connection, viewer: Viewer, after: tuple[str, int]) -> None:
        self.connection, self.viewer, self.after = connection, viewer, after
        self.seen: list[Event] = []

    def read_on(self) -> None:
        while page := event.page(self.connection, self.viewer, self.after, LIMIT):
            self.seen += page
            self.after = place_of(page[-1])


@pytest.fixture(scope="module")
def reading(shared_world: Builder) -> Iterator[Connection]:
    """A line on which each reading is a transaction of its own."""
    with statements(shared_world.gateway) as connection:
        yield connection


@pytest.fixture(scope="module")
def ann(shared_world: Builder) -> str:
    return shared_world.user()


@pytest.fixture(scope="module")
def wallet(shared_world: Builder, ann: str) -> str:
    return shared_world.wallet(ann)


def test_event_committed_later_is_not_skipped(
    shared_world: Builder, reading: Connection, ann: str, wallet: str
) -> None:
    deposits = [shared_world.deposit(ann, wallet, 100) for _ in range(2)]
    follower = Follower(reading, Viewer(ann, reads_all=False), beginning(shared_world))
    with open_transaction(shared_world) as slow, open_transaction(shared_world) as quick:
        payment.accept(slow, [deposits[0]])
        payment.accept(quick, [deposits[1]])
        quick.commit()
        follower.read_on()
        assert follower.seen == []  # the other may have come before
        slow.commit()
    follower.read_on()
    assert [found.subject_id for found in follower.seen] == [deposit.id for deposit in deposits]


def test_lower_number_taken_later_is_not_skipped(
    shared_world: Builder, reading: Connection, ann: str, wallet: str
) -> None:
    """The order of transactions is that of their first write, the order of sequences that of the events."""
    deposits = [shared_world.deposit(ann, wallet, 100) for _ in range(2)]
    follower = Follower(reading, Viewer(ann, reads_all=False), beginning(shared_world))
    with open_transaction(shared_world) as early, open_transaction(shared_world) as late:
        early.exec_driver_sql("SELECT pg_current_xact_id()")
        payment.accept(late, [deposits[1]])
        late.commit()
        follower.read_on()
        payment.accept(early, [deposits[0]])
        early.commit()
    follower.read_on()
    assert [found.subject_id for found in follower.seen] == [deposit.id for deposit in deposits]
    assert follower.seen[0].sequence > follower.seen[1].sequence


def in_turn(order: list[int]) -> list[tuple[int, str]]:
    """The steps of the transactions, those of each in their order, as the numbers of transactions come."""
    left = {n: ["number", "write", "write", "end"] for n in range(TRANSACTIONS)}
    return [(n, left[n].pop(0)) for n in order]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations([n for n in range(TRANSACTIONS) for _ in range(4)]),
    takes_number_first=st.lists(st.booleans(), min_size=TRANSACTIONS, max_size=TRANSACTIONS),
    commits=st.lists(st.sampled_from([True, True, True, False]), min_size=TRANSACTIONS, max_size=TRANSACTIONS),
)
def test_any_interleaving_loses_no_event(
    shared_world: Builder,
    reading: Connection,
    ann: str,
    wallet: str,
    order: list[int],
    takes_number_first: list[bool],
    commits: list[bool],
) -> None:
    begun, wire = event.newest(reading), shared_world.technical("wire")
    followers = [Follower(reading, viewer, begun) for viewer in (ALL, Viewer(ann, reads_all=False))]
    kept: dict[int, list[NewPayment]] = {n: [] for n in range(TRANSACTIONS)}
    with ExitStack() as stack:
        lines = [stack.enter_context(open_transaction(shared_world)) for _ in range(TRANSACTIONS)]
        for n, step in in_turn(order):
            if step == "number" and takes_number_first[n]:
                lines[n].exec_driver_sql("SELECT pg_current_xact_id()")
            elif step == "write":
                kept[n].append(shared_world.new_payment("deposit", ann, wire, wallet, 100))
                payment.accept(lines[n], [kept[n][-1]])
            elif step == "end":
                lines[n].commit() if commits[n] else lines[n].rollback()
            for follower in followers:
                follower.read_on()
    for follower in followers:
        follower.read_on()
        seen = [found.subject_id for found in follower.seen]
        assert sorted(seen) == sorted(deposit.id for n in kept if commits[n] for deposit in kept[n])
        places = [(int(event.xact), event.sequence) for event in follower.seen]
        assert places == sorted(set(places))
        assert follower.seen == read(shared_world, follower.viewer, begun)


def test_each_party_reads_its_events_once(shared_world: Builder) -> None:
    ann, bob, zed = (shared_world.user() for _ in range(3))
    rich, second, poor = shared_world.wallet(ann, funds=500), shared_world.wallet(ann), shared_world.wallet(bob)
    begun = beginning(shared_world)
    to_bob, to_herself = (shared_world.transfer(ann, rich, to, 100) for to in (poor, second))
    shared_world.post_payments()
    seen_by = {
        who: [(found.subject_id, found.name) for found in read(shared_world, Viewer(id, reads_all=False), begun)]
        for who, id in {"ann": ann, "bob": bob, "zed": zed}.items()
    }
    names = ("payment.initiated", "payment.completed")
    assert sorted(seen_by["ann"]) == sorted((id, name) for id in (to_bob, to_herself) for name in names)
    assert seen_by["bob"] == [(to_bob, name) for name in names]
    assert seen_by["zed"] == []
    assert {(found.subject_id, found.name) for found in read(shared_world, ALL, begun)} == set(seen_by["ann"])


def test_ping_is_not_in_the_feed(shared_world: Builder, ann: str) -> None:
    begun = beginning(shared_world)
    ids = ("018f0000-0000-7000-8000-000000000001", ann)
    with transaction(shared_world.gateway) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_endpoints (id, user_id, url, event_types) VALUES (%s, %s, 'https://x.test/', '{*}')",
            ids,
        )
        connection.exec_driver_sql("UPDATE webhook_endpoints SET pings = pings + 1 WHERE user_id = %s", (ann,))
    assert read(shared_world, ALL, begun) == read(shared_world, Viewer(ann, reads_all=False), begun) == []
    with transaction(shared_world.owner) as connection:
        assert connection.exec_driver_sql("SELECT name FROM events WHERE subject_id = %s", ids[:1]).scalar() == "ping"


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
def test_only_transitions_write_events(shared_world: Builder, role: str, ann: str) -> None:
    statement = "INSERT INTO events (subject_id, version, name) VALUES (%s, 9, 'payment.completed')"
    with pytest.raises(DBAPIError), transaction(getattr(shared_world, role)) as connection:
        connection.exec_driver_sql(statement, (ann,))


def test_events_of_a_batch_do_not_read_all_accounts(world: Builder) -> None:
    """The event of a single payment after it does not either, with the plan that was made for the batch."""
    ann = world.user()
    wallet = world.wallet(ann)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(MANY_WALLETS, (ann,))
        connection.exec_driver_sql("ANALYZE accounts")
    deposits = [world.deposit(ann, wallet, 100) for _ in range(BATCH)]
    walks = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'accounts'"
    with transaction(world.gateway) as connection:
        payment.accept(connection, deposits)
        assert connection.exec_driver_sql(walks).scalar_one() == 0
    with transaction(world.worker) as connection:
        assert connection.exec_driver_sql(PARK).rowcount == BATCH
        assert connection.exec_driver_sql(walks).scalar_one() == 0


def test_endpoint_with_a_payments_id_does_not_stop_posting(world: Builder) -> None:
    """The gateway's role chooses both ids."""
    ann = world.user()
    [id] = world.accept(world.deposit(ann, world.wallet(ann), 100))
    endpoint = "INSERT INTO webhook_endpoints (id, user_id, url, event_types) VALUES (%s, %s, 'https://x.test/', '{*}')"
    with transaction(world.gateway) as connection:
        connection.exec_driver_sql(endpoint, (id, ann))
        connection.exec_driver_sql("UPDATE webhook_endpoints SET version = 2 WHERE id = %s", (id,))
    with transaction(world.worker) as connection:
        connection.exec_driver_sql("UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'gone'")
    assert (world.post_payments(), world.state(id)) == (1, "COMPLETED")
    with transaction(world.gateway) as connection:
        view = payment_view.by_id(connection, id)
        assert view is not None
        assert view.attempts == 0
        assert [entry.step for entry in payment_timeline.of_payment(connection, view)] == ["initiated", "completed"]


@pytest.mark.parametrize("reads_all", [True, False])
def test_events_held_back_are_not_read_each_time(shared_world: Builder, ann: str, wallet: str, reads_all: bool) -> None:
    begun = beginning(shared_world)
    with open_transaction(shared_world) as slow, open_transaction(shared_world) as reader:
        slow.exec_driver_sql("SELECT pg_current_xact_id()")
        shared_world.accept(*[shared_world.deposit(ann, wallet, 100) for _ in range(BATCH)])
        for way in ("seqscan", "sort", "bitmapscan"):  # which so few events may be read by, before they are counted
            reader.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        fetched = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'events'"
        before = reader.exec_driver_sql(fetched).scalar_one()  # what its last transactions read may still be counted
        assert event.page(reader, Viewer(ann, reads_all=reads_all), begun, LIMIT) == []
        assert reader.exec_driver_sql(fetched).scalar_one() - before <= len(event.CONCERNS) * (LIMIT + 1)
    assert len(read(shared_world, Viewer(ann, reads_all=reads_all), begun, BATCH)) == BATCH
