"""A wallet's statement of a month: opening and lines make closing, month after month, in every form."""

import base64
import calendar
import csv
import hashlib
import io
import json
import random
import re
from html import unescape
from itertools import pairwise
from typing import Any

import pytest

from gateway.lists.print_page import STYLE
from gateway.wallets import statement
from models import account_history
from tests.gateway.harness import ApiHarness, ApiUser

MONTHS = [f"2026-{month:02}" for month in range(1, 7)]
MOVEMENTS = 60
SCRIPT = "<script>alert(1)</script>"


def cents(text: str) -> int:
    return int(text.replace(".", ""))


class Year:
    """A client and a merchant with random payments, commission included, spread over half a year."""

    def __init__(self, api: ApiHarness) -> None:
        api.execute("ALTER TABLE commission_terms DISABLE TRIGGER USER")
        api.execute("UPDATE commission_terms SET percent = 3.33 WHERE type IN ('transfer', 'charge')")
        self.api, chance = api, random.Random(4)
        self.ann, self.shop = api.person("client", SCRIPT), api.person("merchant", '=Shop & "Sons"')
        self.customer_wallet, self.second, self.merchant_wallet = (
            self.ann.wallet("500.00"),
            self.ann.wallet("50.00"),
            self.shop.wallet("100.00"),
        )
        self.wallets = {self.customer_wallet: self.ann, self.second: self.ann, self.merchant_wallet: self.shop}
        for _ in range(MOVEMENTS):
            self._move(chance)
        api.post_payments()
        self._spread()

    def _move(self, chance: random.Random) -> None:
        money = {"amount": f"{chance.randint(1, 4000) / 100:.2f}", "currency": "EUR", "summary": f"{SCRIPT}&\"'=1"}
        if chance.random() < 0.5:
            order = {
                **money,
                "wallet": chance.choice([self.customer_wallet, self.second]),
                "target": self.merchant_wallet,
            }
            assert self.shop.order("/v1/charges", order).status_code == 202
        else:
            source, target = chance.sample(list(self.wallets), 2)
            order = {**money, "source": source, "target": target}
            assert self.wallets[source].order("/v1/transfers", order).status_code == 202

    def _spread(self) -> None:
        """Date posted payments back evenly, in their order, without the trigger."""
        self.api.execute("ALTER TABLE operations DISABLE TRIGGER operations_are_append_only")
        self.api.execute(
            "UPDATE operations o SET created_at = timestamptz '2026-01-01T00:00Z' + n * interval '6 months' / %s FROM ("
            " SELECT payment_id, rank() OVER (ORDER BY payment_id) - 1 AS n FROM operations WHERE line = 0) AS numbered"
            " WHERE numbered.payment_id = o.payment_id",
            self.api.execute("SELECT count(*) FROM operations WHERE line = 0")[0],
        )
        self.api.execute("ALTER TABLE operations ENABLE TRIGGER operations_are_append_only")

    def get(self, wallet: str, month: str, accept: str = "application/json") -> Any:
        answer = self.wallets[wallet].get(f"/v1/wallets/{wallet}/statement?month={month}", Accept=accept)
        assert answer.status_code == 200
        return answer


@pytest.fixture(scope="module")
def year(api: ApiHarness) -> Year:
    return Year(api)


@pytest.fixture(params=["customer_wallet", "second", "merchant_wallet"])
def wallet(request: pytest.FixtureRequest, year: Year) -> str:
    return getattr(year, request.param)


def test_opening_and_lines_make_closing_month_after_month(year: Year, wallet: str) -> None:
    months = [year.get(wallet, month).get_json() for month in MONTHS]
    assert [month["month"] for month in months] == MONTHS
    assert months[0]["opening"] == "0.00"
    assert months[-1]["closing"] == year.wallets[wallet].balance(wallet)
    for earlier, later in pairwise(months):
        assert earlier["closing"] == later["opening"]
    for month in months:
        balance = cents(month["opening"])
        assert month["lines"]
        for line in month["lines"]:
            balance += cents(line["amount"])
            assert cents(line["balance_after"]) == balance
            assert line["success"] is True
        assert cents(month["closing"]) == balance


