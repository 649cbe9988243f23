"""The migrations on a real database: up, down and up again with data in it, and what they leave behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import iso4217
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

import settings
from embedded.postgres import OWNER_ROLE, Postgres
from models import bank_account, bulk, currency, event, invariants, partitions, payment, payout
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.invariants import INVARIANTS
from models.payment_list import Viewer
from models.payout import Counterparty
from models.session import DatabaseAway, open_engine, transaction
from models.user import Role
from tests.builders import Builder, new_id, scalar
from tests.support import Database, migrate

IBAN = "DE89370400440532013000"

CATALOGUE = {
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attacl::text
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind IN ('r', 'p') AND NOT attisdropped""",
    "tables": "SELECT relname, relkind, relacl::text, pg_get_expr(relpartbound, oid) FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, prosrc, prosecdef, proconfig::text, proacl::text FROM pg_proc "
    "WHERE pronamespace = 'public'::regnamespace AND proowner = 'payments_owner'::regrole",
}


@pytest.fixture
def bare(postgres: Postgres) -> Iterator[Database]:
    """A database in which nothing has been migrated."""
    name = f"bare_{new_id().replace('-', '')}"
    owner = postgres.create_database(name)
    yield Database(owner, *(settings.as_role(owner, role) for role in (settings.WORKER_ROLE, settings.GATEWAY_ROLE)))
    postgres.drop_database(name)


def catalogue(world: Builder) -> dict[str, list]:
    """All that the migrations made, as PostgreSQL tells it."""
    with world.owner.connect() as connection:
        return {what: sorted(map(repr, connection.execute(text(query)))) for what, query in CATALOGUE.items()}


def live(world: Builder) -> None:
    """Users, wallets, and payments that complete, fail and stay open."""
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=1000), world.wallet(bob)
    done, failed = world.transfer(ann, rich, poor, 700), world.transfer(ann, rich, poor, 700)
    assert world.post() == 2
    assert (world.state(done), world.state(failed)) == ("COMPLETED", "FAILED")
    assert (world.balance(rich), world.balance(poor)) == (300, 686), "two percent are ours"
    world.park(world.transfer(ann, rich, poor, 1))
    world.transfer(ann, rich, poor, 1)
    with transaction(world.worker) as connection:
        assert invariants.violations(connection) == []


def test_up_down_and_up_again_with_data(bare):
    world = Builder.of(bare)
    migrate(bare.owner)
    first = catalogue(world)
    live(world)

    migrate(bare.owner)
    assert catalogue(world) == first, "a second upgrade changes nothing"

    migrate(bare.owner, "base")
    with world.owner.connect() as connection:
        left = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        assert list(left) == ["alembic_version"]
    assert catalogue(world)["functions"] == []
    assert not any("payments_" in column for column in catalogue(world)["columns"])

    migrate(bare.owner)
    assert catalogue(world) == first
    live(world)


def test_identity_goes_as_it_came(bare):
    world = Builder.of(bare)
    migrate(bare.owner, "0001")
    before = catalogue(world)
    migrate(bare.owner, "0002")
    migrate(bare.owner, "-1")
    assert catalogue(world) == before


QUOTES = """
INSERT INTO quotes (id, type, user_id, source_currency, target_currency, source_amount, target_amount, rate, commission,
                    expires_at)
VALUES (%s, %s, %s, 'EUR', 'USD', 100, 108, 1.1, 2, now() + interval '1 minute')
"""
HALVES = """
SELECT ARRAY[source_amount, target_amount, commission]::text[],
       ARRAY[transfer_source_amount, transfer_target_amount, transfer_commission]::text[] FROM quotes WHERE id = %s
"""


