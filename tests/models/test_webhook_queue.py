"""Events become deliveries: each settled one exactly once for each endpoint, whoever commits first and whoever dies."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import payment, webhook_queue
from models.payment import NewPayment
from models.session import Connection, transaction
from models.webhook_queue import Capacity
from tests.builders import Builder

ALL = 1_000
PLENTY = Capacity(100, 100, 100)


class Shop:
    """A world with a client who has an endpoint, and orders."""

    def __init__(self, world: Builder) -> None:
        self.world = world
        self.client = world.user()
        self.wallet = world.wallet(self.client, funds=1_000_000)
        self.endpoint, _ = world.endpoint(self.client)
        self.fan_out()
        assert self.delivered() == []

    def deposit(self) -> NewPayment:
        return self.world.deposit(self.client, self.wallet, 100)

    def fan_out(self, limit: int = ALL) -> int:
        with transaction(self.world.worker) as connection:
            return webhook_queue.fan_out(connection, limit)

    def delivered(self) -> list[tuple[str, int]]:
        """(subject, version) of the endpoint's deliveries, in the order in which they were made."""
        return self.rows("SELECT subject_id::text, version FROM webhook_deliveries ORDER BY id")

    def events(self) -> list[tuple[str, int]]:
        """The same of all events since the endpoint was made, in their order."""
        return self.rows(
            "SELECT subject_id::text, version FROM events WHERE created_at >="
            f" (SELECT created_at FROM webhook_endpoints WHERE id = '{self.endpoint}') ORDER BY sequence"
        )

    def rows(self, query: str) -> list[tuple[str, int]]:
        with transaction(self.world.worker) as connection:
            return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]


@pytest.fixture
def shop(world: Builder) -> Shop:
    return Shop(world)


def take_number(connection: Connection) -> None:
    """From now on this transaction has its place before all that begin later, whenever it writes events."""
    connection.exec_driver_sql("SELECT pg_current_xact_id()")


def test_an_event_makes_one_delivery_however_often_it_is_fanned_out(shop: Shop):
    for _ in range(3):
        shop.world.accept(shop.deposit())
    shop.world.post()
    while shop.fan_out(limit=2):
        pass
    assert shop.fan_out() == 0
    assert len(shop.delivered()) == 6
    assert sorted(shop.delivered()) == sorted(shop.events())


def test_what_is_rolled_back_makes_no_event_and_no_delivery(shop: Shop):
    class Crash(Exception):
        """Something breaks after the payment was kept."""

    def keep_and_crash() -> None:
        with transaction(shop.world.gateway) as connection:
            assert payment.accept(connection, [shop.deposit()])
            raise Crash

    with pytest.raises(Crash):
        keep_and_crash()
    kept = shop.deposit()
    shop.world.accept(kept)
    shop.fan_out()
    assert shop.delivered() == shop.events() == [(kept.id, 1)]


def crash_before_commit(shop: Shop) -> None:
    class Killed(BaseException):
        """The worker dies."""

    def fan_out_and_die() -> None:
        with transaction(shop.world.worker) as connection:
            assert webhook_queue.fan_out(connection, ALL) > 0
            raise Killed

    with pytest.raises(Killed):
        fan_out_and_die()


def test_who_dies_amid_the_fan_out_leaves_it_to_the_next(shop: Shop):
    shop.world.accept(shop.deposit())
    crash_before_commit(shop)
    assert shop.delivered() == []
    shop.fan_out()
    assert shop.delivered() == shop.events()


def test_what_began_earlier_and_commits_later_is_not_lost(shop: Shop):
    early, late = shop.deposit(), shop.deposit()
    with transaction(shop.world.gateway) as connection:
        payment.accept(connection, [early])
        shop.world.accept(late)
        assert shop.fan_out() == 0, "what may still appear before it is waited for"
    assert shop.fan_out() == 2
    assert shop.delivered() == shop.events() == [(early.id, 1), (late.id, 1)]


def test_what_takes_its_number_early_and_writes_late_is_not_lost(shop: Shop):
    early, late = shop.deposit(), shop.deposit()
    with transaction(shop.world.gateway) as connection:
        take_number(connection)
        shop.world.accept(early)
        assert shop.fan_out() == 0
        payment.accept(connection, [late])
    for _ in range(2):
        shop.fan_out(limit=1)
    assert sorted(shop.delivered()) == sorted(shop.events()) == sorted([(early.id, 1), (late.id, 1)])


def test_versions_of_a_payment_stay_in_order_though_the_later_one_stands_first(shop: Shop):
    """The end of a chunk between them must not part them: the later one would be sent before the earlier one."""
    wish = shop.deposit()
    with transaction(shop.world.owner) as connection:
        take_number(connection)
        shop.world.accept(wish)
        connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (wish.id,))
    [(first, *_), (second, *_)] = shop.rows("SELECT version, xact::text::bigint FROM events ORDER BY xact, sequence")[
        -2:
    ]
    assert (first, second) == (2, 1), "the later version stands first"
    assert shop.fan_out(limit=1) == 1
    assert shop.delivered() == [(wish.id, 1), (wish.id, 2)]
    assert shop.fan_out(limit=1) == 1
    assert shop.delivered() == [(wish.id, 1), (wish.id, 2)]