def test_the_lines_are_the_history_oldest_first(year: Year, wallet: str) -> None:
    path = f"/v1/wallets/{wallet}/operations?limit=100&success=true"
    history = year.wallets[wallet].get(path).get_json()["data"]
    assert [line for month in MONTHS for line in year.get(wallet, month).get_json()["lines"]] == history[::-1]


def test_statement_closes_with_the_month_end_balance(year: Year, wallet: str) -> None:
    for month in MONTHS:
        _, days = calendar.monthrange(*map(int, month.split("-")))
        end = f"/v1/wallets/{wallet}/balance?at={month}-{days}T23:59:59.999999Z"
        closing = year.get(wallet, month).get_json()["closing"]
        assert year.wallets[wallet].get(end).get_json()["balance"] == closing


def test_months_without_movement(year: Year) -> None:
    for month, balance in (
        ("1971-01", "0.00"),
        ("2025-12", "0.00"),
        ("9998-12", year.ann.balance(year.customer_wallet)),
    ):
        statement = year.get(year.customer_wallet, month).get_json()
        assert (statement["opening"], statement["lines"], statement["closing"]) == (balance, [], balance)


def test_a_statement_as_csv(year: Year, wallet: str) -> None:
    for month in MONTHS:
        body, answer = year.get(wallet, month).get_json(), year.get(wallet, month, "text/csv")
        first, *records, last = csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline=""))
        assert (first["type"], first["balance_after"], first["amount"]) == ("opening", body["opening"], "")
        assert (last["type"], last["balance_after"], last["amount"]) == ("closing", body["closing"], "")
        assert [record["amount"] for record in records] == [line["amount"] for line in body["lines"]]
        names = {record["counterparty_name"] for record in records}
        assert not [name for name in names if name.startswith("=")]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="statement.csv"'


def test_a_statement_to_be_printed(year: Year, wallet: str) -> None:
    for month in MONTHS:
        body, text = year.get(wallet, month).get_json(), year.get(wallet, month, "text/html").get_data(as_text=True)
        cells = [unescape(cell) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", text)]
        assert (cells[0], cells[1], cells[-2], cells[-1]) == (
            "Opening balance", body["opening"], "Closing balance", body["closing"]
        )  # fmt: skip
        lines = [cells[at : at + 8] for at in range(2, len(cells) - 2, 8)]
        assert [(line[2], line[3], *line[6:]) for line in lines] == [
            (line["counterparty"]["name"], line["summary"] or "", line["amount"], line["balance_after"])
            for line in body["lines"]
        ]
        assert wallet not in text, "a finder of the paper could charge the wallet"


def test_statement_page_runs_no_script(year: Year) -> None:
    answer = year.get(year.merchant_wallet, "2026-01", "text/html")
    text, policy = answer.get_data(as_text=True), answer.headers["Content-Security-Policy"]
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert re.findall(r"\s(?:on\w+|style|src|href)=", text) == []
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; ")
    [style] = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert style == STYLE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "month",
    ["", "2026", "2026-1", "2026-13", "2026-00", "2026-01-01", "1970-12", "9999-01", "26-01", "2026-0\u0661", "%00"],
)
def test_n56_invalid_months_are_refused(year: Year, month: str) -> None:
    answer = year.ann.get(f"/v1/wallets/{year.customer_wallet}/statement?month={month}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")


def test_n50_a_statement_takes_a_month_and_nothing_else(year: Year) -> None:
    path = f"/v1/wallets/{year.customer_wallet}/statement"
    assert year.ann.get(path).get_json()["code"] == "required"
    assert year.ann.get(f"{path}?month=2026-01&limit=1").get_json()["code"] == "unknown_parameter"
    assert year.ann.get(f"{path}?month=2026-01&month=2026-02").get_json()["code"] == "repeated_parameter"
    assert year.ann.get(f"{path}?month=2026-01", Accept="application/pdf").status_code == 406


