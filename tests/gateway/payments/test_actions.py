"""Charges captured later, voided, canceled and expired; payments scheduled: over HTTP, decided by the poster."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import LATER, LONG_AGO


@pytest.fixture
def held(api: ApiHarness, merchant: ApiUser, customer_wallet: str, merchant_wallet: str) -> str:
    """The id of a charge of 40.00 that is AUTHORIZED."""
    charge = merchant.order("/v1/charges", order(customer_wallet, capture=False)).get_json()
    api.post_payments()
    assert merchant.payment(charge["id"])["state"] == "AUTHORIZED"
    return charge["id"]


def order(customer_wallet: str, **members: Any) -> dict[str, Any]:
    return {"wallet": customer_wallet, "amount": "40.00", "currency": "EUR", **members}


def funds(client: ApiUser, customer_wallet: str) -> tuple[str, str, str]:
    wallet = client.get(f"/v1/wallets/{customer_wallet}").get_json()
    return wallet["balance"], wallet["held"], wallet["available"]


def story(person: ApiUser, id: str) -> tuple[str, str | None, str | None]:
    payment = person.payment(id)
    return payment["state"], payment["captured_amount"], payment["failure"] and payment["failure"]["code"]


def test_hold_reduces_available_but_not_balance(
    client: ApiUser, customer_wallet: str, held: str, merchant_wallet: str
) -> None:
    assert funds(client, customer_wallet) == ("100.00", "40.00", "60.00")
    assert story(client, held) == ("AUTHORIZED", "0.00", None)


@pytest.mark.parametrize(("body", "taken", "left"), [({}, "40.00", "60.00"), ({"amount": "15.50"}, "15.50", "84.50")])
def test_capture_takes_the_amount_and_releases_the_rest(
    api: ApiHarness,
    client: ApiUser,
    merchant: ApiUser,
    customer_wallet: str,
    merchant_wallet: str,
    held: str,
    body: dict,
    taken: str,
    left: str,
) -> None:
    answer = merchant.order(f"/v1/charges/{held}/capture", body)
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/payments/{held}")
    api.post_payments()
    assert story(merchant, held) == ("COMPLETED", taken, None)
    assert funds(client, customer_wallet) == (left, "0.00", left)
    assert merchant.balance(merchant_wallet) == taken
    again = merchant.order(f"/v1/charges/{held}/capture", body)
    assert (again.status_code, again.get_json()["code"]) == (409, "illegal_transition")


def test_void_releases_the_hold(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, held: str
) -> None:
    assert merchant.order(f"/v1/charges/{held}/void", {}).status_code == 202
    api.post_payments()
    assert story(merchant, held) == ("FAILED", "0.00", "canceled")
    assert funds(client, customer_wallet) == ("100.00", "0.00", "100.00")
    assert merchant.order(f"/v1/charges/{held}/capture", {}).get_json()["code"] == "illegal_transition"


def test_expired_hold_cannot_be_captured(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, held: str
) -> None:
    api.execute("UPDATE payments SET hold_expires_at = now() WHERE id = %s", held)
    assert merchant.order(f"/v1/charges/{held}/capture", {}).status_code == 202, "it is decided under lock"
    api.post_payments()
    assert story(merchant, held) == ("FAILED", "0.00", "expired")
    assert funds(client, customer_wallet) == ("100.00", "0.00", "100.00")
    assert api.execute("SELECT outcome FROM commands WHERE payment_id = %s", held) == ["refused"]
    assert merchant.order(f"/v1/charges/{held}/capture", {}).get_json()["code"] == "illegal_transition"


def test_hold_expires_without_any_request(api: ApiHarness, merchant: ApiUser, held: str) -> None:
    api.execute("UPDATE payments SET hold_expires_at = now() WHERE id = %s", held)
    api.post_payments()
    assert story(merchant, held) == ("FAILED", "0.00", "expired")


def test_twenty_racing_captures_and_voids_one_wins(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, held: str
) -> None:
    with ThreadPoolExecutor(20) as pool:
        ends = ["capture", "void"] * 10
        answers = list(pool.map(lambda end: merchant.order(f"/v1/charges/{held}/{end}", {}), ends))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(202), codes.count(409)) == (1, 19)
    assert {a.get_json()["code"] for a in answers if a.status_code == 409} == {"ending_ordered"}
    api.post_payments()
    won = ends[codes.index(202)]
    assert story(merchant, held)[0] == ("COMPLETED" if won == "capture" else "FAILED")
    assert merchant.balance(merchant_wallet) == ("40.00" if won == "capture" else "0.00")
    assert funds(client, customer_wallet)[1] == "0.00"


def test_capture_with_a_used_key_is_a_replay(
    api: ApiHarness, merchant: ApiUser, merchant_wallet: str, held: str
) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: merchant.order(f"/v1/charges/{held}/capture", {}, key="k"), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    api.post_payments()
    replay = merchant.order(f"/v1/charges/{held}/capture", {}, key="k")
    assert (replay.status_code, replay.get_json()["state"]) == (202, "COMPLETED")
    other = merchant.order(f"/v1/charges/{held}/capture", {"amount": "1.00"}, key="k")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    assert merchant.balance(merchant_wallet) == "40.00"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("40.01", "amount_too_large"),
        ("0", "amount_not_positive"),
        ("1.001", "amount_precision"),
        (1, "amount_must_be_string"),
    ],
)
def test_invalid_captures_are_refused(merchant: ApiUser, held: str, amount: Any, code: str, unchanged: None) -> None:
    answer = merchant.order(f"/v1/charges/{held}/capture", {"amount": amount})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


@pytest.mark.parametrize("end", ["charges/{}/capture", "charges/{}/void", "payments/{}/cancel"])
def test_only_the_initiator_may_act_on_a_payment(api: ApiHarness, client: ApiUser, held: str, end: str) -> None:
    people = (api.person("merchant"), client)
    with api.unchanged():
        for person in people:
            foreign, unknown = (person.order("/v1/" + end.format(id), {}) for id in (held, uuids.uuid7()))
            assert foreign.status_code == unknown.status_code
            assert foreign.get_json()["code"] == unknown.get_json()["code"]
            assert foreign.status_code in (403, 404)


def test_scheduled_transfer_waits_and_can_be_canceled(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    target = client.wallet()
    transfer = {"source": customer_wallet, "target": target, "amount": "1.00", "currency": "EUR", "scheduled_at": LATER}
    waiting, canceled = (client.order("/v1/transfers", transfer).get_json()["id"] for _ in range(2))
    api.post_payments()
    shown = client.payment(waiting)
    assert (shown["state"], shown["scheduled_at"]) == ("INITIATED", shown["next_attempt_at"])
    assert client.order(f"/v1/payments/{canceled}/cancel", {}).status_code == 202
    api.post_payments()
    assert story(client, canceled)[::2] == ("FAILED", "canceled")
    api.execute("UPDATE payments SET due_at = now() WHERE id = %s", waiting)
    api.post_payments()
    assert story(client, waiting)[0] == "COMPLETED"
    assert client.balance(target) == "1.00"
    assert client.order(f"/v1/payments/{waiting}/cancel", {}).get_json()["code"] == "illegal_transition"


def test_payment_scheduled_in_the_past_is_due_at_once(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    transfer = {"source": customer_wallet, "target": client.wallet(), "amount": "1.00", "currency": "EUR"}
    id = client.order("/v1/transfers", {**transfer, "scheduled_at": LONG_AGO}).get_json()["id"]
    api.post_payments()
    assert story(client, id)[0] == "COMPLETED"


def test_payment_not_posted_before_expiry_fails(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    transfer = {"source": customer_wallet, "target": client.wallet(), "amount": "1.00", "currency": "EUR"}
    id = client.order("/v1/transfers", {**transfer, "expires_at": LONG_AGO}).get_json()["id"]
    api.post_payments()
    assert story(client, id)[::2] == ("FAILED", "expired")
    assert client.balance(customer_wallet) == "100.00"


def test_expiry_before_the_schedule_is_refused(client: ApiUser, customer_wallet: str, unchanged: None) -> None:
    transfer = {"source": customer_wallet, "target": customer_wallet[:-1] + "x", "amount": "1.00", "currency": "EUR"}
    answer = client.order("/v1/transfers", {**transfer, "scheduled_at": LATER, "expires_at": LONG_AGO})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/expires_at")


def test_scheduled_payment_is_not_stuck(api: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    transfer = {"source": customer_wallet, "target": client.wallet(), "amount": "1.00", "currency": "EUR"}
    waiting = client.order("/v1/transfers", {**transfer, "scheduled_at": LATER}).get_json()["id"]
    late = client.order("/v1/transfers", transfer).get_json()["id"]
    stuck = api.person("ops").get("/v1/ops/payments?stuck=0").get_json()["data"]
    assert late in {row["id"] for row in stuck}
    assert waiting not in {row["id"] for row in stuck}


def test_cancel_after_authorization_leaves_the_hold(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = merchant.order("/v1/charges", order(customer_wallet, capture=False)).get_json()["id"]
    api.post_payments()
    api.execute(
        "INSERT INTO commands (id, kind, payment_id, user_id) VALUES (%s, 'cancel', %s, %s)",
        *(str(uuids.uuid7()), id, merchant.id),
    )
    api.post_payments()
    assert api.execute("SELECT outcome FROM commands WHERE payment_id = %s", id) == ["refused"]
    assert merchant.order(f"/v1/charges/{id}/capture", {}).status_code == 202
    api.post_payments()
    assert story(merchant, id)[0] == "COMPLETED"