def test_a_quote_of_one_type_becomes_one_half_of_a_quote_and_goes_as_it_came(bare):
    world = Builder.of(bare)
    migrate(bare.owner, "0003")
    before, ann, ids = catalogue(world), new_id(), {type: new_id() for type in ("exchange", "transfer")}
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (id, email, role, name) VALUES (%s, 'ann@example.com', 'client', 'Ann')", (ann,)
        )
        for type, id in ids.items():
            connection.exec_driver_sql(QUOTES, (id, type, ann))
        there = connection.exec_driver_sql("SELECT to_jsonb(q) FROM quotes q ORDER BY id").scalars().all()
    migrate(bare.owner, "0004")
    offer, nothing = ["100", "108", "2"], [None] * 3
    with transaction(world.owner) as connection:
        halves = {type: tuple(connection.exec_driver_sql(HALVES, (id,)).one()) for type, id in ids.items()}
    assert halves == {"exchange": (offer, nothing), "transfer": (nothing, offer)}
    migrate(bare.owner, "-1")
    assert catalogue(world) == before
    with transaction(world.owner) as connection:
        assert connection.exec_driver_sql("SELECT to_jsonb(q) FROM quotes q ORDER BY id").scalars().all() == there


def test_the_bank_goes_as_it_came(bare):
    world = Builder.of(bare)
    migrate(bare.owner, "0004")
    before = catalogue(world)
    migrate(bare.owner, "0005")
    migrate(bare.owner, "-1")
    assert catalogue(world) == before


def test_the_bank_does_not_go_while_money_waits_for_it(bare):
    """The hold would have no end, and nobody would know whether the bank has been told."""
    world = Builder.of(bare)
    migrate(bare.owner)
    ann = world.user()
    rich, id = world.wallet(ann, funds=1000), new_id()
    wish = payment.NewPayment(id, "withdrawal", ann, rich, world.technical("wire"), 700, "EUR", id, bytes(32))
    with transaction(world.gateway) as connection:
        payment.accept(connection, [wish])
        payout.keep(connection, {id: Counterparty("DE89370400440532013000", "Bob", None, None)})
    assert (world.post(), world.state(id)) == (1, "AUTHORIZED")
    migrate(bare.owner, "0006-1")
    before = catalogue(world)
    with pytest.raises(AssertionError, match="wait for their bank"):
        migrate(bare.owner, "0005-1")
    assert catalogue(world) == before


CONCERNED = """
SELECT name, user_id::text, payer_id::text, payee_id::text, xact::text FROM events
WHERE subject_id = %s ORDER BY version
"""


def test_telling_goes_as_it_came_and_finds_whom_older_events_concern(bare):
    world = Builder.of(bare)
    migrate(bare.owner, "0005")
    before = catalogue(world)
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=1000), world.wallet(bob)
    id = world.transfer(ann, rich, poor, 700)
    assert world.post() == 1
    migrate(bare.owner, "0006")
    with transaction(world.owner) as connection:
        told = [tuple(row) for row in connection.exec_driver_sql(CONCERNED, (id,))]
        assert told == [(f"payment.{state}", ann, None, bob, "3") for state in ("initiated", "completed")]
        newest = event.newest(connection)
        assert event.page(connection, Viewer(bob), event.START, 10)[-1].subject_id == id
    later = world.transfer(ann, rich, poor, 1)
    with transaction(world.gateway) as connection:
        assert [one.subject_id for one in event.page(connection, Viewer(bob), newest, 10)] == [later]
    migrate(bare.owner, "-1")
    assert catalogue(world) == before
    migrate(bare.owner)
    live(world)


def test_events_of_more_than_payments_do_not_go(bare):
    world = Builder.of(bare)
    migrate(bare.owner)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
        connection.exec_driver_sql("INSERT INTO events (subject_id, version, name) VALUES (%s, 1, 'ping')", (new_id(),))
    with pytest.raises(AssertionError, match="more than payments"):
        migrate(bare.owner, "0006-1")


def test_a_reference_that_passed_on_stays_where_it_is_and_the_guard_goes_as_it_came(bare):
    world = Builder.of(bare)
    migrate(bare.owner)
    shop, ann = world.user(Role.MERCHANT), world.user()
    purse, till = world.wallet(ann), world.wallet(shop)
    ids = []
    for _ in range(2):
        [id] = world.accept(world.wish("charge", shop, purse, till, 5, reference="A-1"))
        with transaction(world.gateway) as connection:
            assert payment.keep_reference(connection, shop, "A-1", id) is None
        assert (world.post(), world.state(id)) == (1, "FAILED")
        ids.append(id)
    after = catalogue(world)
    migrate(bare.owner, "0007-1")
    with transaction(world.owner) as connection, pytest.raises(DBAPIError, match="append_only"):
        connection.exec_driver_sql("UPDATE payment_references SET payment_id = %s", (ids[0],))
    migrate(bare.owner)
    assert catalogue(world) == after
    [next] = world.accept(world.wish("charge", shop, purse, till, 5, reference="A-1"))
    with transaction(world.gateway) as connection:
        assert scalar(connection, "SELECT payment_id::text FROM payment_references") == ids[1]
        assert payment.keep_reference(connection, shop, "A-1", next) is None


