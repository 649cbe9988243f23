"""The overview and what belongs to a payment, over HTTP."""

from typing import Any

import pytest

from models import overview
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import order, park
from tests.gateway.webhooks import helpers


def counts(ops: ApiUser) -> dict[str, Any]:
    return {count["name"]: count["count"] for count in ops.get("/v1/ops/overview").get_json()["counts"]}


def test_overview_counts_what_was_accepted_and_what_waits(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops, wallet = api.person("ops"), client.wallet("5.00")
    before = ops.get("/v1/ops/overview").get_json()
    poor = {"source": wallet, "target": api.person().wallet(), "amount": "999.00", "currency": "EUR"}
    client.order("/v1/transfers", poor)
    api.post_payments()
    ids = [order(client, wallet) for _ in range(3)]
    park(api, ids[0])
    body = ops.get("/v1/ops/overview").get_json()
    minute, _, hour = body["windows"]
    assert [window["seconds"] for window in body["windows"]] == [60, 300, 3600]
    grown = {name: hour[name] - before["windows"][2][name] for name in ("accepted", "failed", "initiated")}
    assert grown == {"accepted": 4, "failed": 1, "initiated": 3}
    assert minute["is_estimate"] is False
    assert 0 < hour["p50_seconds"] <= hour["p95_seconds"] <= hour["p99_seconds"]
    assert (len(body["slots"]), body["slot_seconds"], body["slots"][0]["begins_at"] < body["at"]) == (60, 60, True)
    assert {"failure": "insufficient_funds", "count": 1} in [row for slot in body["slots"] for row in slot["failures"]]
    assert (counts(ops)["waiting"], counts(ops)["parked"]) == (2, 1)
    day = ops.get("/v1/ops/overview?span=day").get_json()
    assert day["slot_seconds"] == 1440
    assert sum(slot["accepted"] for slot in day["slots"]) == sum(slot["accepted"] for slot in body["slots"])
    monkeypatch.setattr(overview, "SAMPLED_MAX", 2)
    estimated = ops.get("/v1/ops/overview").get_json()["windows"][2]
    assert estimated["is_estimate"] is True
    assert estimated["accepted"] >= 2


def test_what_belongs_to_a_payment_is_shown_with_it(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    ops, endpoint = api.person("auditor"), helpers.endpoint(merchant)
    charge = merchant.charge(customer_wallet, "10.00")
    api.post_payments()
    refund = merchant.order("/v1/refunds", {"charge": charge, "amount": "1.00", "reason": "duplicate"}).get_json()["id"]
    api.post_payments()
    [sequence] = api.execute("SELECT sequence FROM events WHERE subject_id = %s AND name = 'payment.completed'", charge)
    delivery = helpers.delivery(api, endpoint, sequence=sequence, subject_id=charge)
    helpers.delivery(api, endpoint, sequence=sequence + 1_000_000, subject_id=refund)
    body = ops.get(f"/v1/ops/payments/{charge}/related").get_json()
    assert [(child["id"], child["type"], child["amount"]) for child in body["children"]] == [(refund, "refund", "1.00")]
    assert [(sent["id"], sent["endpoint"], sent["state"]) for sent in body["deliveries"]] == [
        (delivery, endpoint, "pending")
    ]
    assert ops.get(f"/v1/ops/payments/{refund}/related").get_json()["parent"] == charge
