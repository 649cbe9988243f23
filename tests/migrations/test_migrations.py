"""The migrations on a real database: up, down and up again with data in it; roles, rights and seeds."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import iso4217
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

import settings
from embedded.postgres import OWNER_ROLE
from models import currency
from models.session import DatabaseUnavailable, open_engine, transaction
from tests.builders import Builder, scalar
from tests.migrations.catalogue import catalogue, post_payments
from tests.support import migrate


def test_all_migrations_go_up_down_and_up_again_with_data(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner)
    first = catalogue(world)
    post_payments(world)

    migrate(empty_database.owner)
    assert catalogue(world) == first, "a second upgrade changes nothing"

    migrate(empty_database.owner, "base")
    with world.owner.connect() as connection:
        left = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        assert list(left) == ["alembic_version"]
    assert catalogue(world)["functions"] == []
    assert not any("payments_" in column for column in catalogue(world)["columns"])

    migrate(empty_database.owner)
    assert catalogue(world) == first
    post_payments(world)


def test_two_migrations_at_once_are_applied_once(empty_database):
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        list(processes.map(migrate, [empty_database.owner] * 2))
    post_payments(Builder.of(empty_database))


def test_roles_cannot_create_tables(empty_database):
    migrate(empty_database.owner)
    world = Builder.of(empty_database)
    for engine in (world.worker, world.gateway):
        with engine.connect() as connection:
            rights = "SELECT has_schema_privilege('public', 'CREATE') OR has_database_privilege(current_database(), {})"
            assert not scalar(connection, rights.format("'CREATE'"))
            assert not scalar(connection, rights.format("'TEMPORARY'"))


def test_each_role_has_a_password_of_its_own(database, world):
    users = []
    for engine in (world.owner, world.worker, world.gateway):
        with engine.connect() as connection:
            users.append(scalar(connection, "SELECT current_user"))
    assert users == [OWNER_ROLE, settings.WORKER_ROLE, settings.GATEWAY_ROLE]
    passwords = {make_url(url).password for url in (database.owner, database.worker, database.gateway)}
    assert len(passwords) == 3
    stolen = make_url(database.worker).set(password=make_url(database.gateway).password)
    with pytest.raises(DatabaseUnavailable), transaction(open_engine(stolen, NullPool)):
        pytest.fail("the gateway's password let in the worker's role")


def test_currencies_are_seeded_with_their_digits(gateway):
    with transaction(gateway) as connection:
        known = currency.all_by_code(connection)
    assert {code: known[code].digits for code in ("JPY", "EUR", "USD", "KWD", "CLF")} == {
        **{"JPY": 0, "EUR": 2, "USD": 2, "KWD": 3, "CLF": 4},
    }
    assert not known.keys() & {"XXX", "XTS", "XAU", "XAG", "XDR"}
    assert len(known) == sum(c.exponent is not None for c in iso4217.Currency) > 150
    assert {(c.kind, c.minimum, c.maximum, c.is_active) for c in known.values()} == {("fiat", None, None, True)}


TECHNICAL = """
SELECT code, floor, balance, owner_id, token, is_active FROM accounts WHERE currency = %s ORDER BY code
"""


def test_new_currency_gets_technical_accounts(world):
    codes = ["commission", "crypto", "exchange", "internal", "wallet", "wire"]
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO currencies (code, digits, kind, name) VALUES ('BTC', 8, 'crypto', 'Bitcoin')"
        )
        for code in ("EUR", "BTC"):
            rows = connection.exec_driver_sql(TECHNICAL, (code,)).all()
            assert [tuple(row) for row in rows] == [(technical, None, 0, None, None, True) for technical in codes]


def test_digits_are_fixed_with_the_first_wallet(world):
    widen = "UPDATE currencies SET digits = 3 WHERE code = 'CHF'"
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(widen)
        connection.exec_driver_sql("UPDATE currencies SET digits = 2 WHERE code = 'CHF'")
    world.wallet(world.user(), currency="CHF")
    with world.owner.connect() as connection, pytest.raises(DBAPIError, match="is in use"):
        connection.exec_driver_sql(widen)
