"""A merchant's month by the days of a time zone: from sums, and from what is not summed up yet."""

import pytest

from models import merchant_sum
from models.session import transaction
from tests.gateway.ops.past_months import Past
from workers.merchant_sums import sum_up


def test_days_of_a_merchant_are_those_of_the_time_zone(past: Past) -> None:
    assert past.days("2026-03") == {"2026-03-28": "2.70", "2026-03-29": "10.80", "2026-03-30": "-3.60"}
    assert past.days("2026-03", "Europe/Berlin") == {
        **{"2026-03-28": "0.90", "2026-03-29": "5.40", "2026-03-30": "3.60"},
    }
    assert past.days("2026-03", "America/New_York") == {
        "2026-03-28": "2.70",
        "2026-03-29": "10.80",
        "2026-03-30": "-3.60",
    }
    body = past.shop.get("/v1/closing?month=2026-03").get_json()
    assert body["days"][2] == {
        **{"date": "2026-03-30", "currency": "EUR", "gross": "0.00", "commission": "-0.40"},
        **{"refunds": "4.00", "net": "-3.60"},
    }
    assert past.client.get("/v1/closing?month=2026-03").get_json()["days"] == [], "nobody else's"


def test_days_of_a_merchant_stay_when_they_are_summed_up(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far they are: nothing is, some operations are, all are; days are those of any time zone."""
    asked = [(month, zone) for month in ("2026-03", "2026-04") for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu")]
    before = [past.shop.get(f"/v1/closing?month={month}&timezone={zone}").get_json() for month, zone in asked]
    monkeypatch.setattr(merchant_sum, "NEXT", merchant_sum.NEXT.replace(str(merchant_sum.PAGE), "3"))
    [wallet, last] = past.api.execute(
        "SELECT unnest(ARRAY[id::text, last_seq::text]) FROM accounts WHERE token = %s", past.shop_wallet
    )
    steps = 0
    while True:
        assert [past.shop.get(f"/v1/closing?month={m}&timezone={z}").get_json() for m, z in asked] == before
        with transaction(past.api.worker) as connection:
            if wallet not in merchant_sum.behind(connection):
                break
            merchant_sum.add(connection, wallet)
        steps += 1
    assert steps == -(-int(last) // 3) > 2
    charged = past.shop.charge(past.wallet, "1.00")
    past.api.post_payments()
    [month] = past.api.execute(
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') FROM payments WHERE id = %s", charged
    )
    days = past.days(month)
    assert list(days.values()) == ["0.90"], "what is not summed up yet is there too"
    assert not sum_up(past.api.worker)
    assert past.days(month) == days


def test_midnight_of_every_time_zone_begins_a_quarter(past: Past) -> None:
    assert past.api.execute("SELECT count(*) FROM pg_timezone_names") > [300]
    odd = "SELECT name FROM pg_timezone_names WHERE extract(epoch FROM utc_offset)::integer %% 900 <> 0"
    assert past.api.execute(odd) == []
