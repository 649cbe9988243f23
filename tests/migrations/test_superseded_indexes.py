"""An index that the version before reads stays for a day after the migration, unless there are no payments."""

import pytest

from models import partitions
from models.session import Contention, transaction
from tests.builders import Builder, scalar
from tests.migrations.catalogue import catalogue
from tests.support import Database, migrate

OLD = "payments_by_user"
AGE = "COMMENT ON INDEX payments_by_user IS 'superseded until 2026-11-01 00:00:00+00'"


def exists(world: Builder) -> bool:
    with transaction(world.owner) as connection:
        return scalar(connection, "SELECT to_regclass(%s) IS NOT NULL", OLD)


def upkeep(world: Builder) -> int:
    with transaction(world.worker) as connection:
        return partitions.drop_superseded_indexes(connection)


def test_superseded_index_is_dropped_a_day_later(empty_database: Database) -> None:
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0046")
    before = catalogue(world)
    ann = world.user()
    world.transfer(ann, world.wallet(ann), world.wallet(ann), 1)
    migrate(empty_database.owner, "0047")
    assert upkeep(world) == 0
    assert exists(world)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(AGE)
    with transaction(world.gateway) as reader:
        reader.exec_driver_sql("SELECT FROM payments")
        with pytest.raises(Contention):
            upkeep(world)
    assert upkeep(world) == 1
    assert not exists(world)
    assert upkeep(world) == 0
    migrate(empty_database.owner, "-1")
    assert catalogue(world) == before


def test_superseded_index_is_dropped_at_once_without_payments(world: Builder) -> None:
    assert not exists(world)
