"""Fan-out: each settled event becomes one delivery per endpoint, whatever commits first and whichever worker dies."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import payment, webhook_endpoint, webhook_queue
from models.session import Connection, transaction
from models.webhook_queue import Capacity
from tests.builders import Builder
from tests.webhook_fan_out import EVENTS_MAX, FanOut

PLENTY = Capacity(100, 100, 100)


@pytest.fixture
def queue(world: Builder) -> FanOut:
    return FanOut(world)


def take_number(connection: Connection) -> None:
    """From now on this transaction has its place before all that begin later, whenever it writes events."""
    connection.exec_driver_sql("SELECT pg_current_xact_id()")


def test_repeated_fan_out_makes_one_delivery_for_an_event(queue: FanOut):
    for _ in range(3):
        queue.world.accept(queue.deposit())
    queue.world.post_payments()
    while queue.fan_out(limit=2):
        pass
    assert queue.fan_out() == 0
    assert len(queue.delivered()) == 6
    assert sorted(queue.delivered()) == sorted(queue.events())


def test_rolled_back_payment_makes_no_event_and_no_delivery(queue: FanOut):
    class Crash(Exception):
        """Something breaks after the payment was kept."""

    def keep_and_crash() -> None:
        with transaction(queue.world.gateway) as connection:
            assert payment.accept(connection, [queue.deposit()])
            raise Crash

    with pytest.raises(Crash):
        keep_and_crash()
    kept = queue.deposit()
    queue.world.accept(kept)
    queue.fan_out()
    assert queue.delivered() == queue.events() == [(kept.id, 1)]


def crash_before_commit(queue: FanOut) -> None:
    class Killed(BaseException):
        """The worker dies."""

    def fan_out_and_die() -> None:
        with transaction(queue.world.worker) as connection:
            assert webhook_queue.fan_out(connection, EVENTS_MAX) > 0
            raise Killed

    with pytest.raises(Killed):
        fan_out_and_die()


def test_fan_out_killed_midway_is_done_by_the_next(queue: FanOut):
    queue.world.accept(queue.deposit())
    crash_before_commit(queue)
    assert queue.delivered() == []
    queue.fan_out()
    assert queue.delivered() == queue.events()


def test_event_of_an_earlier_transaction_is_not_lost(queue: FanOut):
    early, late = queue.deposit(), queue.deposit()
    with transaction(queue.world.gateway) as connection:
        payment.accept(connection, [early])
        queue.world.accept(late)
        assert queue.fan_out() == 0, "what may still appear before it is waited for"
    assert queue.fan_out() == 2
    assert queue.delivered() == queue.events() == [(early.id, 1), (late.id, 1)]


def test_event_with_an_early_number_written_late_is_not_lost(queue: FanOut):
    early, late = queue.deposit(), queue.deposit()
    with transaction(queue.world.gateway) as connection:
        take_number(connection)
        queue.world.accept(early)
        assert queue.fan_out() == 0
        payment.accept(connection, [late])
    for _ in range(2):
        queue.fan_out(limit=1)
    assert sorted(queue.delivered()) == sorted(queue.events()) == sorted([(early.id, 1), (late.id, 1)])


def test_versions_of_a_payment_are_delivered_in_order(queue: FanOut):
    """The end of a chunk between them must not part them: the later one would be sent before the earlier one."""
    deposit = queue.deposit()
    with transaction(queue.world.owner) as connection:
        take_number(connection)
        queue.world.accept(deposit)
        connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (deposit.id,))
    [(first, *_), (second, *_)] = queue.rows("SELECT version, xact::text::bigint FROM events ORDER BY xact, sequence")[
        -2:
    ]
    assert (first, second) == (2, 1), "the later version stands first"
    assert queue.fan_out(limit=1) == 1
    assert queue.delivered() == [(deposit.id, 1), (deposit.id, 2)]
    assert queue.fan_out(limit=1) == 1
    assert queue.delivered() == [(deposit.id, 1), (deposit.id, 2)]


def test_two_fan_outs_at_once_make_each_delivery_once(queue: FanOut, together: Callable):
    for _ in range(20):
        queue.world.accept(queue.deposit())
    together(*[lambda: [queue.fan_out(limit=3) for _ in range(10)]] * 2)
    assert sorted(queue.delivered()) == sorted(queue.events())
    assert len(queue.delivered()) == 20


@pytest.fixture
def together() -> Callable:
    """Run them at once, each in a thread of its own; what one raises is raised."""

    def run(*actions: Callable[[], object]) -> None:
        with ThreadPoolExecutor(len(actions)) as pool:
            for done in [pool.submit(action) for action in actions]:
                done.result()

    return run


def test_long_queue_of_one_endpoint_is_not_read_for_others(queue: FanOut):
    """Each endpoint has its own place to begin in the index of what is due."""
    others = [queue.world.endpoint(queue.client)[0] for _ in range(3)]
    with transaction(queue.world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at)"
            " SELECT gen_random_uuid(), %s, -n, 'payment.initiated', gen_random_uuid(), 1, now()"
            " FROM generate_series(1, 5000) AS n",
            (queue.endpoint,),
        )
        connection.exec_driver_sql("UPDATE webhook_endpoints SET is_active = false WHERE id = %s", (queue.endpoint,))
    with transaction(queue.world.owner) as connection:
        connection.exec_driver_sql("ANALYZE webhook_deliveries")
    queue.world.accept(queue.deposit())
    queue.fan_out()
    with transaction(queue.world.worker) as connection:
        claimed = webhook_queue.claim(connection, {}, (), PLENTY)
    assert {delivery.endpoint_id for delivery in claimed} == set(others)
    with transaction(queue.world.worker) as connection:
        parameters = {**webhook_queue.BUSY.parameters(), "slow": "{}", "lease": 30, "calls_max": 8, "failing_max": 1}
        plan = "\n".join(
            row[0]
            for row in connection.exec_driver_sql(f"EXPLAIN {webhook_queue.CLAIM}", parameters | PLENTY._asdict())
        )
    assert "Seq Scan on webhook_deliveries" not in plan


def test_fan_out_far_behind_reads_only_its_own_chunk(queue: FanOut):
    """Otherwise a worker that was away for long would never catch up."""
    with transaction(queue.world.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
        connection.exec_driver_sql(
            "INSERT INTO events (subject_id, version, name, user_id)"
            " SELECT gen_random_uuid(), 1, 'payment.initiated', %s FROM generate_series(1, 20000)",
            (queue.client,),
        )
        connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER USER")
        connection.exec_driver_sql("ANALYZE events")
    with transaction(queue.world.worker) as connection:
        [(xact, sequence)] = connection.exec_driver_sql(webhook_queue.READ_POSITION).all()
        parameters = {"xact": xact, "sequence": sequence, "to_xact": xact, "to_sequence": sequence, "most": 400}
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {webhook_queue.WANTED}", parameters))
    assert "Seq Scan on events" not in plan
    assert "events_one_per_version" in plan, "a subject's earlier events are looked up, not searched for"


def test_capacity_is_shared_and_failing_endpoint_gets_one_call(queue: FanOut):
    failing, _ = queue.world.endpoint(queue.client)
    with transaction(queue.world.worker) as connection:
        connection.exec_driver_sql("UPDATE webhook_endpoints SET failing_since = now() WHERE id = %s", (failing,))
    for _ in range(20):
        queue.world.accept(queue.deposit())
    queue.fan_out()

    def claimed(calls: dict[str, int], room: Capacity, slow: Sequence[str] = ()) -> list[str]:
        class Undo(Exception):
            """Leave them due."""

        found: list[str] = []
        try:
            with transaction(queue.world.worker) as connection:
                found += [c.endpoint_id for c in webhook_queue.claim(connection, calls, slow, room)]
                raise Undo
        except Undo:
            return found

    assert sorted(claimed({}, PLENTY)) == sorted([queue.endpoint] * 8 + [failing])
    assert claimed({queue.endpoint: 6, failing: 1}, PLENTY) == [queue.endpoint] * 2
    assert claimed({queue.endpoint: 9}, Capacity(9, 9, 0)) == []
    assert claimed({queue.endpoint: 1}, Capacity(9, 3, 0)) == [queue.endpoint] * 3
    assert sorted(claimed({}, Capacity(1, 2, 1))) == sorted([queue.endpoint] * 3 + [failing])
    assert claimed({}, Capacity(1, 0, 0)) == [queue.endpoint]
    assert claimed({}, Capacity(9, 9, 1), slow=[queue.endpoint]) in ([queue.endpoint], [failing])
    assert sorted(claimed({}, Capacity(0, 0, 4), slow=[queue.endpoint])) == sorted([queue.endpoint] * 3 + [failing])
    assert claimed({queue.endpoint: 1}, Capacity(0, 0, 1), slow=[queue.endpoint]) == [failing], "it had none yet"
    other, _ = queue.world.endpoint(queue.client)
    for _ in range(9):
        queue.world.accept(queue.deposit())
    queue.fan_out()
    assert claimed({queue.endpoint: 4, other: 1}, Capacity(0, 3, 0)) == [other] * 3, "the fewest calls come first"


def test_endpoint_gets_the_events_of_its_types_of_payments(queue: FanOut):
    world = queue.world
    refunds, _ = world.endpoint(queue.client, payment_types=["refund"])
    shop = world.user("merchant")
    till = world.wallet(shop)
    charge = world.order("charge", shop, queue.wallet, till, 100)
    world.post_payments()
    refund = world.order("refund", shop, till, queue.wallet, 100, parent_id=charge)
    world.post_payments()
    with transaction(world.gateway) as connection:
        assert webhook_endpoint.ping(connection, refunds)
    queue.fan_out()
    sent: dict[str, list[tuple[str, str]]] = {refunds: [], queue.endpoint: []}
    with transaction(world.worker) as connection:
        for endpoint_id, subject_id, name in connection.exec_driver_sql(
            "SELECT endpoint_id::text, subject_id::text, name FROM webhook_deliveries ORDER BY sequence"
        ):
            sent[endpoint_id].append((subject_id, name))
    assert sent[refunds] == [(refund, "payment.initiated"), (refund, "payment.completed"), (refunds, "ping")]
    assert {subject for subject, _ in sent[queue.endpoint]} == {charge, refund}
