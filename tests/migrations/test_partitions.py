"""The partitions that migrations and upkeep make, a month each."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from models import invariants, partitions, payment
from models.session import transaction
from tests.builders import scalar
from tests.migrations.catalogue import catalogue

MONTHS = """
SELECT to_char(this_month + step * interval '1 month', '_YYYY_MM'),
       uuid_floor((this_month + step * interval '1 month') AT TIME ZONE 'UTC')::text,
       uuid_floor((this_month + (step + 1) * interval '1 month') AT TIME ZONE 'UTC' - interval '1 millisecond')::text
FROM date_trunc('month', now() AT TIME ZONE 'UTC') AS this_month, generate_series(-1, 3) AS step ORDER BY step
"""
CHILDREN = """
SELECT array_agg(inhrelid::regclass::text ORDER BY inhrelid::regclass::text)
FROM pg_inherits WHERE inhparent = %s::regclass
"""


def test_partitions_cover_last_month_to_three_ahead(world):
    ann = world.user()
    wallet = world.wallet(ann)
    with transaction(world.owner) as connection:
        months = connection.exec_driver_sql(MONTHS).all()
        for parent in ("payments", "operations"):
            assert scalar(connection, CHILDREN, parent) == [parent + suffix for suffix, _, _ in months]
    for suffix, first_id, last_id in months:
        ids = [first_id, last_id]
        with transaction(world.owner) as connection:
            connection.exec_driver_sql("ALTER TABLE payments DISABLE TRIGGER payments_ids_are_of_their_day")
            payment.accept(connection, [world.deposit(ann, wallet, 1)._replace(id=id) for id in ids])
            where = "SELECT array_agg(DISTINCT tableoid::regclass::text) FROM payments WHERE id = ANY(%s::uuid[])"
            assert scalar(connection, where, ids) == ["payments" + suffix]
    assert world.post_payments() == 10
    with transaction(world.worker) as connection:
        assert invariants.violations(connection) == []


def test_upkeep_restores_missing_partitions_exactly(world):
    before = catalogue(world)
    with transaction(world.worker) as connection:
        assert partitions.ensure(connection) == 0
    with transaction(world.owner) as connection:
        *_, (last, _, _) = connection.exec_driver_sql(MONTHS)
        connection.exec_driver_sql(f"DROP TABLE payments{last}, operations{last}")
    assert catalogue(world) != before
    with transaction(world.worker) as connection:
        assert partitions.ensure(connection) == 2
    assert catalogue(world) == before


def test_upkeep_and_writers_do_not_block_each_other(world):
    ann = world.user()
    wallet = world.wallet(ann)
    with transaction(world.owner) as connection:
        *_, (last, _, _) = connection.exec_driver_sql(MONTHS)
        connection.exec_driver_sql(f"DROP TABLE payments{last}, operations{last}")
    with transaction(world.gateway) as writer, transaction(world.worker) as upkeep:
        payment.accept(writer, [world.deposit(ann, wallet, 1)])
        upkeep.exec_driver_sql("SET LOCAL lock_timeout = '500ms'")
        assert partitions.ensure(upkeep) == 2
        writer.exec_driver_sql("SET LOCAL lock_timeout = '500ms'")
        payment.accept(writer, [world.deposit(ann, wallet, 2)])
    assert world.post_payments() == 2


def test_two_upkeeps_at_once_make_each_partition_once(world):
    with transaction(world.owner) as connection:
        *_, (last, _, _) = connection.exec_driver_sql(MONTHS)
        connection.exec_driver_sql(f"DROP TABLE payments{last}, operations{last}")

    def ensure(_: int) -> int:
        with transaction(world.worker) as connection:
            return partitions.ensure(connection)

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(ensure, range(2))) == [0, 2]


@pytest.mark.parametrize(
    ("moment", "id"),
    [
        ("1970-01-01 00:00:00Z", "00000000-0000-0000-0000-000000000000"),
        ("1970-01-01 00:00:00.255Z", "00000000-00ff-0000-0000-000000000000"),
        ("1900-01-01 00:00:00Z", "00000000-0000-0000-0000-000000000000"),
        ("-infinity", "00000000-0000-0000-0000-000000000000"),
        ("infinity", "ffffffff-ffff-0000-0000-000000000000"),
    ],
)
def test_uuid_floor_is_the_smallest_id_of_its_time(gateway, moment, id):
    with transaction(gateway) as connection:
        assert scalar(connection, "SELECT uuid_floor(%s)::text", moment) == id
