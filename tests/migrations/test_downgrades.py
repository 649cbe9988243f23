"""Each migration goes down to the schema before it, or refuses while data would be lost."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from models import bank_account, bulk, event, invariants, payment, payout
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.invariants import INVARIANTS
from models.payment_list import Viewer
from models.payout import Counterparty
from models.session import transaction
from models.user import Role
from tests.builders import Builder, new_id, scalar
from tests.migrations.catalogue import catalogue, post_payments
from tests.support import migrate

IBAN = "DE89370400440532013000"

UNSUPERSEDED = "0046"
"""The last revision before one leaves an index for the version before where there are payments."""


def test_identity_downgrade_restores_the_schema(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0001")
    before = catalogue(world)
    migrate(empty_database.owner, "0002")
    migrate(empty_database.owner, "-1")
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


def test_quotes_are_split_into_halves_and_restored(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0003")
    before, ann, ids = catalogue(world), new_id(), {type: new_id() for type in ("exchange", "transfer")}
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (id, email, role, name) VALUES (%s, 'ann@example.com', 'client', 'Ann')", (ann,)
        )
        for type, id in ids.items():
            connection.exec_driver_sql(QUOTES, (id, type, ann))
        there = connection.exec_driver_sql("SELECT to_jsonb(q) FROM quotes q ORDER BY id").scalars().all()
    migrate(empty_database.owner, "0004")
    offer, nothing = ["100", "108", "2"], [None] * 3
    with transaction(world.owner) as connection:
        halves = {type: tuple(connection.exec_driver_sql(HALVES, (id,)).one()) for type, id in ids.items()}
    assert halves == {"exchange": (offer, nothing), "transfer": (nothing, offer)}
    migrate(empty_database.owner, "-1")
    assert catalogue(world) == before
    with transaction(world.owner) as connection:
        assert connection.exec_driver_sql("SELECT to_jsonb(q) FROM quotes q ORDER BY id").scalars().all() == there


def test_bank_downgrade_restores_the_schema(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0004")
    before = catalogue(world)
    migrate(empty_database.owner, "0005")
    migrate(empty_database.owner, "-1")
    assert catalogue(world) == before


def test_bank_downgrade_is_refused_while_a_payout_is_open(empty_database):
    """The hold would never end, and it would be unknown whether the bank has the order."""
    world = Builder.of(empty_database)
    migrate(empty_database.owner)
    ann = world.user()
    rich, id = world.wallet(ann, funds=1000), new_id()
    order = payment.NewPayment(id, "withdrawal", ann, rich, world.technical("wire"), 700, "EUR", id, bytes(32))
    with transaction(world.gateway) as connection:
        payment.accept(connection, [order])
        payout.keep(connection, {id: Counterparty("DE89370400440532013000", "Bob", None, None)})
    assert (world.post_payments(), world.state(id)) == (1, "AUTHORIZED")
    migrate(empty_database.owner, "0006-1")
    before = catalogue(world)
    with pytest.raises(SystemExit, match="wait for their bank"):
        migrate(empty_database.owner, "0005-1")
    assert catalogue(world) == before


PARTIES = """
SELECT name, user_id::text, payer_id::text, payee_id::text, xact::text FROM events
WHERE subject_id = %s ORDER BY version
"""


OLD_TRANSFER = """
INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency)
VALUES (%s, 'transfer', %s, %s, %s, 1, 'EUR')
"""
"""As an earlier release accepts it."""


def test_old_events_get_their_parties_and_downgrade_restores(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0005")
    before = catalogue(world)
    migrate(empty_database.owner)  # whose tables posting reads
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=1000), world.wallet(bob)
    id = world.transfer(ann, rich, poor, 700)
    assert world.post_payments() == 1
    migrate(empty_database.owner, "0006-1")
    assert catalogue(world) == before
    migrate(empty_database.owner, "0006")
    with transaction(world.owner) as connection:
        events = [tuple(row) for row in connection.exec_driver_sql(PARTIES, (id,))]
        assert events == [(f"payment.{state}", ann, None, bob, "3") for state in ("initiated", "completed")]
        newest = event.newest(connection)
        assert event.page(connection, Viewer(bob), event.START, 10)[-1].subject_id == id
    later = new_id()
    with transaction(world.gateway) as connection:
        connection.exec_driver_sql(OLD_TRANSFER, (later, ann, rich, poor))
    with transaction(world.gateway) as connection:
        assert [found.subject_id for found in event.page(connection, Viewer(bob), newest, 10)] == [later]
    migrate(empty_database.owner, "-1")
    assert catalogue(world) == before
    migrate(empty_database.owner)
    post_payments(world)


def test_events_downgrade_is_refused_with_other_events(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
        connection.exec_driver_sql("INSERT INTO events (subject_id, version, name) VALUES (%s, 1, 'ping')", (new_id(),))
    with pytest.raises(SystemExit, match="more than payments"):
        migrate(empty_database.owner, "0006-1")


def test_references_downgrade_restores_guard_and_keeps_the_owner(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, UNSUPERSEDED)
    merchant, ann = world.user(Role.MERCHANT), world.user()
    customer_wallet, merchant_wallet = world.wallet(ann), world.wallet(merchant)
    ids = []
    for _ in range(2):
        [id] = world.accept(world.new_payment("charge", merchant, customer_wallet, merchant_wallet, 5, reference="A-1"))
        with transaction(world.gateway) as connection:
            assert payment.keep_reference(connection, merchant, "A-1", id) is None
        assert (world.post_payments(), world.state(id)) == (1, "FAILED")
        ids.append(id)
    after = catalogue(world)
    migrate(empty_database.owner, "0007-1")
    with transaction(world.owner) as connection, pytest.raises(DBAPIError, match="append_only"):
        connection.exec_driver_sql("UPDATE payment_references SET payment_id = %s", (ids[0],))
    migrate(empty_database.owner, UNSUPERSEDED)
    assert catalogue(world) == after
    [next] = world.accept(world.new_payment("charge", merchant, customer_wallet, merchant_wallet, 5, reference="A-1"))
    with transaction(world.gateway) as connection:
        assert scalar(connection, "SELECT payment_id::text FROM payment_references") == ids[1]
        assert payment.keep_reference(connection, merchant, "A-1", next) is None


REFUNDS = """
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