def test_two_at_once_wait_for_each_other_and_do_no_harm(shop: Shop, together: Callable):
    for _ in range(20):
        shop.world.accept(shop.deposit())
    together(*[lambda: [shop.fan_out(limit=3) for _ in range(10)]] * 2)
    assert sorted(shop.delivered()) == sorted(shop.events())
    assert len(shop.delivered()) == 20


@pytest.fixture
def together() -> Callable:
    """Run them at once, each in a thread of its own; what one raises is raised."""

    def run(*actions: Callable[[], object]) -> None:
        with ThreadPoolExecutor(len(actions)) as pool:
            for done in [pool.submit(action) for action in actions]:
                done.result()

    return run


def test_a_long_queue_of_one_endpoint_is_not_walked_for_the_others(shop: Shop):
    """Each endpoint has its own place to begin in the index of what is due."""
    others = [shop.world.endpoint(shop.client)[0] for _ in range(3)]
    with transaction(shop.world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at)"
            " SELECT gen_random_uuid(), %s, -n, 'payment.initiated', gen_random_uuid(), 1, now()"
            " FROM generate_series(1, 5000) AS n",
            (shop.endpoint,),
        )
        connection.exec_driver_sql("UPDATE webhook_endpoints SET is_active = false WHERE id = %s", (shop.endpoint,))
    with transaction(shop.world.owner) as connection:
        connection.exec_driver_sql("ANALYZE webhook_deliveries")
    shop.world.accept(shop.deposit())
    shop.fan_out()
    with transaction(shop.world.worker) as connection:
        claimed = webhook_queue.claim(connection, {}, (), PLENTY)
    assert {one.endpoint_id for one in claimed} == set(others)
    with transaction(shop.world.worker) as connection:
        told = {**webhook_queue.BUSY.parameters(), "slow": "{}", "lease": 30, "calls_max": 8, "failing_max": 1}
        plan = "\n".join(
            row[0] for row in connection.exec_driver_sql(f"EXPLAIN {webhook_queue.CLAIM}", told | PLENTY._asdict())
        )
    assert "Seq Scan on webhook_deliveries" not in plan


def test_a_long_way_behind_the_events_each_chunk_reads_its_own_alone(shop: Shop):
    """Else a worker that was away for long never catches up."""
    with transaction(shop.world.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
        connection.exec_driver_sql(
            "INSERT INTO events (subject_id, version, name, user_id)"
            " SELECT gen_random_uuid(), 1, 'payment.initiated', %s FROM generate_series(1, 20000)",
            (shop.client,),
        )
        connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER USER")
        connection.exec_driver_sql("ANALYZE events")
    with transaction(shop.world.worker) as connection:
        [(xact, sequence)] = connection.exec_driver_sql(webhook_queue.READ_POSITION).all()
        told = {"xact": xact, "sequence": sequence, "to_xact": xact, "to_sequence": sequence, "most": 400}
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {webhook_queue.WANTED}", told))
    assert "Seq Scan on events" not in plan
    assert "events_one_per_version" in plan, "a subject's earlier events are looked up, not searched for"


def test_room_is_shared_among_endpoints_and_a_failing_one_has_one_call(shop: Shop):
    failing, _ = shop.world.endpoint(shop.client)
    with transaction(shop.world.worker) as connection:
        connection.exec_driver_sql("UPDATE webhook_endpoints SET failing_since = now() WHERE id = %s", (failing,))
    for _ in range(20):
        shop.world.accept(shop.deposit())
    shop.fan_out()

    def claimed(calls: dict[str, int], room: Capacity, slow: Sequence[str] = ()) -> list[str]:
        class Undo(Exception):
            """Leave them due."""

        found: list[str] = []
        try:
            with transaction(shop.world.worker) as connection:
                found += [c.endpoint_id for c in webhook_queue.claim(connection, calls, slow, room)]
                raise Undo
        except Undo:
            return found

    assert sorted(claimed({}, PLENTY)) == sorted([shop.endpoint] * 8 + [failing])
    assert claimed({shop.endpoint: 6, failing: 1}, PLENTY) == [shop.endpoint] * 2
    assert claimed({shop.endpoint: 9}, Capacity(9, 9, 0)) == []
    assert claimed({shop.endpoint: 1}, Capacity(9, 3, 0)) == [shop.endpoint] * 3
    assert sorted(claimed({}, Capacity(1, 2, 1))) == sorted([shop.endpoint] * 3 + [failing])
    assert claimed({}, Capacity(1, 0, 0)) == [shop.endpoint]
    assert claimed({}, Capacity(9, 9, 1), slow=[shop.endpoint]) in ([shop.endpoint], [failing])
    assert sorted(claimed({}, Capacity(0, 0, 4), slow=[shop.endpoint])) == sorted([shop.endpoint] * 3 + [failing])
    assert claimed({shop.endpoint: 1}, Capacity(0, 0, 1), slow=[shop.endpoint]) == [failing], "it had none yet"
    other, _ = shop.world.endpoint(shop.client)
    for _ in range(9):
        shop.world.accept(shop.deposit())
    shop.fan_out()
    assert claimed({shop.endpoint: 4, other: 1}, Capacity(0, 3, 0)) == [other] * 3, "who has the fewest is served first"
