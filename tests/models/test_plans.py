"""The plans of the hottest queries over a year of partitions: by index, and in no more partitions than needed.

A year of 26,000 payments; FAULTS=full makes it 1,000,000.
"""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from models import (
    account,
    bank_account,
    bulk,
    bulk_line,
    charge_limit,
    idempotency,
    ledger,
    operation,
    paused_payment,
    payment,
    payment_list,
    payment_view,
    posting_facts,
    prepared_statement,
    token,
    wallet_payment,
)
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.keyset import Cursor
from models.payment_list import Viewer
from models.payment_search import Filter, ListQuery
from models.session import Connection, open_engine, transaction
from models.user import Role
from tests.builders import Builder, new_id
from tests.models.explained import nodes_of
from tests.models.ops_questions import OPS_QUESTIONS
from tests.models.plan_subjects import NO_WALLET, a_claimed_refund, a_claimed_transfer, a_party, a_transfer
from tests.support import statements_of

pytestmark = pytest.mark.slow

PAYMENTS = 1_000_000 if os.environ.get("FAULTS") == "full" else 26_000
ACCOUNTS = 500
EVERY_MONTH = 17
"""A year of partitions of one table, and those ahead: each has a small index of what is open."""

SMALL = 250
"""A table of some pages is rightly read whole."""

YOUNG = 1_000
"""So is the partition of this month on its first days, which are up to the seventh here; those before have twice that
and more."""

LINES = 8_000
IBAN = "DE89370400440532013000"

YEAR = """
SELECT make_partition(parent, month)
FROM unnest(ARRAY['payments', 'operations']) AS parent,
     generate_series(date_trunc('month', now()) - interval '12 months', now(), interval '1 month') AS month
"""
WALLETS = """
INSERT INTO accounts (id, token, owner_id, currency)
SELECT gen_random_uuid(), 'wal_' || md5(k::text), u.id, 'EUR'
FROM generate_series(1, %(accounts)s) AS k JOIN (
    SELECT id, row_number() OVER () AS n FROM users
) u ON u.n = 1 + k %% 50
"""
HISTORY = """
INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency, due_at, created_at,
                      finalized_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
        || '8' || substr(md5(n::text), 4, 15))::uuid,
       'transfer', 'COMPLETED', s.owner_id, s.id, t.id, 100, 'EUR', at, at, at
FROM generate_series(1, %(payments)s) AS n,
     LATERAL (SELECT now() - %(span)s::interval * n / %(payments)s AS at) AS moment,
     LATERAL (SELECT id, owner_id FROM parties WHERE place = n %% %(accounts)s) AS s,
     LATERAL (SELECT id FROM parties WHERE place = (n * 7 + 1) %% %(accounts)s) AS t
"""
OPERATIONS = """
INSERT INTO operations (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq, created_at)
SELECT id, line, CASE line WHEN 0 THEN source_id ELSE target_id END, CASE line WHEN 0 THEN -amount ELSE amount END,
       currency, 'transfer', 0, row_number() OVER (), created_at
FROM payments, generate_series(0, 1) AS line
"""


@pytest.fixture(scope="module")
def year(shared_world: Builder) -> Builder:
    """A year of payments between some hundred wallets, with a few that are open; written past the triggers."""
    fill(shared_world, PAYMENTS)
    ann = shared_world.user()
    source, target = shared_world.wallet(ann), shared_world.wallet(ann)
    for _ in range(20):
        shared_world.transfer(ann, source, target, 1)
    order_many(shared_world)
    with shared_world.owner.connect() as connection:
        connection.connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return shared_world


def fill(world: Builder, payments: int, span: str = "365 days") -> None:
    """Spread the payments over the partitions of a year, or over a shorter time until now."""
    for _ in range(50):
        world.user()
    sizes = {"payments": payments, "accounts": ACCOUNTS, "span": span}
    with world.owner.begin() as connection:
        connection.exec_driver_sql(YEAR)
        connection.exec_driver_sql(WALLETS, sizes)
        connection.exec_driver_sql(
            "CREATE UNLOGGED TABLE parties AS SELECT row_number() OVER () - 1 AS place, id, owner_id FROM accounts"
            " WHERE owner_id IS NOT NULL"
        )
        connection.exec_driver_sql("CREATE UNIQUE INDEX ON parties (place)")
        connection.exec_driver_sql(HISTORY, sizes)
        connection.exec_driver_sql("ALTER TABLE operations DISABLE TRIGGER operations_sum_to_zero")
        connection.exec_driver_sql(OPERATIONS)
        connection.exec_driver_sql("ALTER TABLE operations ENABLE TRIGGER operations_sum_to_zero")
        connection.exec_driver_sql("DROP TABLE parties")


