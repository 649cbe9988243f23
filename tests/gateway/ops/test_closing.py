"""Closing a month: the books of ops, by the days of a time zone."""

import csv
import io
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import pytest

from models import closing, closing_events, period_sum
from models.session import transaction
from tests.gateway.ops.past_months import Past
from tests.gateway.reconciliation.statements import paid, returned


def check(body: dict[str, Any]) -> None:
    """Debits are credits, balances sum to zero, and each line is right in itself."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for line in body["trial_balance"]:
        opening, debits, credits, closed = (Decimal(line[name]) for name in ("opening", "debits", "credits", "closing"))
        assert closed == opening + credits - debits
        for name in ("opening", "debits", "credits", "closing"):
            sums[line["currency"]][name] += Decimal(line[name])  # type: ignore[assignment]
    assert sums
    for total in sums.values():
        assert (total["opening"], total["closing"]) == (0, 0)
        assert total["debits"] == total["credits"]


def test_months_follow_each_other_and_lead_to_the_balances(past: Past) -> None:
    february, march, april = (past.closing(f"2026-0{month}") for month in (2, 3, 4))
    for body in (february, march):
        check(body)
    assert april["trial_balance"] and all(
        line["debits"] == line["credits"] == "0.00" for line in april["trial_balance"]
    )
    closed = {line["code"]: line["closing"] for line in march["trial_balance"]}
    assert {line["code"]: line["opening"] for line in april["trial_balance"]} == closed
    for code in ("wire", "commission", "internal"):
        [balance] = past.api.execute("SELECT balance FROM accounts WHERE code = %s AND currency = 'EUR'", code)
        assert Decimal(closed[code]) * 100 == balance
    [customers] = past.api.execute("SELECT sum(balance) FROM accounts WHERE owner_id IS NOT NULL")
    assert Decimal(closed["customer"]) * 100 == customers
    assert (february["is_over"], february["start"], february["end"]) == (
        *(True, "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
    )


def test_month_has_its_payments_commission_and_adjustments(past: Past) -> None:
    march = past.closing("2026-03")
    assert [(line["type"], line["state"], line["count"], line["amount"]) for line in march["payments"]] == [
        ("adjustment", "COMPLETED", 1, "3.00"),
        ("charge", "COMPLETED", 4, "15.00"),
        ("charge", "FAILED", 1, "1000.00"),
        ("refund", "COMPLETED", 1, "4.00"),
    ]
    assert [(line["merchant"], line["type"], line["taken"], line["given_back"]) for line in march["commission"]] == [
        (past.shop.id, "charge", "1.50", "0.00"),
        (past.shop.id, "refund", "0.00", "0.40"),
    ]
    [line] = march["adjustments"]
    assert (line["amount"], line["reason"], line["proposed_by"]) == ("3.00", "Lost in the post", past.ops.id)
    assert past.closing("2026-02")["payments"] == [
        {"type": "deposit", "state": "COMPLETED", "currency": "EUR", "count": 1, "amount": "100.00"}
    ]


def test_month_begins_and_ends_at_midnight_of_its_time_zone(past: Past) -> None:
    """22:30 UTC on 31 March is April in Berlin, where the clocks have gone forward."""
    march, april = (past.closing(f"2026-0{month}", "Europe/Berlin") for month in (3, 4))
    check(march)
    check(april)
    assert (march["start"], march["end"]) == ("2026-02-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00")
    assert (march["adjustments"], len(april["adjustments"])) == ([], 1)
    assert [line["type"] for line in april["payments"]] == ["adjustment"]


@pytest.mark.parametrize(
    ("month", "timezone", "start", "end"),
    [
        ("2026-11", "America/Havana", "2026-11-01T04:00:00+00:00", "2026-12-01T05:00:00+00:00"),
        ("2026-10", "America/Havana", "2026-10-01T04:00:00+00:00", "2026-11-01T04:00:00+00:00"),
        ("2017-10", "America/Asuncion", "2017-10-01T04:00:00+00:00", "2017-11-01T03:00:00+00:00"),
    ],
)
def test_month_begins_at_its_first_moment_when_midnight_is_twice_or_never(
    past: Past, month: str, timezone: str, start: str, end: str
) -> None:
    closed = past.closing(month, timezone)
    assert (closed["start"], closed["end"]) == (start, end)


def test_pages_of_events_add_up(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(period_sum, "NEWER_MAX", -1)
    whole = past.closing("2026-03")
    monkeypatch.setattr(closing_events, "EVENTS", closing_events.EVENTS.replace(str(closing_events.PAGE), "3"))
    assert past.closing("2026-03") == whole


def test_events_are_read_in_the_order_of_their_index(past: Past) -> None:
    """By the number of the transaction, not by its text: 10 comes after 9."""
    page = {"xact": "3", "sequence": -1, "until": "2026-03-01T00:00:00Z", "ids_before": "2026-03-01T00:00:00Z"}
    with transaction(past.api.owner) as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {closing_events.EVENTS}", page))
    assert "events_pkey" in plan
    assert "Sort Key: e." not in plan, "only the page is sorted, for its last event"


def test_what_was_open_at_the_end_is_told_of_any_month(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the present month it is what is open now; in an earlier one also what became final since."""
    api = past.api
    assert past.closing("2026-03")["open"] == []
    held = past.shop.charge(past.wallet, "1.00", capture=False)
    api.post_payments()
    waiting = past.shop.charge(past.wallet, "2.00", capture=False, scheduled_at="2999-01-01T00:00:00Z")
    [month] = api.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")
    body = past.closing(month)
    check(body)
    assert [(line["type"], line["state"], line["amount"]) for line in body["open"]] == [
        ("charge", "AUTHORIZED", "1.00"),
        ("charge", "INITIATED", "2.00"),
    ]
    moment = "2026-02-27T13:00:00Z"
    past.happened(moment)
    held, waiting = api.execute("SELECT moved(unnest(%s::uuid[]), %s)::text", [held, waiting], moment)
    assert past.closing("2026-02")["open"] == body["open"], "as they are still open"
    past.shop.order(f"/v1/charges/{held}/void", {})
    past.shop.order(f"/v1/payments/{waiting}/cancel", {})
    api.post_payments()
    assert past.closing(month)["open"] == []
    assert past.closing("2026-02")["open"] == past.closing("2026-03")["open"] == body["open"], "as they were"
    [line] = [line for line in past.closing(month)["payments"] if line["type"] == "charge"]
    assert (line["state"], line["count"]) == ("FAILED", 2), "accepted months ago, and final in this one"
    monkeypatch.setattr(period_sum, "NEWER_MAX", -1)
    monkeypatch.setattr(closing, "EVENTS_MAX", 0)
    assert past.closing("2026-02")["open"] is None


