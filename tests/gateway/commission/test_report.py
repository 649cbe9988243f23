"""The report of commission taken: equal to the operations."""

from datetime import timedelta
from typing import Any

import pytest

from embedded.postgres import Postgres
from models import period_sum
from tests.gateway.commission.commissions import DAY, ordered
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, charge_commission, past_the_triggers
from workers.final_counts import count_up


def test_report_equals_the_operations(postgres: Postgres, fresh_database: Database) -> None:
    charge_commission(postgres, fresh_database.name)
    api = ApiHarness(fresh_database)
    ops, client, merchant = api.person("ops"), api.person(), api.person("merchant")
    today = api.execute("SELECT (now() AT TIME ZONE 'UTC')::date")[0]
    for currency, funds, amount in (("EUR", "100.00", "10.00"), ("JPY", "10000", "1000")):
        customer_wallet, merchant_wallet = client.wallet(funds, currency), merchant.wallet(currency=currency)
        ordered(
            client, "/v1/transfers", source=customer_wallet, target=merchant_wallet, amount=amount, currency=currency
        )
        charge = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount=amount, currency=currency)
        api.post_payments()
        merchant.order("/v1/refunds", {"charge": charge, "reason": "duplicate"})
        api.post_payments()

    def report(first: Any, last: Any, rest: str = "") -> list[dict[str, Any]]:
        return ops.get(f"/v1/ops/commissions?from={first}&to={last}{rest}").get_json()["data"]

    def operations(*asked: Any) -> list[dict[str, Any]]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(period_sum, "NEWER_MAX", -1)
            return report(*asked)

    euros = {"currency": "EUR", "taken": "0.40", "given_back": "0.20", "net": "0.20", "payments": 3}
    yen = {"currency": "JPY", "taken": "40", "given_back": "20", "net": "20", "payments": 3}
    days = report(today - DAY, today + DAY)
    assert days == operations(today - DAY, today + DAY)
    assert [{name: row[name] for name in euros} for row in days] == [euros, yen]
    assert {row["date"] for row in days} <= {today.isoformat(), (today + DAY).isoformat()}
    assert [row["currency"] for row in report(today - DAY, today + DAY, "&currency=JPY")] == ["JPY"]
    assert report(today - 3 * DAY, today - DAY) == []
    assert report(today + 2 * DAY, today + 3 * DAY) == []

    moving = "UPDATE operations SET created_at = %s::date::timestamp AT TIME ZONE 'UTC' + %s WHERE currency = 'EUR'"
    for moved, day in ((-timedelta(microseconds=1), today - DAY), (timedelta(0), today)):
        past_the_triggers(postgres, fresh_database.name, moving, today, moved)
        [row] = report(day, day, "&currency=EUR")
        assert row == {"date": day.isoformat(), **euros}
        assert report(day - DAY, day - DAY, "&currency=EUR") == report(day + DAY, day + DAY, "&currency=EUR") == []
        assert operations(day, day, "&currency=EUR") == [row]

    before = report(today, today)
    assert not count_up(api.worker, 60)
    assert report(today, today) == before == operations(today, today), "summed up by the day"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-01-01", "required"),
        ("to=2026-01-01", "required"),
        ("from=2026-01-02&to=2026-01-01", "invalid_value"),
        ("from=2024-01-01&to=2025-01-01", "invalid_value"),
        ("from=2026-02-30&to=2026-03-01", "invalid_value"),
        ("from=2026-1-1&to=2026-03-01", "invalid_value"),
        ("from=0001-01-01&to=2026-01-01", "invalid_value"),
        ("from=2026-01-01&to=2026-01-01&currency=eur", "currency_unknown"),
        ("from=2026-01-01&to=2026-01-01&type=charge", "unknown_parameter"),
    ],
)
def test_invalid_report_ranges_are_refused(ops: ApiUser, query: str, code: str) -> None:
    answer = ops.get(f"/v1/ops/commissions?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_report_of_a_leap_year(ops: ApiUser) -> None:
    assert ops.get("/v1/ops/commissions?from=2024-01-01&to=2024-12-31").status_code == 200
