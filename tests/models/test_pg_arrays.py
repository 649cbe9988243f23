"""Texts sent as array literals come back from PostgreSQL as they were."""

from datetime import UTC, datetime
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from models import pg_arrays

NASTY = st.sampled_from(['"', "\\", "{", "}", ",", "NULL", "null", "", " ", "\n", "'", "%s", "é", "💶", "\\x00", '\\"'])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
COLUMNS = st.lists(st.none() | TEXTS | st.lists(NASTY, max_size=5).map("".join), max_size=20)


@given(column=COLUMNS)
def test_any_texts_survive_the_round_trip(connection, column):
    answer = connection.exec_driver_sql("SELECT %s::text[]", (pg_arrays.quoted(column),)).scalar_one()
    assert answer == column


@given(column=st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1), max_size=20))
def test_amounts_survive_the_round_trip(connection, column):
    query = (
        "SELECT array(SELECT amount::text FROM unnest(%s::numeric(38,0)[]) WITH ORDINALITY AS u (amount, n) ORDER BY n)"
    )
    answer = connection.exec_driver_sql(query, (pg_arrays.plain(column),)).scalar_one()
    assert answer == [None if amount is None else str(amount) for amount in column]


def test_fingerprints_survive_the_round_trip(connection):
    fingerprint = bytes(range(256))
    column = pg_arrays.quoted(["\\x" + fingerprint.hex()])
    answer = connection.exec_driver_sql("SELECT (%s::bytea[])[1]", (column,)).scalar_one()
    assert bytes(answer) == fingerprint


def test_columns_take_each_value_by_its_name(connection):
    at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    columns = pg_arrays.Columns(
        "new", "id uuid, amount numeric, note text, hash bytea, body jsonb, at timestamptz, is_open boolean"
    )
    rows = [
        SimpleNamespace(amount=10**30, note='{"a", NULL}', hash=b"\x00\\", body={"a": [None]}, at=at, is_open=True),
        SimpleNamespace(amount=None, note=None, hash=b"", body=None, at=str(at), is_open=False),
    ]
    ids = [str(uuid7()) for _ in rows]
    answer = connection.exec_driver_sql(f"SELECT * FROM {columns.unnest}", columns.parameters(rows, id=ids)).all()
    found = [{**row._mapping, "id": str(row.id), "hash": bytes(row.hash)} for row in answer]
    assert found == [{**vars(row), "id": id, "at": at} for row, id in zip(rows, ids, strict=True)]


def test_columns_of_no_rows_are_empty(connection):
    columns = pg_arrays.Columns("new", "id uuid, name text")
    assert connection.exec_driver_sql(f"SELECT * FROM {columns.unnest}", columns.parameters()).all() == []
