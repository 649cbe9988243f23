"""How PostgreSQL goes about the hottest queries over a year of partitions: by index, and into no more than it needs.

A year of 26,000 payments; FAULTS=full makes it 1,000,000.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from models import account, idempotency, ledger, operation, payment, payment_list, payment_view, stuck, tokens
from models.payment_list import Filter
from models.session import Connection, transaction
from models.stuck import Which
from tests.models.world import World, new_id

pytestmark = pytest.mark.slow

PAYMENTS = 1_000_000 if os.environ.get("FAULTS") == "full" else 26_000
ACCOUNTS = 500
EVERY_MONTH = 17
"""A year of partitions of one table, and those ahead: each has a small index of what is open."""

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
     LATERAL (SELECT now() - interval '365 days' * n / %(payments)s AS at) AS moment,
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
def year(shared_world: World) -> World:
    """A year of payments between some hundred wallets, with a few that are open; written past the triggers."""
    for _ in range(50):
        shared_world.user()
    sizes = {"payments": PAYMENTS, "accounts": ACCOUNTS}
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql(YEAR)
        connection.exec_driver_sql(WALLETS, sizes)
        connection.exec_driver_sql(
            "CREATE UNLOGGED TABLE parties AS SELECT row_number() OVER () - 1 AS place, id, owner_id FROM accounts"
            " WHERE owner_id IS NOT NULL"
        )
        connection.exec_driver_sql("CREATE UNIQUE INDEX ON parties (place)")
        connection.exec_driver_sql(HISTORY, sizes)
        connection.exec_driver_sql(OPERATIONS)
        connection.exec_driver_sql("DROP TABLE parties")
    ann = shared_world.user()
    purse, other = shared_world.wallet(ann), shared_world.wallet(ann)
    for _ in range(20):
        shared_world.transfer(ann, purse, other, 1)
    with shared_world.owner.connect() as connection:
        connection.connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return shared_world


@pytest.fixture(scope="module")
def some(year: World) -> dict[str, Any]:
    """A payment of half a year ago, with its parties."""
    with year.owner.begin() as connection:
        row = connection.exec_driver_sql(
            "SELECT id::text, user_id::text, source_id::text FROM payments WHERE created_at < now() - interval"
            " '180 days' ORDER BY id DESC LIMIT 1"
        ).one()
    return dict(zip(("payment", "user", "account"), row, strict=True))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def plans(world: World, ask: Callable[[Connection, dict[str, Any]], object], some: dict[str, Any]) -> list[dict]:
    """The nodes of the plans, as run, of all statements that the question makes."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(world.worker, "before_cursor_execute", note)
    try:
        with transaction(world.worker) as connection:
            ask(connection, some)
    finally:
        event.remove(world.worker, "before_cursor_execute", note)
    found = []
    for statement, parameters in asked:
        with world.worker.connect() as connection:
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            answer = explained.scalar_one()
            connection.rollback()
        plan = answer if isinstance(answer, list) else json.loads(answer)
        found += [node for node in nodes(plan[0]["Plan"]) if node["Actual Loops"]]
    return found


QUESTIONS: dict[str, tuple[int, Callable[[Connection, dict[str, Any]], object]]] = {
    # partitions of payments and operations together that may be touched, and the question
    "a payment by id": (2, lambda c, some: payment_view.by_id(c, some["payment"])),
    "its operations": (1, lambda c, some: operation.of_payment(c, some["payment"])),
    "its state": (1, lambda c, some: payment.states(c, [some["payment"]])),
    "a page of a user's payments": (EVERY_MONTH, lambda c, some: payment_list.page(c, some["user"], Filter(), 21)),
    "a page of all payments": (6, lambda c, _: payment_list.page(c, None, Filter(), 21)),
    "a page of one wallet's": (
        EVERY_MONTH,
        lambda c, some: payment_list.page(c, None, Filter(account_id=some["account"]), 21),
    ),
    "what is due": (EVERY_MONTH, lambda c, _: payment.claim(c, 500)),
    "what is to end": (EVERY_MONTH, lambda c, _: payment.is_anything_to_end(c)),
    "holds that expired": (EVERY_MONTH, lambda c, _: payment.claim_expired(c, 500)),
    "what is parked": (EVERY_MONTH, lambda c, _: stuck.find(c, Which(), 21)),
    "keys": (0, lambda c, some: idempotency.find(c, [(some["user"], "k")])),
    "a token": (0, lambda c, _: tokens.bearer(c, tokens.hash_of(tokens.new()))),
    "wallets by token": (0, lambda c, _: account.parties_by_token(c, ["wal_" + "0" * 32])),
    "accounts to lock": (0, lambda c, some: ledger.lock_accounts(c, [_between(some["account"])])),
}


def _between(account_id: str) -> Any:
    from models.rules.values import Payment  # noqa: PLC0415 - only here

    return Payment(new_id(), "transfer", "INITIATED", new_id(), account_id, new_id(), 1, "EUR")


BIG = ("payments", "operations", "idempotency_keys", "tokens", "accounts")


@pytest.mark.parametrize("question", QUESTIONS)
def test_hot_queries_go_by_index_into_few_partitions(year: World, some: dict[str, Any], question: str) -> None:
    partitions_max, ask = QUESTIONS[question]
    found = plans(year, ask, some)
    assert found
    scans = [node for node in found if node.get("Relation Name", "").startswith(BIG)]
    walked = [
        (node["Relation Name"], node["Actual Rows"])
        for node in scans
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > 100
    ]
    assert walked == []
    touched = {n["Relation Name"] for n in scans if n["Relation Name"].startswith(("payments_2", "operations_2"))}
    assert len(touched) <= partitions_max, sorted(touched)