def test_closing_is_a_file_and_a_page(past: Past) -> None:
    body = past.closing("2026-03")
    text = past.closing("2026-03", Accept="text/csv").get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert Counter(row["section"] for row in rows) == {
        name: len(body[name]) for name in ("trial_balance", "payments", "commission", "open", "adjustments")
    }
    assert [row["closing"] for row in rows if row["section"] == "trial_balance"] == [
        line["closing"] for line in body["trial_balance"]
    ]
    page = past.closing("2026-03", Accept="text/html")
    own = past.shop.get("/v1/closing?month=2026-03", Accept="text/html")
    assert '<td>2026-03-30</td><td>EUR</td><td class="money">0.00</td>' in own.get_data(as_text=True)
    for answer in (page, own):
        assert "script" not in answer.headers["Content-Security-Policy"]
    assert "<td>commission</td><td>EUR</td>" in page.get_data(as_text=True)
    lines = past.closing("2026-03", Accept="application/x-ndjson").get_data(as_text=True).splitlines()
    assert len(lines) == len(rows)


def test_month_has_the_returns_of_banks_and_sums_to_zero_with_them(past: Past) -> None:
    api = past.api
    withdrawal = paid(api, past.client, past.wallet, "5.00")
    payment = returned(api, withdrawal, 2_00, "R-1")
    [month] = api.execute("SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') FROM returns")
    body = past.closing(month)
    check(body)
    [line] = body["returns"]
    assert line.pop("returned_at")
    assert line == {
        **{"withdrawal": withdrawal, "payment": payment, "rail": "sepa", "bank_reference": "R-1"},
        **{"currency": "EUR", "amount": "2.00", "reason": None},
    }
    text = past.closing(month, Accept="text/csv").get_data(as_text=True)
    [row] = [row for row in csv.DictReader(io.StringIO(text)) if row["section"] == "returns"]
    assert (row["withdrawal"], row["bank_reference"], row["amount"]) == (withdrawal, "R-1", "2.00")


@pytest.mark.parametrize(
    "query",
    [
        *("month=2026-13", "timezone=UTC", "month=2026-03&timezone=Mars/Olympus"),
        *("month=2026-03&timezone=posix/UTC", "month=2026-03&timezone=localtime"),
        *("month=2026-03&timezone=Factory", "month=2026-03&timezone=posixrules"),
    ],
)
def test_unknown_months_and_time_zones_are_refused(past: Past, query: str) -> None:
    for person, path in ((past.ops, "/v1/ops/closing"), (past.shop, "/v1/closing")):
        assert person.get(f"{path}?{query}").status_code in (400, 422)


def test_closings_stay_when_they_are_summed_up(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far they are: nothing is, some events are, all are; what follows is there at once."""
    asked = [(f"2026-0{month}", zone) for month in (2, 3, 4) for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu")]
    [month] = past.api.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")
    asked += [(month, "UTC"), (month, "America/St_Johns")]

    def closings() -> list[dict[str, Any]]:
        return [past.closing(*each) for each in asked]

    def read() -> list[dict[str, Any]]:
        with monkeypatch.context() as patched:
            patched.setattr(period_sum, "NEWER_MAX", -1)
            return closings()

    before, steps = read(), 0
    assert all(body["payments"] for body in before[:6])
    monkeypatch.setattr(period_sum, "PAGE", 3)
    more = True
    while more:
        assert closings() == before
        with transaction(past.api.worker) as connection:
            more = period_sum.add(connection)
        steps += 1
    assert steps > 2
    for capture in (True, False):
        past.shop.charge(past.wallet, "1.00", capture=capture)
        past.api.post_payments()
        now = closings()
        assert now == read() != before
        with transaction(past.api.worker) as connection:
            period_sum.add(connection)
        assert closings() == now
        before = now
