"""Lists of a merchant with most of all payments: each begins with the newest, and ends at its bound."""

from collections import Counter
from typing import Any

import pytest

from models import account_history, payment_list, payment_lookup, payment_search
from models.payment_list import Viewer
from models.payment_search import SCANNED_MAX, Filter, ListQuery
from models.payment_stuck import StuckFilter
from models.session import Connection
from tests.builders import Builder
from tests.models.explained import nodes_of, rows_read
from tests.support import statements_of

pytestmark = pytest.mark.slow

PAYMENTS = 100_000
CLIENTS = 50
OF_SHOP = 3
"""One of so many payments is a small one, between two clients."""

HISTORY = """
INSERT INTO payments (id, type, state, user_id, source_id, target_id, amount, currency, finalized_at)
SELECT (lpad(to_hex((extract(epoch FROM now() - interval '100 ms' * (%(payments)s - n)) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
       'transfer', 'COMPLETED', s.owner_id, s.id, t.id, 100, 'EUR', now()
FROM generate_series(1, %(payments)s) AS n
JOIN parties s ON s.place = CASE WHEN n %% %(of_shop)s = 0 THEN n %% %(clients)s ELSE n %% 2 * %(clients)s END
JOIN parties t ON t.place = CASE WHEN n %% %(of_shop)s = 0 THEN (n + 1) %% %(clients)s
                                ELSE (1 - n %% 2) * %(clients)s END
"""
"""The shop, whose place is the last, pays and is paid in turns by one of the clients."""


@pytest.fixture(scope="module")
def shop(shared_world: Builder) -> dict[str, str]:
    """The merchant and their wallet."""
    for _ in range(CLIENTS):
        shared_world.client()
    user, account = shared_world.client()
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql(
            "CREATE UNLOGGED TABLE parties AS SELECT id, owner_id,"
            " row_number() OVER (ORDER BY owner_id = %s, id) - 1 AS place FROM accounts WHERE owner_id IS NOT NULL",
            (user,),
        )
        connection.exec_driver_sql("ALTER TABLE payments DISABLE TRIGGER USER")
        values = {"payments": PAYMENTS, "of_shop": OF_SHOP, "clients": CLIENTS}
        assert connection.exec_driver_sql(HISTORY, values).rowcount == PAYMENTS
        connection.exec_driver_sql("ALTER TABLE payments ENABLE TRIGGER USER")
    with shared_world.owner.connect() as connection:
        connection.connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    return {"user": user, "account": account}


QUERIES = {
    "everything": ListQuery(),
    "a rare state": ListQuery([Filter("state", "is", ["INITIATED", "AUTHORIZED"])]),
    "a rare type": ListQuery([Filter("type", "is", ["refund"])]),
    "a reference": ListQuery([Filter("reference", "is", ["R-1"])]),
    "an amount": ListQuery([Filter("amount", "gte", 10_000), Filter("currency", "is", ["EUR"])]),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_own_list_reads_the_newest_up_to_the_bound(
    shared_world: Builder, shop: dict[str, str], query: ListQuery
) -> None:
    with shared_world.gateway.connect() as connection, statements_of() as asked:
        payment_list.page(connection, Viewer(shop["user"]), query, 21)
        assert most_rows_of_a_scan(connection, asked) <= SCANNED_MAX


def test_history_reads_the_newest_up_to_the_bound(shared_world: Builder, shop: dict[str, str]) -> None:
    query = ListQuery([Filter("type", "is", ["refund"])])
    with shared_world.gateway.connect() as connection, statements_of() as asked:
        account_history.page(connection, shop["account"], query, 21)
        assert most_rows_of_a_scan(connection, asked) <= SCANNED_MAX


@pytest.mark.parametrize("member", ["merchant_id", "account_id", "user_id"])
def test_ops_list_and_count_read_up_to_the_bound(shared_world: Builder, shop: dict[str, str], member: str) -> None:
    value = shop["account"] if member == "account_id" else shop["user"]
    which = StuckFilter(is_of_all=True, states=["FAILED"])._replace(**{member: value})
    with shared_world.gateway.connect() as connection, statements_of() as asked:
        payment_lookup.page(connection, which, 21)
        found = payment_search.count(connection, payment_lookup.search_of(which), 100, SCANNED_MAX)
        assert found == (0, False)
        assert most_rows_of_a_scan(connection, asked) <= SCANNED_MAX


def most_rows_of_a_scan(connection: Connection, asked: list[tuple[str, Any]]) -> int:
    """The most rows that a statement read by one condition, in all partitions together."""
    most = 0
    for statement, parameters in list(asked):
        if statement.startswith(("PREPARE", "EXECUTE", "DISCARD")):
            continue
        rows: Counter[str] = Counter()
        for node in nodes_of(connection, statement, parameters):
            if node.get("Relation Name", "").startswith("payments_2"):
                rows[node.get("Index Cond", node.get("Recheck Cond", "none"))] += rows_read(node)
        most = max([most, *rows.values()])
    return most