def test_n03_statement_of_anothers_wallet_answers_not_found(year: Year, stranger: ApiUser) -> None:
    for accept in ("application/json", "text/csv", "application/x-ndjson", "text/html"):
        foreign, unknown = (
            stranger.get(f"/v1/wallets/{wallet}/statement?month=2026-01", Accept=accept)
            for wallet in (year.customer_wallet, "wal_" + "x" * 32)
        )
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.get_json()["code"] == unknown.get_json()["code"] == "not_found"
    auditor = year.api.person("auditor")
    assert auditor.get(f"/v1/wallets/{year.customer_wallet}/statement?month=2026-01").status_code == 200


def net(lines: list[dict[str, Any]], sign: int) -> int:
    """The sum of the lines in that direction, without its sign."""
    return sum(abs(cents(line["amount"])) for line in lines if cents(line["amount"]) * sign > 0)


def test_totals_are_those_of_the_lines(year: Year, wallet: str) -> None:
    for month in MONTHS:
        body = year.get(wallet, month).get_json()
        totals = body["totals"]
        assert body["is_complete"] is True
        assert totals["lines"] == len(body["lines"])
        assert (cents(totals["received"]), cents(totals["paid"])) == (net(body["lines"], 1), net(body["lines"], -1))
        assert cents(body["opening"]) + cents(totals["received"]) - cents(totals["paid"]) == cents(body["closing"])


def test_totals_and_lines_by_small_pages_are_the_same(year: Year, wallet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [year.get(wallet, month).get_json() for month in MONTHS]
    for read in (account_history.between, account_history.totals):
        monkeypatch.setattr(read, "__defaults__", (1,))
    monkeypatch.setattr(account_history, "OPERATIONS_PER_PAYMENT_MAX", 3)
    assert [year.get(wallet, month).get_json() for month in MONTHS] == whole


def test_statement_above_the_line_limit_has_no_lines(year: Year, monkeypatch: pytest.MonkeyPatch) -> None:
    before = year.get(year.merchant_wallet, "2026-02").get_json()
    rows = {
        accept: year.get(year.merchant_wallet, "2026-02", accept).get_data()
        for accept in ("text/csv", "application/x-ndjson")
    }
    monkeypatch.setattr(statement, "LINES_MAX", len(before["lines"]))
    assert year.get(year.merchant_wallet, "2026-02").get_json() == before
    monkeypatch.setattr(statement, "LINES_MAX", len(before["lines"]) - 1)
    body = year.get(year.merchant_wallet, "2026-02").get_json()
    assert body == {**before, "is_complete": False, "lines": []}
    page = year.get(year.merchant_wallet, "2026-02", "text/html").get_data(as_text=True)
    for text in (body["opening"], body["closing"], f"received {body['totals']['received']}", "text/csv"):
        assert text in page
    for accept, data in rows.items():
        answer = year.get(year.merchant_wallet, "2026-02", accept)
        assert (answer.get_data(), answer.headers.get("Rows-Max")) == (data, None), "a file has all lines"


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_no_connection_is_held_while_a_statement_is_read(
    year: Year, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_history.between, "__defaults__", (1,))
    monkeypatch.setattr(account_history, "OPERATIONS_PER_PAYMENT_MAX", 3)
    services = year.api.app.extensions["gateway"]
    headers = {"Authorization": f"Bearer {year.shop.token}", "Accept": accept}
    path = f"/v1/wallets/{year.merchant_wallet}/statement?month=2026-02"
    with year.api.app.test_client().get(path, headers=headers) as answer:
        held = [services.engine.pool.checkedout() for piece in answer.iter_encoded() if piece]
    assert len(held) > 4, "opening, closing, and several batches between them"
    assert set(held) == {0}


def test_a_statement_as_json_lines(year: Year, wallet: str) -> None:
    for month in MONTHS:
        body, answer = year.get(wallet, month).get_json(), year.get(wallet, month, "application/x-ndjson")
        first, *lines, last = map(json.loads, answer.get_data(as_text=True).splitlines())
        assert (first["type"], first["balance_after"]) == ("opening", body["opening"])
        assert (last["type"], last["balance_after"]) == ("closing", body["closing"])
        assert lines == body["lines"]