GIVEN_BACK = """
INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency, commission, capture,
                      captured_amount, parent_id, finalized_at)
SELECT uuid_floor(now() + made.seconds * interval '1 second'), type, 'COMPLETED', gen_random_uuid(), gen_random_uuid(),
       gen_random_uuid(), amount, 'EUR', commission, captured IS NULL, captured,
       uuid_floor(now() + parent * interval '1 second'), now()
FROM (VALUES
    (10, 'charge', 50, 1, NULL::int, NULL::int), (8, 'refund', 20, 0, NULL, 10), (12, 'refund', 30, 0, NULL, 10),
    (20, 'charge', 50, 0, 40, NULL), (18, 'refund', 10, 0, NULL, 20),
    (30, 'withdrawal', 100, 2, NULL, NULL), (25, 'return', 98, 0, NULL, 30),
    (40, 'charge', 50, 0, NULL, NULL), (38, 'refund', 50, 0, NULL, 40), (39, 'refund', 50, 0, NULL, 40)
) AS made (seconds, type, amount, commission, captured, parent)
"""


def test_refund_totals_are_filled_in_whatever_the_ids_and_go_as_they_came(bare):
    """Of the last charge twice as much was given back as taken: no more can be, and the invariants go on saying so."""
    world = Builder.of(bare)
    migrate(bare.owner, "0007")
    before = catalogue(world)
    with world.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE payments DISABLE TRIGGER USER")
        connection.exec_driver_sql(GIVEN_BACK)
        connection.exec_driver_sql("ALTER TABLE payments ENABLE TRIGGER USER")
        filled = connection.exec_driver_sql("SELECT count(*) FROM payments WHERE parent_id IS NOT NULL").scalar_one()
    assert filled == 6
    migrate(bare.owner, "0008")
    with world.worker.connect() as connection:
        totals = connection.exec_driver_sql(
            "SELECT captured::int, refunded::int FROM refund_totals ORDER BY payment_id"
        )
        assert [tuple(row) for row in totals] == [(50, 50), (40, 10), (98, 98), (50, 50)]
        broken = {found.partition(":")[0] for found in invariants.violations(connection)}
        assert {each for each in INVARIANTS if "refunded beyond" in each or "counted beside" in each} <= broken
    migrate(bare.owner, "0008-1")
    assert catalogue(world) == before


def test_what_banks_files_order_goes_as_it_came_unless_money_waits_for_its_day(bare):
    world = Builder.of(bare)
    migrate(bare.owner, "0008")
    before = catalogue(world)
    migrate(bare.owner, "0009")
    after = catalogue(world)
    migrate(bare.owner, "0009-1")
    assert catalogue(world) == before
    migrate(bare.owner)
    shop = world.user(Role.MERCHANT)
    till, account, at = world.wallet(shop, funds=1000), new_id(), datetime(9000, 1, 1, tzinfo=UTC)
    with transaction(world.gateway) as connection:
        assert bank_account.register(connection, account, shop, "Shop", IBAN, None, till)
        head = NewBulk(
            new_id(), BulkKind.TRANSFERS, BulkMode.ATOMIC, shop, "EUR", account, till, None, world.technical("wire")
        )
        later = NewLine(new_id(), 10, None, iban=IBAN, name="Bob", scheduled_at=at)
        assert bulk.accept(connection, head, "key", bytes(32), [later]).lines == 1
    with pytest.raises(AssertionError, match="wait for their day"):
        migrate(bare.owner, "0009-1")
    left = catalogue(world)
    assert [name for name in after if not set(after[name]) <= set(left[name])] == []