def test_refund_totals_are_filled_in_and_removed(empty_database):
    """The last charge was refunded twice: no further refund is possible, and the invariants still report it."""
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0007")
    before = catalogue(world)
    with world.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE payments DISABLE TRIGGER USER")
        connection.exec_driver_sql(REFUNDS)
        connection.exec_driver_sql("ALTER TABLE payments ENABLE TRIGGER USER")
        filled = connection.exec_driver_sql("SELECT count(*) FROM payments WHERE parent_id IS NOT NULL").scalar_one()
    assert filled == 6
    migrate(empty_database.owner, "0008")
    with world.owner.connect() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE archived_months (month date, next_id uuid)")  # there since 0048
        totals = connection.exec_driver_sql(
            "SELECT captured::int, refunded::int FROM refund_totals ORDER BY payment_id"
        )
        assert [tuple(row) for row in totals] == [(50, 50), (40, 10), (98, 98), (50, 50)]
        names = [each for each in INVARIANTS if "refunded beyond" in each or "counted beside" in each]
        assert len(names) == 2
        assert all(invariants.broken(connection, name, 1) for name in names)
    migrate(empty_database.owner, "0008-1")
    assert catalogue(world) == before


def test_bank_files_downgrade_is_refused_with_scheduled_lines(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0008")
    before = catalogue(world)
    migrate(empty_database.owner, "0009")
    after = catalogue(world)
    migrate(empty_database.owner, "0009-1")
    assert catalogue(world) == before
    migrate(empty_database.owner)
    merchant = world.user(Role.MERCHANT)
    merchant_wallet, account, at = world.wallet(merchant, funds=1000), new_id(), datetime(9000, 1, 1, tzinfo=UTC)
    with transaction(world.gateway) as connection:
        assert bank_account.register(connection, account, merchant, "Shop", IBAN, None, merchant_wallet)
        wire, kind = world.technical("wire"), BulkKind.TRANSFERS
        head = NewBulk(new_id(), kind, BulkMode.ATOMIC, merchant, "EUR", account, merchant_wallet, None, wire)
        later = NewLine(new_id(), 10, None, iban=IBAN, name="Bob", scheduled_at=at)
        assert bulk.accept(connection, head, "key", bytes(32), [later]).lines == 1
    with pytest.raises(SystemExit, match="wait for their day"):
        migrate(empty_database.owner, "0009-1")
    left = catalogue(world)
    assert [name for name in after if not set(after[name]) <= set(left[name])] == []


def test_books_downgrade_restores_the_schema_with_data(empty_database):
    """With payments, operations and future partitions: each partition has the check on operations by name."""
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0009")
    before = catalogue(world)
    migrate(empty_database.owner)  # whose tables posting reads
    post_payments(world)
    migrate(empty_database.owner, "0010-1")
    assert catalogue(world) == before
    migrate(empty_database.owner)
    post_payments(world)


def test_phone_number_downgrade_leaves_short_numbers_unchecked(empty_database):
    """With short numbers in the table, the old rule is for new rows only (NOT VALID)."""
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0010")
    before = catalogue(world)
    migrate(empty_database.owner, "0011")
    migrate(empty_database.owner, "0011-1")
    assert catalogue(world) == before
    migrate(empty_database.owner, "0011")
    with world.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO users (id, email, role, name, phone_number)"
            " VALUES (gen_random_uuid(), 'niue@example.com', 'merchant', 'Niue', '+6834000')"
        )
    migrate(empty_database.owner, "0011-1")
    left = catalogue(world)
    assert left.keys() == before.keys()
    assert [name for name in before if left[name] != before[name]] == ["constraints"]
    (changed,) = set(left["constraints"]) - set(before["constraints"])
    assert "users_phone_number_is_e164" in changed
    assert changed.endswith(' NOT VALID")')


