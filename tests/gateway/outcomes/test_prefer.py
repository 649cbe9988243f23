"""`Prefer: wait`: each order and each action on a payment is answered with its outcome if that is known in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.outcomes.prefer import wait_seconds
from tests.gateway.bulks import builders
from tests.gateway.exchange.quotes import RATE, quote
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.adjustments import proposed
from tests.gateway.ops.stuck_payments import REASON, park
from tests.gateway.orders import LATER, LONG_AGO, answer_of_the_bank, deposit_into, wire_withdrawal, withdrawal
from tests.gateway.waiting.clients import PATIENT, QUICK_SECONDS, WAYS, posting, timed, waiting


def charge_of(customer_wallet: str, **members: Any) -> dict[str, Any]:
    return {"wallet": customer_wallet, "amount": "4.00", "currency": "EUR", **members}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("wait=10", 10),
        ("Wait = 7", 7),
        ('wait="12"', 12),
        ("wait=0", 0),
        ("wait=007", 7),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=" + "9" * 5000, 30),
        ("wait=5; strict", 5),
        ("respond-async, wait=10", 10),
        ('return=minimal; foo="a, wait=3", wait=9', 9),
        ("wait=3, wait=9", 3),
        ("", None),
        ("respond-async", None),
        ("waiting=3", None),
        ("handling=wait", None),
        ("foo; wait=3", None),
        ('"wait=3"', None),
        ("wait", None),
        ("wait=", None),
        ("wait=ten", None),
        ("wait=-1", None),
        ("wait=+1", None),
        ("wait=1.5", None),
        ("wait=1e1", None),
        ('wait="1', None),
        ("wait=1 2", None),
        ("wait=\u0663", None),
        ("wait=ten, wait=10", None),
    ],
)
def test_what_the_header_says(said: str, seconds: int | None) -> None:
    assert wait_seconds(said) == seconds


@WAYS
def test_an_order_posted_in_time(api: ApiHarness, client: ApiUser, way: dict[str, str]) -> None:
    wallet = client.wallet()
    with posting(api):
        answered = timed(lambda: client.order("/v1/deposits", deposit_into(wallet), **PATIENT, **way))
    assert (answered.status, answered.payment["state"], answered.applied) == (201, "COMPLETED", "wait=20")
    assert answered.seconds < QUICK_SECONDS
    assert "Retry-After" not in answered.answer.headers
    assert answered.answer.headers["Location"] == f"/v1/payments/{answered.payment['id']}"
    again = client.get(answered.answer.headers["Location"])
    assert (again.get_json(), again.headers["ETag"]) == (answered.payment, answered.answer.headers["ETag"])


@WAYS
def test_an_order_not_posted_in_time(client: ApiUser, way: dict[str, str]) -> None:
    answered = timed(lambda: client.order("/v1/deposits", deposit_into(client.wallet()), Prefer="wait=1", **way))
    assert (answered.status, answered.payment["state"], answered.applied) == (202, "INITIATED", "wait=1")
    assert answered.seconds >= 1
    assert answered.answer.headers["Retry-After"] == "1"


@WAYS
@pytest.mark.parametrize("said", ["wait=ten", "respond-async", "wait=0"])
def test_request_without_wait_is_answered_at_once(client: ApiUser, said: str, way: dict[str, str]) -> None:
    answered = timed(lambda: client.order("/v1/deposits", deposit_into(client.wallet()), Prefer=said, **way))
    assert (answered.status, answered.applied) == (202, "wait=0" if said == "wait=0" else None)
    assert answered.seconds < QUICK_SECONDS


def test_a_header_that_is_repeated(client: ApiUser) -> None:
    headers = [("Prefer", "respond-async"), ("Prefer", "wait=0"), ("Idempotency-Key", "k")]
    headers.append(("Authorization", f"Bearer {client.token}"))
    body = deposit_into(client.wallet())
    answer = client.api.app.test_client().post("/v1/deposits", json=body, headers=headers)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=0")


@WAYS
def test_what_fails_in_time_is_an_outcome_too(api: ApiHarness, client: ApiUser, way: dict[str, str]) -> None:
    order = {"source": client.wallet(), "target": client.wallet(), "amount": "5.00", "currency": "EUR"}
    with posting(api):
        answered = timed(lambda: client.order("/v1/transfers", order, **PATIENT, **way))
    assert (answered.status, answered.payment["failure"]["code"]) == (201, "insufficient_funds")


@WAYS
def test_replay_waits_too(api: ApiHarness, client: ApiUser, way: dict[str, str]) -> None:
    order = deposit_into(client.wallet())
    first = client.order("/v1/deposits", order, "key")
    with waiting(api, lambda: client.order("/v1/deposits", order, "key", **PATIENT, **way)) as [answer]:
        api.post_payments()
    answered = answer.result()
    assert (answered.status, answered.payment["id"]) == (201, first.get_json()["id"])
    assert answered.answer.headers["Idempotent-Replayed"] == "true"
    late = timed(lambda: client.order("/v1/deposits", order, "key", **PATIENT, **way))
    assert (late.status, late.applied, late.payment) == (201, "wait=20", answered.payment)
    assert late.answer.headers["Idempotent-Replayed"] == "true"
    assert client.order("/v1/deposits", order, "key", **way).status_code == 202


@WAYS
def test_a_wait_ends_when_the_money_is_held(
    api: ApiHarness, merchant: ApiUser, customer_wallet: str, way: dict[str, str]
) -> None:
    merchant.wallet()
    order = charge_of(customer_wallet, capture=False)
    with posting(api):
        answered = timed(lambda: merchant.order("/v1/charges", order, "key", **PATIENT, **way))
    assert (answered.status, answered.payment["state"], answered.applied) == (202, "AUTHORIZED", "wait=20")
    assert answered.answer.headers["Retry-After"] == "1"
    again = timed(lambda: merchant.order("/v1/charges", order, "key", **PATIENT, **way))
    assert (again.status, again.payment) == (202, answered.payment)
    assert max(answered.seconds, again.seconds) < QUICK_SECONDS


@WAYS
def test_withdrawals_and_the_wait_for_the_bank(
    api: ApiHarness, client: ApiUser, customer_wallet: str, way: dict[str, str]
) -> None:
    with posting(api):
        held = timed(lambda: client.order("/v1/withdrawals", wire_withdrawal(customer_wallet), **PATIENT, **way))
        out = timed(
            lambda: client.order("/v1/withdrawals", withdrawal(customer_wallet, target="crypto"), **PATIENT, **way)
        )
    assert (held.status, held.payment["state"]) == (202, "AUTHORIZED")
    path = f"/v1/payments/{held.payment['id']}"
    with waiting(api, lambda: client.get(path, **PATIENT, **way)) as [answer]:
        answer_of_the_bank(api, held.payment["id"], is_confirmed=True)
    assert (answer.result().status, answer.result().payment["state"]) == (200, "COMPLETED")
    assert (out.status, out.payment["state"]) == (201, "COMPLETED")


def test_refunds_and_exchanges(api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str) -> None:
    api.person("ops").call("PUT", "/v1/exchange-rates", json=RATE)
    merchant.wallet()
    with posting(api):
        charge = merchant.order("/v1/charges", charge_of(customer_wallet), **PATIENT)
        refund = merchant.order("/v1/refunds", {"charge": charge.get_json()["id"], "reason": "duplicate"}, **PATIENT)
        by = {"source": customer_wallet, "target": client.wallet(currency="USD"), "quote": quote(client, "10.00")["id"]}
        exchange = client.order("/v1/exchanges", by, **PATIENT)
    for answer in (charge, refund, exchange):
        assert (answer.status_code, answer.get_json()["state"]) == (201, "COMPLETED"), answer.get_json()
        assert answer.headers["Preference-Applied"] == "wait=20"


def test_captures_voids_and_cancels(api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str) -> None:
    merchant.wallet()
    held = [merchant.order("/v1/charges", charge_of(customer_wallet, capture=False)).get_json()["id"] for _ in range(2)]
    api.post_payments()
    paths = [f"/v1/charges/{held[0]}/capture", f"/v1/charges/{held[1]}/void"]
    later = client.order("/v1/transfers", _transfer(client, customer_wallet) | {"scheduled_at": LATER}).get_json()
    paths.append(f"/v1/payments/{later['id']}/cancel")
    with posting(api):
        ends = [
            (client if "cancel" in path else merchant).order(path, {}, path, **PATIENT).get_json() for path in paths
        ]
        again = merchant.order(paths[0], {}, paths[0], **PATIENT)
    assert [(end["state"], end["failure"] and end["failure"]["code"]) for end in ends] == [
        ("COMPLETED", None), ("FAILED", "canceled"), ("FAILED", "canceled"),
    ]  # fmt: skip
    assert (again.status_code, again.get_json()) == (200, ends[0])
    assert merchant.order(paths[0], {}, paths[0]).status_code == 202


@WAYS
def test_what_is_scheduled_is_not_waited_for(client: ApiUser, customer_wallet: str, way: dict[str, str]) -> None:
    order = _transfer(client, customer_wallet) | {"scheduled_at": LATER}
    answered = timed(lambda: client.order("/v1/transfers", order, **PATIENT, **way))
    assert (answered.status, answered.payment["state"], answered.applied) == (202, "INITIATED", "wait=20")
    assert answered.seconds < QUICK_SECONDS


@WAYS
def test_payment_scheduled_within_the_wait_is_waited_for(
    api: ApiHarness, client: ApiUser, customer_wallet: str, way: dict[str, str]
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    with posting(api):
        for at in (LONG_AGO, soon):
            answer = client.order(
                "/v1/transfers", _transfer(client, customer_wallet) | {"scheduled_at": at}, **PATIENT, **way
            )
            assert (answer.status_code, answer.get_json()["state"]) == (201, "COMPLETED"), at


def test_a_bulk_whose_lines_are_yet_to_come_is_not_waited_for(api: ApiHarness, customer_wallet: str) -> None:
    merchant, _ = builders.organization(api, "100.00")
    order = {"currency": "EUR", "charges": [{"wallet": customer_wallet, "amount": "1.00"}], "is_open": True}
    answered = timed(lambda: merchant.order(builders.CHARGES, order, **PATIENT))
    assert (answered.status, answered.payment["is_open"], answered.applied) == (202, True, "wait=20")
    assert answered.seconds < QUICK_SECONDS


def _transfer(client: ApiUser, customer_wallet: str) -> dict[str, Any]:
    return {"source": customer_wallet, "target": client.wallet(), "amount": "1.00", "currency": "EUR"}


def test_a_retry_by_ops(api: ApiHarness, client: ApiUser) -> None:
    ops = api.person("ops")
    id = client.order("/v1/deposits", deposit_into(client.wallet())).get_json()["id"]
    park(api, id)
    path = f"/v1/ops/payments/{id}/retry"
    late = timed(lambda: ops.call("POST", path, json=REASON, headers={"Prefer": "wait=1"}))
    assert (late.status, late.payment["state"], late.applied) == (202, "INITIATED", "wait=1")
    with posting(api):
        done = timed(lambda: ops.call("POST", path, json=REASON, headers=PATIENT))
    assert (done.status, done.payment["state"], done.applied) == (200, "COMPLETED", "wait=20")


def test_the_approval_of_an_adjustment(api: ApiHarness, client: ApiUser) -> None:
    ops, chief = api.person("ops"), api.person("ops")
    wallet = client.wallet("10.00")
    path = f"/v1/ops/adjustments/{proposed(ops, client)}/approve"
    with posting(api):
        answered = timed(lambda: chief.call("POST", path, json={}, headers=PATIENT))
    assert (answered.status, answered.payment["state"], answered.applied) == (201, "approved", "wait=20")
    assert client.balance(wallet) == "14.00"


def test_bulks(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    merchant, _ = builders.organization(api, "100.00")
    charges = {"currency": "EUR", "charges": [{"wallet": customer_wallet, "amount": "1.00"}]}
    with posting(api):
        done = merchant.order(builders.CHARGES, charges, "key", **PATIENT)
        held = merchant.order(builders.TRANSFERS, builders.order(builders.line()), Prefer="wait=1")
        again = merchant.order(builders.CHARGES, charges, "key", **PATIENT)
    assert (done.status_code, done.get_json()["state"], done.headers["Preference-Applied"]) == (
        201, "COMPLETED", "wait=20",
    )  # fmt: skip
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert (held.status_code, held.get_json()["state"], held.headers["Retry-After"]) == (202, "INITIATED", "1")
    path = held.headers["Location"]
    tag = {"If-None-Match": merchant.get(path).headers["ETag"]}
    line = builders.lines(merchant, held)[0]["payment"]
    with waiting(api, *[lambda way=way: merchant.get(path, **PATIENT, **way) for way in ({}, tag)]) as answers:
        builders.answer_of_the_bank(api, "confirm", [line])
    assert [(answer.result().status, answer.result().payment["state"]) for answer in answers] == [
        (200, "COMPLETED")
    ] * 2
    assert merchant.get(path, **PATIENT, **{"If-None-Match": "*"}).status_code == 304