def test_the_guards_of_the_books_go_as_they_came(bare):
    """Also with payments, operations and a month to come: the check of operations stands on each partition by name."""
    world = Builder.of(bare)
    migrate(bare.owner, "0009")
    before = catalogue(world)
    migrate(bare.owner, "0010")
    live(world)
    migrate(bare.owner, "0010-1")
    assert catalogue(world) == before
    live(world)


def test_the_rule_of_phone_numbers_goes_as_it_came_unless_short_ones_are_there(bare):
    """Then it is for new ones alone."""
    world = Builder.of(bare)
    migrate(bare.owner, "0010")
    before = catalogue(world)
    migrate(bare.owner, "0011")
    migrate(bare.owner, "0011-1")
    assert catalogue(world) == before
    migrate(bare.owner, "0011")
    with world.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO users (id, email, role, name, phone_number)"
            " VALUES (gen_random_uuid(), 'niue@example.com', 'merchant', 'Niue', '+6834000')"
        )
    migrate(bare.owner, "0011-1")
    left = catalogue(world)
    assert left.keys() == before.keys()
    assert [name for name in before if left[name] != before[name]] == ["constraints"]
    (changed,) = set(left["constraints"]) - set(before["constraints"])
    assert "users_phone_number_is_e164" in changed
    assert changed.endswith(' NOT VALID")')


def test_two_migrations_at_once_make_one(bare):
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(migrate, [bare.owner] * 2))
    live(Builder.of(bare))


def test_nobody_makes_tables_beside_ours(bare):
    migrate(bare.owner)
    world = Builder.of(bare)
    for engine in (world.worker, world.gateway):
        with engine.connect() as connection:
            rights = "SELECT has_schema_privilege('public', 'CREATE') OR has_database_privilege(current_database(), {})"
            assert not scalar(connection, rights.format("'CREATE'"))
            assert not scalar(connection, rights.format("'TEMPORARY'"))


def test_three_roles_each_with_a_password_of_its_own(database, world):
    users = []
    for engine in world:
        with engine.connect() as connection:
            users.append(scalar(connection, "SELECT current_user"))
    assert users == [OWNER_ROLE, settings.WORKER_ROLE, settings.GATEWAY_ROLE]
    passwords = {make_url(url).password for url in (database.owner, database.worker, database.gateway)}
    assert len(passwords) == 3
    thief = make_url(database.worker).set(password=make_url(database.gateway).password)
    with pytest.raises(DatabaseAway), transaction(open_engine(thief, NullPool)):
        pytest.fail("the gateway's password opened the worker's door")


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


def test_partitions_stand_from_last_month_to_three_ahead_without_a_gap(world):
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
    assert world.post() == 10
    with transaction(world.worker) as connection:
        assert invariants.violations(connection) == []


def test_upkeep_makes_what_is_missing_as_it_was(world):
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


def test_upkeep_waits_for_no_writer_and_no_writer_for_it(world):
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
    assert world.post() == 2


def test_upkeep_by_two_at_once_makes_each_partition_once(world):
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
def test_the_smallest_id_of_a_moment(gateway, moment, id):
    with transaction(gateway) as connection:
        assert scalar(connection, "SELECT uuid_floor(%s)::text", moment) == id


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


def test_technical_accounts_appear_with_their_currency(world):
    codes = ["commission", "crypto", "exchange", "internal", "wallet", "wire"]
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO currencies (code, digits, kind, name) VALUES ('BTC', 8, 'crypto', 'Bitcoin')"
        )
        for code in ("EUR", "BTC"):
            rows = connection.exec_driver_sql(TECHNICAL, (code,)).all()
            assert [tuple(row) for row in rows] == [(technical, None, 0, None, None, True) for technical in codes]


def test_digits_are_fixed_with_the_first_wallet_and_not_before(world):
    widen = "UPDATE currencies SET digits = 3 WHERE code = 'CHF'"
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(widen)
        connection.exec_driver_sql("UPDATE currencies SET digits = 2 WHERE code = 'CHF'")
    world.wallet(world.user(), currency="CHF")
    with world.owner.connect() as connection, pytest.raises(DBAPIError, match="is in use"):
        connection.exec_driver_sql(widen)
