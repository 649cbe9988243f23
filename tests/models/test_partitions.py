"""Missing partitions are reported a month ahead; an id that belongs in one cannot be stored."""

import pytest

from models import partitions, payment
from models.session import NoPartition, WrongClock, transaction
from tests.builders import Builder, scalar

MONTH = "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + %s * interval '1 month', %s)"


def month(world: Builder, ahead: int, form: str = "YYYY-MM") -> str:
    with transaction(world.owner) as connection:
        return scalar(connection, MONTH, ahead, form)


def run(world: Builder, statement: str, ahead: int) -> None:
    """Run it as the owner, with the suffix of the month's partitions for {}."""
    suffix = month(world, ahead, "_YYYY_MM")
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(statement.format(suffix))


def missing(world: Builder) -> dict[str, int]:
    with transaction(world.gateway) as connection:
        return partitions.missing(connection)


def test_no_partition_is_missing_after_upkeep(world: Builder) -> None:
    assert missing(world) == {}


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("table", ["payments", "operations"])
def test_partition_is_missing_until_upkeep_makes_it(world: Builder, table: str, ahead: int) -> None:
    run(world, f"DROP TABLE {table}{{}}", ahead)
    assert missing(world) == {month(world, ahead): ahead}
    with transaction(world.worker) as connection:
        assert partitions.ensure(connection) == 1
    assert missing(world) == {}


def test_partition_further_ahead_is_not_missing(world: Builder) -> None:
    run(world, "DROP TABLE payments{0}, operations{0}", 2)
    assert missing(world) == {}


def test_detached_partition_is_missing(world: Builder) -> None:
    run(world, "ALTER TABLE payments DETACH PARTITION payments{}", 1)
    with transaction(world.worker) as connection:
        assert partitions.ensure(connection) == 0
    assert missing(world) == {month(world, 1): 1}


def test_default_partition_does_not_count(world: Builder) -> None:
    run(world, "DROP TABLE payments{}; CREATE TABLE rest PARTITION OF payments DEFAULT", 0)
    assert missing(world) == {month(world, 0): 0}


@pytest.mark.parametrize("id", ["00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_id_of_a_wrong_clock_has_no_partition(world: Builder, id: str) -> None:
    ann = world.user()
    wallet = world.wallet(ann)
    with pytest.raises(NoPartition), transaction(world.gateway) as connection:
        payment.accept(connection, [world.deposit(ann, wallet, 1)._replace(id=id)])


@pytest.mark.parametrize(("hours", "is_kept"), [(-25, False), (-23, True), (0, True), (23, True), (25, False)])
def test_id_more_than_a_day_off_is_refused(world: Builder, hours: int, is_kept: bool) -> None:
    ann = world.user()
    wallet = world.wallet(ann)
    with transaction(world.owner) as connection:
        id = scalar(connection, "SELECT uuid_floor(now() + make_interval(hours => %s))::text", hours)
    deposit = world.deposit(ann, wallet, 1)._replace(id=id)
    if is_kept:
        assert world.accept(deposit) == [id]
        assert world.post_payments() == 1
    else:
        with pytest.raises(WrongClock):
            world.accept(deposit)
