"""Every member of a list filters and sorts it, by what the viewer is shown: what is not shown cannot be found.

For each viewer of random payments, what a query finds is held against the rows of the unfiltered list.
"""

import operator
import random
from typing import Any

import pytest

from gateway.http.payment_schemas import PaymentSchema
from gateway.payments.schemas import PaymentQuery
from gateway.wallets.schemas import HistoryQuery, HistoryRowSchema
from models import account_history, payment_list, payment_search
from tests.gateway.harness import ApiHarness
from tests.gateway.lists.list_oracle import SHORT, Listing, members
from tests.gateway.lists.random_payments import SEED, RandomPayments

TRIED_MAX = 2
"""Values of each column that each viewer tries, of all that any viewer is shown."""


NOT_FILTERED = {
    "failure[message]": "says what the code says",
    "failure[retryable]": "says what the code says",
    **{f"paused[{name}]": "is of the pause, not of the payment" for name in ("reason", "since", "until")},
}


COMPARED = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}


@pytest.fixture(scope="module")
def listings(api: ApiHarness) -> dict[str, Listing]:
    return RandomPayments(api).listings()


PAYMENTS, HISTORY = sorted(payment_list.COLUMNS), sorted(account_history.COLUMNS)


CASES = [*(("payments", name) for name in PAYMENTS), *(("history", name) for name in HISTORY)]


@pytest.mark.parametrize(
    ("schema", "columns", "query"),
    [(PaymentSchema, payment_list.COLUMNS, PaymentQuery), (HistoryRowSchema, account_history.COLUMNS, HistoryQuery)],
)
def test_every_member_of_a_row_can_be_filtered_and_sorted_by(schema: Any, columns: Any, query: Any) -> None:
    parameters, named = query().fields, {SHORT.get(name, name) for name in columns}
    assert set(members(schema)) - set(NOT_FILTERED) == named
    for name, column in columns.items():
        assert name in parameters
        assert (
            (column.kind == "jsonb")
            is (name not in parameters["sort"].words)
            is (f"-{name}" not in parameters["sort"].words)
        )
        if column.kind in ("numeric", "timestamptz", "integer"):
            assert all(f"{name}[{comparison}]" in parameters for comparison in COMPARED)


def test_the_world_has_something_to_hide(listings: dict[str, Listing]) -> None:
    rows = listings["payments of Ops"].rows
    assert {row["state"] for row in rows} == {"INITIATED", "AUTHORIZED", "COMPLETED", "FAILED"}
    assert {row["type"] for row in rows} == {
        *("deposit", "withdrawal", "transfer", "charge", "refund", "exchange", "adjustment")
    }
    for name in payment_list.COLUMNS:
        assert len({str(listing.text(row, name)) for listing in listings.values() if not listing.currency
                    for row in listing.rows}) > 1, name  # fmt: skip
    for viewer, charged in (("Ann", ["target_amount"]), ("Bob", ["target_amount"]), ("Shop", [])):
        hidden = {row["id"]: row for row in listings[f"payments of {viewer}"].rows}
        for name in ("commission", "metadata", "amount", *charged):
            assert any(hidden[row["id"]][name] != row[name] for row in rows if row["id"] in hidden), (viewer, name)


def several(listings: dict[str, Listing], kind: str) -> list[Listing]:
    return [listing for name, listing in listings.items() if name.startswith(kind)]


def values(listings: list[Listing], name: str) -> list[tuple[str | None, Any]]:
    """The values that viewers are shown under the name, with their currency if they are amounts."""
    found = {
        (row[said] if (said := listing.columns[name].currency) else None, text)
        for listing in listings
        for row in listing.rows
        if (text := listing.text(row, name)) is not None
    }
    return random.Random(SEED).sample(sorted(found), min(len(found), TRIED_MAX))


def as_filter(text: Any) -> str:
    if isinstance(text, bool):
        return str(text).lower()
    return text.replace("+00:00", "Z") if isinstance(text, str) else str(text)


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1] != "metadata"])
def test_a_filter_finds_what_shows_the_value_and_nothing_else(
    listings: dict[str, Listing], kind: str, name: str
) -> None:
    every = several(listings, kind)
    tried = values(every, name)
    assert tried
    for listing in every:
        for currency, text in tried:
            if listing.currency and currency not in (None, listing.currency):
                continue
            rows, query = listing.within(name, currency)
            value, query_text = listing.value(text, name), as_filter(text)
            shown = [(row, listing.shown(row, name)) for row in rows]
            equal = [row for row, at in shown if at == value]
            assert listing.found(**query, **{name: query_text}) == listing.ids(equal), (listing, name, text)
            if listing.columns[name].kind not in ("numeric", "timestamptz", "integer") or (currency, text) != tried[0]:
                continue
            for comparison, compare in COMPARED.items():
                some = [row for row, at in shown if at is not None and compare(at, value)]
                parameter = {f"{name}[{comparison}]": query_text}
                assert listing.found(**query, **parameter) == listing.ids(some), (listing, name, comparison, text)


