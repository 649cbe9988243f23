"""Lists as files: CSV and JSON Lines by Accept, whole, streamed, and harmless in a spreadsheet (N69)."""

import csv
import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.http.payment_schemas import PaymentSchema
from gateway.lists import exports
from gateway.lists.exports import CSV, JSON_LINES
from gateway.wallets.schemas import HistoryRowSchema
from models.rules.spreadsheet import cell
from tests.gateway.harness import ApiHarness, ApiUser

EVIL = [
    "=1+1",
    "+1-2",
    "-1+cmd|' /C calc'!A0",
    '@SUM(1,2)"',
    " =1",
    "'=1",
    "\"x\",'y'",
    "a;b,c",
    "=\u202f1",
    "-5.00",
    "Zoë",
]


class Shelf:
    """A client whose transfers have summaries that want to be more than text, oldest first."""

    def __init__(self, api: ApiHarness) -> None:
        self.person = api.person("client", "=Ann")
        self.customer_wallet, self.other = self.person.wallet("100.00"), self.person.wallet()
        for text in EVIL:
            order = {
                "source": self.customer_wallet,
                "target": self.other,
                "amount": "1.00",
                "currency": "EUR",
                "summary": text,
            }
            answer = self.person.order("/v1/transfers", {**order, "metadata": {"=note": text}})
            assert answer.status_code == 202, text
        api.post_payments()
        self.lists = {"payments": "/v1/payments", "operations": f"/v1/wallets/{self.customer_wallet}/operations"}

    def file(self, name: str, media_type: str, query: str = "") -> TestResponse:
        return self.person.get(self.lists[name] + query, Accept=media_type)

    def records(self, name: str, query: str = "") -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.file(name, CSV, query).get_data(as_text=True), newline="")))

    def lines(self, name: str, query: str = "") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file(name, JSON_LINES, query).get_data(as_text=True).splitlines()]

    def page(self, name: str) -> list[dict[str, Any]]:
        return self.person.get(f"{self.lists[name]}?limit=100").get_json()["data"]


@pytest.fixture(scope="module")
def shelf(api: ApiHarness) -> Shelf:
    return Shelf(api)


@pytest.fixture(params=["payments", "operations"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_json_lines_are_the_rows_of_the_list(shelf: Shelf, name: str) -> None:
    assert shelf.lines(name) == shelf.page(name)
    assert len(shelf.lines(name)) == len(EVIL) + 1


def test_csv_has_a_column_for_every_member(shelf: Shelf, name: str) -> None:
    page, records = shelf.page(name), shelf.records(name)
    schema = {"payments": PaymentSchema, "operations": HistoryRowSchema}[name]
    assert {column.partition("_")[0] for column in records[0]} == {
        member.partition("_")[0] for member in schema().fields
    }
    assert len(records) == len(page)
    for record, row in zip(records, page, strict=True):
        for column in ("amount", "currency", "balance_after", "created_at", "type"):
            assert record[column] == row[column]
        assert record["failure_code"] == ""
    if name == "payments":
        assert records[0]["source_wallet"] == shelf.customer_wallet
        assert records[0]["source_name"] == "'=Ann"
        assert json.loads(records[0]["metadata"]) == page[0]["metadata"]
    else:
        assert records[0]["success"] == "true"
        assert records[0]["amount"] == "-1.00"


def test_n69_no_cell_is_a_formula(shelf: Shelf, name: str) -> None:
    summaries = [record["summary"] for record in shelf.records(name)][-2::-1]
    assert [text.removeprefix("'") if text not in EVIL else text for text in summaries] == EVIL
    for record in shelf.records(name):
        for text in record.values():
            is_number = text.removeprefix("-").replace(".", "", 1).isdigit()
            assert is_number or not text.strip(" \n").startswith(("=", "+", "-", "@", "\t", "\r")), text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(f"{sign}x", f"'{sign}x") for sign in "=+-@\t\r"],
        *[(f"{sign}1", f"'{sign}1") for sign in "=+@\t\r"],
        *[(number, number) for number in ("-1", "-0.05", "12.50", "0")],
        *[(text, "'" + text) for text in ("-1\n", "-1e5", "-1.2.3", "- 1", "--1", "\n=1", "  @x", "-")],
        *[(f"{blank}=1", f"'{blank}=1") for blank in "\u00a0\u2003\u3000\u2028\v\f\u200b\ufeff\u00ad"],
        *[(f"{sign}1", f"'{sign}1") for sign in "\uff1d\uff0b\uff0d\uff20"],
        *[(f"\u3000 \t{sign}1", f"'\u3000 \t{sign}1") for sign in "=\uff0b"],
        *[(text, text) for text in ("x=1", "\u00a0x", "\u00e9=1", "a@b", "", "'=1", "1-2")],
        *[(None, ""), (True, "true"), (3, "3"), (-3, "-3"), ({"=a": "é"}, '{"=a": "é"}')],
    ],
)
def test_n69_cells(value: Any, text: str) -> None:
    assert cell(value) == text