def order_many(world: Builder) -> None:
    """A bulk of many transfers, which are in this month's partition."""
    shop, account = world.user(Role.MERCHANT), new_id()
    wallet, wire = world.wallet(shop), world.technical("wire")
    said = (shop, "EUR", account, wallet, None, wire)
    head = NewBulk(new_id(), BulkKind.TRANSFERS, BulkMode.BEST_EFFORT, *said, is_open=True)
    with transaction(world.gateway) as connection:
        bank_account.register(connection, account, shop, "Shop", IBAN, None, wallet)
        bulk.accept(connection, head, "many", bytes(32), [])
        for known in range(0, LINES, 1000):
            lines = [NewLine(new_id(), 1, None, iban=IBAN, name="Bob") for _ in range(1000)]
            assert bulk.add(connection, head, known, lines).lines == known + 1000


@pytest.fixture(scope="module")
def some(year: Builder) -> dict[str, Any]:
    """A payment of half a year ago, with its parties."""
    with year.owner.begin() as connection:
        row = connection.exec_driver_sql(
            "SELECT id::text, user_id::text, source_id::text, created_at FROM payments"
            " WHERE created_at < now() - interval '180 days' ORDER BY id DESC LIMIT 1"
        ).one()
        bulk_id = connection.exec_driver_sql("SELECT id::text FROM bulks").scalar_one()
    month = (row[3] - timedelta(days=15), row[3] + timedelta(days=15))
    return {**dict(zip(("payment", "user", "account"), row, strict=False)), "month": month, "bulk": bulk_id}


def plans(engine: Engine, ask: Callable[[Connection, dict[str, Any]], object], some: dict[str, Any]) -> list[dict]:
    """The nodes of the plans, as run, of all statements that the question makes."""
    found = []
    with engine.connect() as connection:  # one line for all: what was prepared is explained where it was
        with statements_of() as seen:
            ask(connection, some)
        for statement, parameters in seen:
            if statement.startswith(("PREPARE", "DISCARD")):
                continue
            found += nodes_of(connection, statement, parameters)
        connection.rollback()
    return found


EVERYBODY = Viewer(reads_all=True)

QUESTIONS: dict[str, tuple[int, Callable[[Connection, dict[str, Any]], object]]] = {
    # partitions of payments and operations together that may be touched, and the question
    "a payment by id": (2, lambda c, some: payment_view.by_id(c, some["payment"])),
    "its operations": (1, lambda c, some: operation.of_payment(c, some["payment"])),
    "its state": (1, lambda c, some: payment.states(c, [some["payment"]])),
    "a page of a user's payments": (
        EVERY_MONTH + 1,  # and the balances that two months left
        lambda c, some: payment_list.page(c, Viewer(some["user"]), ListQuery(), 21),
    ),
    "a page of all payments": (6, lambda c, _: payment_list.page(c, EVERYBODY, ListQuery(), 21)),
    "a page of one wallet's": (
        EVERY_MONTH,
        lambda c, some: payment_list.page(c, EVERYBODY, ListQuery(), 21, of=a_party(some["account"])),
    ),
    "a page of a user's of another wallet": (
        EVERY_MONTH,
        lambda c, some: payment_list.page(c, Viewer(some["user"]), ListQuery(), 21, of=a_party(new_id())),
    ),
    "a page of a user's by what no index answers": (
        EVERY_MONTH,
        lambda c, some: payment_list.page(c, Viewer(some["user"]), ListQuery([Filter("summary", "is", ["x"])]), 21),
    ),
    "a page of a user's month by amount": (
        6,
        lambda c, some: payment_list.page(c, Viewer(some["user"]), ListQuery((), *some["month"], sort="amount"), 21),
    ),
    "some of a user's by id": (
        EVERY_MONTH,
        lambda c, s: payment_list.page(c, Viewer(s["user"]), ListQuery([Filter("id", "is", [s["payment"]])]), 21),
    ),
    "payments of a key": (1, lambda c, _: payment_list.page(c, EVERYBODY, ListQuery(), 21, key="k")),
    "a user's of a key": (1, lambda c, s: payment_list.page(c, Viewer(s["user"]), ListQuery(), 21, key="k")),
    "what is to end": (EVERY_MONTH, lambda c, _: payment.is_anything_to_end(c)),
    "holds that expired": (EVERY_MONTH, lambda c, _: payment.claim_expired(c, 500)),
    **{name: (EVERY_MONTH if most is None else most, ask) for name, (most, ask) in OPS_QUESTIONS.items()},
    "a bulk": (0, lambda c, some: bulk.by_id(c, some["bulk"])),
    "a page of its lines": (EVERY_MONTH, lambda c, some: bulk_line.page(c, some["bulk"], 21, Cursor(before="4000"))),
    "keys": (0, lambda c, some: idempotency.find(c, [(some["user"], "k")])),
    "the request of a payment": (0, lambda c, some: idempotency.accepted_by(c, some["payment"])),
    "a token": (0, lambda c, _: token.bearer(c, token.hash_of(token.new()))),
    "wallets by token": (0, lambda c, _: account.parties_by_token(c, [NO_WALLET])),
    "wallets of a new payment": (
        0,
        lambda c, s: wallet_payment.accept(c, [a_transfer(s["user"])], [NO_WALLET], [NO_WALLET]),
    ),
    "what merchants took of a day": (
        EVERY_MONTH,
        lambda c, some: charge_limit.daily_totals(c, [some["account"]], some["month"][0].date()),
    ),
    "who charged a wallet": (EVERY_MONTH, lambda c, some: charge_limit.merchants(c, some["account"], 21)),
    "who ordered": (0, lambda c, some: posting_facts.initiators(c, [a_claimed_transfer(some["account"])])),
    "what is given back": (
        EVERY_MONTH,
        lambda c, some: posting_facts.refundable_amounts(c, [a_claimed_refund(some["payment"])]),
    ),
    "the oldest wallet of a merchant": (0, lambda c, some: account.oldest_wallets(c, [(some["user"], "EUR")])),
    "accounts to lock": (0, lambda c, some: ledger.lock_accounts(c, [some["account"]])),
}


