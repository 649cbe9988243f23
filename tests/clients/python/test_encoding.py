"""Amounts, times and queries as they are sent."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payments_client.encoding import UNSET, encoded, json_bytes, query_pairs


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("12.50"), "12.50"), (Decimal("1E+3"), "1000"), (Decimal("1E-8"), "0.00000001")]
)
def test_an_amount_is_a_decimal_string(value: Decimal, text: str) -> None:
    assert encoded(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_an_amount_loses_nothing(value: Decimal) -> None:
    assert Decimal(encoded(value)) == value


@pytest.mark.parametrize("value", [12.5, {"amount": 0.1}, [{"amount": 1.0}]])
def test_a_float_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="Decimal or text"):
        encoded(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        encoded(Decimal(text))


def test_a_time_needs_its_zone() -> None:
    noon = datetime(2026, 12, 3, 12, tzinfo=timezone(timedelta(hours=1)))
    assert encoded(noon) == "2026-12-03T12:00:00+01:00"
    assert encoded(date(2026, 12, 3)) == "2026-12-03"
    with pytest.raises(ValueError, match="no time zone"):
        encoded(noon.replace(tzinfo=None))


def test_a_body_is_json_without_what_is_unset() -> None:
    id = UUID(int=1)
    body = {"label": None, "limit": UNSET, "lines": [{"amount": Decimal("1.0"), "charge": id}], "is_open": True}
    assert json.loads(json_bytes(body)) == {
        "label": None,
        "lines": [{"amount": "1.0", "charge": str(id)}],
        "is_open": True,
    }


def test_a_query_has_comma_lists_and_brackets() -> None:
    since = datetime(2026, 12, 3, tzinfo=UTC)
    query = {"state": ["FAILED", "COMPLETED"], "amount": {"gte": Decimal("1.00")}, "created_at": {"lt": since}}
    assert query_pairs({**query, "parked": True, "limit": 5}) == [
        ("state", "FAILED,COMPLETED"),
        ("amount[gte]", "1.00"),
        ("created_at[lt]", "2026-12-03T00:00:00+00:00"),
        ("parked", "true"),
        ("limit", "5"),
    ]