def test_files_say_what_they_are(shelf: Shelf, name: str) -> None:
    for media_type, ending in ((CSV, "csv"), (JSON_LINES, "jsonl")):
        answer = shelf.file(name, media_type)
        assert answer.headers["Content-Type"] == f"{media_type}; charset=utf-8"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{ending}"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Rows-Max"] == str(exports.ROWS_MAX)


@pytest.mark.parametrize("rows", [1, 2, 3, len(EVIL), len(EVIL) + 1, 100])
def test_files_are_whole_however_they_are_read(
    shelf: Shelf, name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", rows)
    assert shelf.lines(name) == shelf.page(name)
    assert len(shelf.records(name)) == len(EVIL) + 1
    monkeypatch.setattr(exports, "ROWS_MAX", 5)
    assert shelf.lines(name) == shelf.page(name)[:5]


def test_files_are_sorted_as_the_list_is(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    first, *_, last = (row["created_at"].replace("+00:00", "Z") for row in reversed(shelf.page("payments")))
    query = f"?sort=-amount&currency=EUR&created_at[gte]={first}&created_at[lte]={last}"
    assert [row["amount"] for row in shelf.lines("payments", query)] == ["100.00", *["1.00"] * len(EVIL)]


def test_no_connection_is_held_while_a_file_is_read(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, api: ApiHarness
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 1)
    pool = api.app.extensions["gateway"].engine.pool
    for path in shelf.lists.values():
        headers = {"Authorization": f"Bearer {shelf.person.token}", "Accept": JSON_LINES}
        with api.app.test_client().get(path, headers=headers) as answer:
            lines = answer.iter_encoded()
            for _ in range(3):
                assert json.loads(next(iter(lines)))
                assert pool.checkedout() == 0


def test_filters_hold_for_files(shelf: Shelf) -> None:
    assert len(shelf.lines("payments", "?type=deposit")) == len(shelf.records("operations", "?type=deposit")) == 1
    assert shelf.lines("operations", "?success=false") == []
    assert shelf.file("payments", CSV, "?state=FAILED").get_data(as_text=True).count("\n") == 1


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?limit=5", 422, "invalid_value"),
        ("?x=1", 422, "unknown_parameter"),
        ("?cursor=x", 400, "bad_cursor"),
        ("?type=x", 422, "invalid_value"),
    ],
)
def test_what_is_no_file(shelf: Shelf, name: str, query: str, status: int, code: str) -> None:
    for media_type in (CSV, JSON_LINES):
        answer = shelf.file(name, media_type, query)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        assert answer.get_json()["code"] == code


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("text/csv, application/json;q=0.5", CSV),
        ("application/json, text/csv;q=0.9", "application/json"),
        ("*/*", "application/json"),
        ("application/x-ndjson;q=0.2, text/csv;q=0.1", JSON_LINES),
        ("text/*", CSV),
    ],
)
def test_accept_decides(shelf: Shelf, name: str, accept: str, mimetype: str) -> None:
    answer = shelf.person.api.app.test_client().get(
        shelf.lists[name], headers={"Authorization": f"Bearer {shelf.person.token}", "Accept": accept}
    )
    assert (answer.status_code, answer.mimetype) == (200, mimetype)


def test_what_cannot_be_answered_with(shelf: Shelf, name: str) -> None:
    for accept in ("text/html", "application/pdf", "text/csv;q=0"):
        assert shelf.file(name, accept).status_code == 406
    assert shelf.person.get("/v1/wallets", Accept=CSV).status_code == 406


def test_n08_files_are_for_those_who_see_the_list(shelf: Shelf, stranger: ApiUser) -> None:
    for media_type in (CSV, JSON_LINES):
        assert stranger.get(shelf.lists["operations"], Accept=media_type).status_code == 404
        assert stranger.get("/v1/payments", Accept=media_type).get_data(as_text=True).count("\n") == (media_type == CSV)
        assert shelf.person.api.anonymous().get("/v1/payments", Accept=media_type).status_code == 401


def test_the_contract_names_the_forms_of_a_list(api: ApiHarness) -> None:
    for path, others in {
        "/v1/payments": [CSV, JSON_LINES],
        "/v1/wallets/{token}/operations": [CSV, JSON_LINES],
        "/v1/wallets/{token}/statement": [CSV, JSON_LINES, "text/html"],
    }.items():
        content = api.contract["paths"][path]["get"]["responses"]["200"]["content"]
        assert list(content) == ["application/json", *others]