BIG = ("payments", "operations", "idempotency_keys", "tokens", "accounts", "instructions", "bulks")
PARTITIONS = ("payments_2", "operations_2")


def walked(scans: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The tables that were read from end to end, with how many rows, if they were many."""
    rows = [
        (node["Relation Name"], node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in scans
        if node["Node Type"] == "Seq Scan"
    ]
    return [(table, count) for table, count in rows if count > (YOUNG if table.startswith(PARTITIONS) else SMALL)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_frequent_queries_use_indexes_and_few_partitions(year: Builder, some: dict[str, Any], question: str) -> None:
    partitions_max, ask = QUESTIONS[question]
    found = plans(year.worker, ask, some)
    assert found
    scans = [node for node in found if node.get("Relation Name", "").startswith(BIG)]
    assert walked(scans) == []
    touched = {n["Relation Name"] for n in scans if n["Relation Name"].startswith(PARTITIONS)}
    assert len(touched) <= partitions_max, sorted(touched)


READ = "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE starts_with(relname, %s)"


def test_a_claim_reads_only_what_it_takes(world: Builder) -> None:
    """However much is due, and though the statistics say that nothing is: it took 10 ms with 10,000 waiting."""
    fill(world, 5_000, "1 hour")
    with world.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    ann = world.user()
    source, target = world.wallet(ann), world.wallet(ann)
    ids = [world.transfer(ann, source, target, 1) for _ in range(300)]
    with transaction(world.worker) as connection:
        claimed = paused_payment.claim(connection, 10)
        read = connection.exec_driver_sql(READ, (PARTITIONS[0],)).scalar_one()
    assert [payment.id for payment in claimed] == ids[:10]
    assert 10 <= read <= 10 + EVERY_MONTH


def test_charges_of_a_day_are_read_from_its_partitions(year: Builder, some: dict[str, Any]) -> None:
    """And in every month what was scheduled for it, by a small index of its own."""
    found = plans(year.worker, QUESTIONS["what merchants took of a day"][1], some)
    indexes = {node["Index Name"] for node in found if "Index Name" in node}
    assert 1 <= len([name for name in indexes if "scheduled" not in name]) <= 2, sorted(indexes)


PREPARED_ONCE = (
    "a payment by id", "what is to end", "keys", "wallets by token", "accounts to lock",
)  # fmt: skip


def test_plan_made_on_empty_tables_is_replaced(world: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    some = {"payment": new_id(), "user": new_id(), "account": new_id()}
    worker = open_engine(world.worker.url.render_as_string(hide_password=False))  # with a pool, which keeps its lines
    for question in PREPARED_ONCE:
        assert plans(worker, QUESTIONS[question][1], some)
    fill(world, 26_000)
    later = time.monotonic() + prepared_statement.PLAN_SECONDS_MAX
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for question in PREPARED_ONCE:
        found = [
            n
            for n in plans(worker, QUESTIONS[question][1], some)
            if n.get("Relation Name", "").startswith(("payments_", "operations_"))
        ]
        assert walked(found) == [], question