def test_expected_lines_are_missing_in_the_schema_before(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0024")
    before = catalogue(world)
    migrate(empty_database.owner, "0025")
    id = new_id()
    with transaction(world.owner) as connection:
        for statement in (
            "INSERT INTO users (id, email, role, name) VALUES (%(id)s, 'ops@example.com', 'ops', 'Olga')",
            "INSERT INTO bank_statements (id, hash, form, begins_on, ends_on, uploaded_by)"
            " VALUES (%(id)s, sha256('1'), 'csv', '2026-01-30', '2026-01-30', %(id)s)",
            "INSERT INTO bank_statement_lines (statement_id, line, booked_on, direction, amount, currency, verdict,"
            " payment_id, value_date)"
            " VALUES (%(id)s, 1, '2026-01-30', 'debit', 1, 'EUR', 'expected', %(id)s, '2026-02-02')",
        ):
            connection.exec_driver_sql(statement, {"id": id})
    migrate(empty_database.owner, "-1")
    assert catalogue(world) == before
    with transaction(world.owner) as connection:
        assert scalar(connection, "SELECT verdict FROM bank_statement_lines") == "missing_there"


def test_what_was_done_in_a_shell_names_nobody_before(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0033")
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "INSERT INTO bank_statements (id, hash, form, begins_on, ends_on)"
            " VALUES (gen_random_uuid(), sha256('1'), 'csv', '2026-01-30', '2026-01-30')"
        )
    with pytest.raises(SystemExit, match="they name nobody"):
        migrate(empty_database.owner, "0033-1")