def test_a_comma_list_finds_what_each_of_its_values_does(listings: dict[str, Listing]) -> None:
    listing = listings["payments of Ann"]
    for name in ("id", "source", "attempts", "created_at", "rate", "amount"):
        rows, query = listing.within(name, "EUR")
        texts = sorted({str(listing.text(row, name)) for row in rows} - {"None"})[:3]
        some = [row for row in rows if str(listing.text(row, name)) in texts]
        assert listing.found(**query, **{name: ",".join(map(as_filter, texts))}) == listing.ids(some)


def test_metadata_is_found_by_those_it_is_shown_to(listings: dict[str, Listing]) -> None:
    for listing in several(listings, "payments"):
        for labels in ({"table": "1"}, {"table": "2", "%": "x"}, {"%": "a,b"}, {"%": "a"}):
            some = [row for row in listing.rows if labels.items() <= (row["metadata"] or {}).items()]
            query = {f"metadata[{key}]": text for key, text in labels.items()}
            assert listing.found(**query) == listing.ids(some)


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1] != "metadata"])
def test_a_sort_is_by_what_is_shown_nothing_before_anything(listings: dict[str, Listing], kind: str, name: str) -> None:
    for listing in several(listings, kind):
        for currency in ("EUR", "JPY") if listing.columns[name].currency and not listing.currency else (None,):
            rows, query = listing.within(name, currency)
            if not listing.rows:
                continue
            keys = {
                row[listing.key]: ((at := listing.shown(row, name)) is not None, at, row[listing.key]) for row in rows
            }
            for sort, is_descending in ((name, False), (f"-{name}", True)):
                ordered = sorted(keys.values(), key=_nothing_first, reverse=is_descending)
                pages = listing.pages(**query, **listing.span, sort=sort, limit="45")
                found = [row[listing.key] for page in pages for row in page]
                assert found == [key[-1] for key in ordered], (listing, sort)


def _nothing_first(key: tuple[bool, Any, str]) -> tuple[Any, ...]:
    return key if key[0] else (False, key[2])


@pytest.mark.parametrize(("looked_through", "limit"), [(2, "100"), (5, "1"), (20, "100"), (1_000, "3")])
def test_page_scans_a_bounded_number_and_the_next_goes_on(
    listings: dict[str, Listing], monkeypatch: pytest.MonkeyPatch, looked_through: int, limit: str
) -> None:
    cases = [
        ("payments of Ann", "type", "exchange"),
        ("payments of Ops", "state", "FAILED"),
        ("payments of Bob", "state", "AUTHORIZED"),
    ]
    for name, column, value in cases:
        listing = listings[name]
        some = [row for row in listing.rows if listing.text(row, column) == value]
        with monkeypatch.context() as patch:
            patch.setattr(payment_search, "SCANNED_MAX", looked_through)
            for sort, expected in (("-created_at", some), ("created_at", some[::-1])):
                pages = listing.pages(**{column: value}, sort=sort, limit=limit, **listing.span)
                assert [row for page in pages for row in page] == expected
            answer = listing.viewer.get(f"/v1/payments?{column}={value}", Accept="application/x-ndjson")
            assert answer.get_data(as_text=True).count("\n") == len(some)


def test_more_than_can_be_sorted_is_refused(listings: dict[str, Listing], monkeypatch: pytest.MonkeyPatch) -> None:
    listing = listings["payments of Ops"]
    monkeypatch.setattr(payment_search, "SCANNED_MAX", len(listing.rows))
    for accept in ("application/json", "text/csv"):
        query = "&".join(f"{name}={text}" for name, text in listing.span.items())
        answer = listing.viewer.get(f"/v1/payments?{query}&sort=state", Accept=accept)
        assert (answer.status_code, answer.get_json()["errors"][0]["parameter"]) == (422, "created_at[gte]")
    monkeypatch.setattr(payment_search, "SCANNED_MAX", len(listing.rows) + 1)
    assert len(listing.get(**listing.span, sort="state", limit="100")["data"]) == len(listing.rows)
