"""How PostgreSQL finds what ops search for among many rows: by an index of each kind, and never by reading a table."""

import pytest

from models import ops_search
from models.ops_search import LOOKUPS, Lookup
from models.session import Connection
from tests.builders import Builder, new_id

ROWS = 3_000
"""The fewest at which the planner has no reason to read a table: its pages cost ten times an index."""

FILLED = (
    (
        "users",
        "(id, email, role, name, phone_number)",
        "i, n || '@many.example', 'client', 'x', '+4917' || 10000000 + n",
    ),
    ("accounts", "(id, token, owner_id, currency)", "i, 'wal_' || md5(n::text), %(user)s, 'EUR'"),
    (
        "payments",
        "(id, type, user_id, source_id, target_id, amount, currency)",
        "uuid_floor(now() + n * interval '1 millisecond'), 'deposit', i, i, gen_random_uuid(), 1, 'EUR'",
    ),
    (
        "idempotency_keys",
        "(user_id, key, fingerprint, payment_id, request_id)",
        "%(user)s, n, sha256(''), i, lpad(n::text, 8, '0')",
    ),
    ("payment_references", "(merchant_id, reference, payment_id)", "%(user)s, n, i"),
    ("instructions", "(payment_id, iban, name, bank_reference)", "i, 'DE89370400440532013000', 'Bob', n"),
    ("returns", "(rail, bank_id, parent_id, amount)", "'sepa', n, i, 1"),
    (
        "resolutions",
        "(id, payment_id, outcome, bank_reference, reason, proposed_by)",
        "i, i, 'not_paid', n, 'x', 'shell'",
    ),
    (
        "bank_statements",
        "(id, hash, form, begins_on, ends_on, uploaded_by)",
        "md5(n::text)::uuid, sha256(n::text::bytea), 'csv', now(), now(), %(user)s",
    ),
    (
        "bank_statement_lines",
        "(statement_id, line, booked_on, direction, amount, currency, bank_reference, verdict)",
        "md5('1')::uuid, n, now(), 'debit', 1, 'EUR', n, 'missing_here'",
    ),
    (
        "commands",
        "(id, kind, payment_id, user_id, reason, request_id, decided_at, outcome)",
        "i, 'retry', i, i, 'x', n, now(), 'done'",
    ),
    ("selections", "(id, filter, payment_ids)", "md5(n::text)::uuid, '{}', ARRAY[i]"),
    ("batches", "(id, selection_id, reason, request_id, total)", "i, md5(n::text)::uuid, 'x', n, 1"),
    ("audit_log", "(actor, action, target, request_id)", "'shell', 'x', 'x', n"),
    (
        "webhook_endpoints",
        "(id, user_id, url, event_types)",
        "md5(n::text)::uuid, %(user)s, 'https://shop.example', '{*}'",
    ),
    (
        "webhook_deliveries",
        "(id, endpoint_id, sequence, name, subject_id, version, occurred_at)",
        "i, md5('1')::uuid, n, 'payment.completed', i, 1, now()",
    ),
)
"""Tables with their columns and the values of row `n`, whose random id is `i`."""


@pytest.fixture(scope="module")
def many(shared_world: Builder) -> Builder:
    """A database with many rows in each table that is searched."""
    user = shared_world.user()
    with shared_world.owner.begin() as connection:
        for table, columns, values in FILLED:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.exec_driver_sql(
                f"INSERT INTO {table} {columns} SELECT {values}"
                " FROM (SELECT n, gen_random_uuid() AS i FROM generate_series(1, %(rows)s) AS n) AS many",
                {"user": user, "rows": ROWS},
            )
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            connection.exec_driver_sql(f"ANALYZE {table}")
    return shared_world


EXAMPLES = (new_id(), "wal_" + "a" * 32, "ab12", "ann@many.example", "+491710000007", "1")


def value_of(lookup: Lookup) -> str:
    """A text of its kind."""
    return next(value for value in map(lookup.read, EXAMPLES) if value is not None)


def plan(connection: Connection, lookup: Lookup) -> str:
    rows = connection.exec_driver_sql(f"EXPLAIN {lookup.sql} LIMIT 21", {"value": value_of(lookup)})
    return "\n".join(row[0] for row in rows)


def test_no_kind_of_search_reads_a_table(many: Builder) -> None:
    with many.gateway.connect() as connection:
        plans = {lookup.sql: plan(connection, lookup) for lookup in LOOKUPS}
    assert {sql: text for sql, text in plans.items() if "Seq Scan" in text or "Index" not in text} == {}


def test_both_roles_may_search_and_texts_are_no_patterns(many: Builder) -> None:
    for engine in (many.gateway, many.worker):
        with engine.connect() as connection:
            assert {hit.kind for hit in ops_search.search(connection, " 7 ").hits} >= {"batch", "audit_entry"}
            for text in ("%", "_", "'", "7 OR 1=1", "%s", "%(value)s", "\\"):
                assert ops_search.search(connection, text) == ([], False)
