"""How PostgreSQL finds stuck and parked payments among 100,000: by an index, and never by reading them all."""

from collections.abc import Iterator
from typing import Any

import pytest

from models import payment_lookup, payment_stuck
from models.payment_search import SCANNED_MAX
from models.payment_stuck import OLDEST_FIRST, RETRIES_MAX, StuckFilter
from models.session import Connection
from tests.builders import Builder, new_id
from tests.models.explained import nodes_of, rows_read
from tests.support import statements_of

pytestmark = pytest.mark.slow

PAYMENTS = 100_000
OPEN = 1_000
"""Parked ones, and as many that wait for the poster."""

READ_MAX = 5 * OPEN
"""Rows of payments that one query may read."""

HISTORY = """
INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency, finalized_at, parked_at,
                      last_error, attempts, due_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
        || '8' || substr(md5(n::text), 4, 15))::uuid,
       'transfer', CASE WHEN n > %(open)s * 2 THEN 'COMPLETED' ELSE 'INITIATED' END, users[1 + n %% 50],
       accounts[1 + n %% 50], accounts[1 + (n + 1) %% 50], 100, 'EUR',
       CASE WHEN n > %(open)s * 2 THEN now() END, CASE WHEN n <= %(open)s THEN now() END,
       CASE WHEN n <= %(open)s THEN 'error ' || n %% 10 END, 0, now() + interval '1 hour'
FROM generate_series(1, %(payments)s) AS n, (
    SELECT array_agg(owner_id ORDER BY id) AS users, array_agg(id ORDER BY id) AS accounts
    FROM accounts WHERE owner_id IS NOT NULL
) AS parties
"""


@pytest.fixture(scope="module")
def some(shared_world: Builder) -> dict[str, Any]:
    """Ids of a client with their wallet, and of a payment, among many."""
    for _ in range(50):
        shared_world.client()
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE payments DISABLE TRIGGER USER")
        connection.exec_driver_sql(HISTORY, {"payments": PAYMENTS, "open": OPEN})
        connection.exec_driver_sql("ALTER TABLE payments ENABLE TRIGGER USER")
        row = connection.exec_driver_sql(
            "SELECT p.id::text AS payment, owner_id::text AS user, a.id::text AS account, token AS wallet, p.created_at"
            " FROM payments p JOIN accounts a ON a.id = source_id WHERE parked_at IS NOT NULL LIMIT 1"
        ).one()
    with shared_world.owner.connect() as connection:
        connection.connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return dict(row._mapping)


FILTERS = {
    "all": {},
    "type": {"types": ["transfer"]},
    "currency": {"currency": "EUR"},
    "created from": {"created_from": "created_at"},
    "created before": {"created_before": "created_at"},
    "attempts": {"attempts_min": 1, "attempts_max": 8},
    "the beginning of an error": {"error_prefix": "error 7"},
    "a part of an error": {"error_contains": "or 7"},
    "no such error": {"error_contains": "nothing like it"},
    "user": {"user_id": "user"},
    "merchant": {"merchant_id": "user"},
    "account": {"account_id": "account"},
    "wallet": {"wallet": "wallet"},
    "bulk": {"bulk_id": new_id()},
    "batch": {"batch_id": new_id()},
    "ids": {"ids": ["payment"]},
}


def scans(connection: Connection, which: StuckFilter, limit: int) -> list[tuple[str, int]]:
    """The scans of payments that the search makes: kind, and how many rows were read."""
    with statements_of() as asked:
        if which.is_of_all:
            payment_lookup.page(connection, which, limit)
        else:
            payment_stuck.find(connection, which, limit, OLDEST_FIRST)
    return [scan for statement, parameters in asked for scan in scans_of(connection, statement, parameters)]


def scans_of(connection: Connection, statement: str, parameters: Any) -> Iterator[tuple[str, int]]:
    for node in nodes_of(connection, statement, parameters):
        if node.get("Relation Name", "").startswith("payments_2"):
            yield node["Node Type"], rows_read(node)


@pytest.mark.parametrize("limit", [21, RETRIES_MAX + 1], ids=["a page", "a selection"])
@pytest.mark.parametrize("criterion", ["parked", "stuck", "undecided"])
@pytest.mark.parametrize("narrower", FILTERS)
def test_search_reads_no_more_than_what_is_open(
    shared_world: Builder, some: dict[str, Any], narrower: str, criterion: str, limit: int
) -> None:
    values = {name: _of(some, value) for name, value in FILTERS[narrower].items()}
    which = StuckFilter({"stuck": 0.0}.get(criterion), undecided=criterion == "undecided", **values)
    with shared_world.gateway.connect() as connection:
        found = scans(connection, which, limit)
    assert [rows for kind, rows in found if kind == "Seq Scan" and rows] == [], (
        "a partition without rows has no index to read"
    )
    assert sum(rows for _, rows in found) <= READ_MAX, found


KEYED = ("merchant", "account", "wallet", "bulk", "batch", "ids", "a part of an error", "no such error")


@pytest.mark.parametrize("narrower", ["all", "attempts", "user", *KEYED])
def test_list_of_all_reads_what_an_index_finds(shared_world: Builder, some: dict[str, Any], narrower: str) -> None:
    values = {name: _of(some, value) for name, value in FILTERS[narrower].items()}
    with shared_world.gateway.connect() as connection:
        found = scans(connection, StuckFilter(is_of_all=True, **values), 21)
    assert [rows for kind, rows in found if kind == "Seq Scan" and rows] == []
    assert sum(rows for _, rows in found) <= (READ_MAX if narrower in KEYED else 3 * SCANNED_MAX), found


def test_rare_payment_of_a_user_is_found_in_bounded_pages(shared_world: Builder, some: dict[str, Any]) -> None:
    which = StuckFilter(is_of_all=True, user_id=some["user"], states=["FAILED"])
    with shared_world.gateway.connect() as connection:
        assert sum(rows for _, rows in scans(connection, which, 21)) <= 3 * SCANNED_MAX


def _of(some: dict[str, Any], value: Any) -> Any:
    """The value, or what `some` has by that name."""
    if isinstance(value, list):
        return [_of(some, one) for one in value]
    return some.get(value, value) if isinstance(value, str) else value
