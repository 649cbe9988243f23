"""The event feed: cursors, filters by type, and what each user may see."""

import sys
from dataclasses import replace
from typing import Any

import pytest
from uuid_utils import compat as uuids

from models import token
from models.session import transaction
from tests.gateway.bulks.builders import CHARGES
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into


def pages(person: ApiUser, query: str = "limit=2", after: str | None = None) -> tuple[list[dict[str, Any]], str]:
    """All events after the cursor, and the cursor after them."""
    found: list[dict[str, Any]] = []
    while True:
        page = person.get(f"/v1/events?{query}" + (f"&after={after}" if after else "")).get_json()
        found, after = found + page["data"], page["next_cursor"]
        if not page["has_more"]:
            return found, after


def types_and_ids(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["data"]["id"]) for event in found]


def deposit(person: ApiUser, wallet: str, amount: str = "1.00") -> str:
    order = deposit_into(wallet, amount)
    return person.order("/v1/deposits", order).get_json()["id"]


def test_feed_lists_all_events_in_order_and_then_new_ones(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    first, second = (deposit(client, wallet) for _ in range(2))
    api.post_payments()
    found, cursor = pages(client)
    begun, done = "payment.initiated", "payment.completed"
    assert sorted(types_and_ids(found)) == sorted((type, id) for type in (begun, done) for id in (first, second))
    assert [event["data"]["state"] for event in found] == ["COMPLETED"] * 4  # the current state
    assert [event["version"] for event in found if event["data"]["id"] == first] == [1, 2]
    assert found[-1]["data"] == client.payment(found[-1]["data"]["id"])
    assert pages(client, after=cursor) == ([], cursor)
    third = deposit(client, wallet)
    new, cursor = pages(client, after=cursor)
    assert types_and_ids(new) == [(begun, third)]
    assert {"id", "type", "timestamp", "version", "data"} == new[0].keys()


def test_empty_feed_has_a_cursor(client: ApiUser) -> None:
    empty = client.get("/v1/events").get_json()
    assert (empty["data"], empty["has_more"]) == ([], False)
    id = deposit(client, client.wallet())
    assert types_and_ids(pages(client, after=empty["next_cursor"])[0]) == [("payment.initiated", id)]


def test_feed_after_now_lists_only_later_events(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("5.00")
    begun = client.get("/v1/events?after=now").get_json()
    assert (begun["data"], begun["has_more"]) == ([], False)
    id = deposit(client, wallet)
    assert types_and_ids(pages(client, after=begun["next_cursor"])[0]) == [("payment.initiated", id)]


@pytest.mark.parametrize(
    ("types", "names"),
    [
        ("payment.completed", ["payment.completed"] * 3),
        ("payment.failed,bulk.*", ["payment.failed", "bulk.partially_completed"]),
        ("webhook_endpoint.*", []),
        ("*", None),
    ],
)
def test_feed_is_filtered_by_type(api: ApiHarness, client: ApiUser, types: str, names: list[str] | None) -> None:
    merchant = api.person("merchant")
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet("1.00")
    order = {
        "currency": "EUR",
        "charges": [{"wallet": customer_wallet, "amount": amount} for amount in ("1.00", "9.00", "1.00")],
    }
    id = merchant.order(CHARGES, order).get_json()["id"]
    api.post_payments()
    found, _ = pages(merchant, f"limit=2&type={types}")
    everything, _ = pages(merchant, "limit=100")
    assert sorted(event["type"] for event in found) == sorted(
        names if names is not None else [event["type"] for event in everything]
    )
    for event in found:
        if event["type"].startswith("bulk."):
            assert event["data"] == merchant.get(f"{CHARGES}/{id}").get_json()
    deposits, _ = pages(merchant, "limit=2&type=payment.completed&payment_type=deposit,refund")
    assert [event["data"]["type"] for event in deposits] == ["deposit"]
    others, _ = pages(merchant, "limit=100&payment_type=refund")
    assert [event["type"] for event in others] == ["bulk.partially_completed"]


def test_page_filtered_by_type_scans_a_limited_number_of_events(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["gateway.events.feed_routes"], "SCANNED_MAX", 3)
    wallet = client.wallet()
    for _ in range(4):
        deposit(client, wallet)
    api.post_payments()
    page = client.get("/v1/events?type=payment.completed").get_json()
    assert (page["data"], page["has_more"]) == ([], True)
    found, cursor = pages(client, "limit=1&type=payment.completed")
    assert len(found) == len({event["id"] for event in found}) == 4
    assert pages(client, "limit=1&type=payment.completed", cursor) == ([], cursor)


def test_feed_shows_each_user_only_what_they_may_see(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser
) -> None:
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet()
    order = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "metadata": {"note": "internal"}}
    charge = merchant.order("/v1/charges", order).get_json()["id"]
    ops = api.person("ops")
    for person, note in ((merchant, {"note": "internal"}), (client, None), (ops, {"note": "internal"})):
        [event] = [event for event in pages(person, "limit=100")[0] if event["data"]["id"] == charge]
        assert event["data"]["metadata"] == note
    assert pages(stranger)[0] == []


def test_disabled_endpoint_is_an_event_of_its_owner(api: ApiHarness, client: ApiUser) -> None:
    ops = api.person("ops")
    before = ops.get("/v1/events?after=now").get_json()["next_cursor"]
    begun = client.get("/v1/events?after=now").get_json()["next_cursor"]
    id = "018f0000-0000-7000-8000-00000000000a"
    with transaction(api.gateway) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_endpoints (id, user_id, url, event_types) VALUES (%s, %s, 'https://x.test/', '{*}')",
            (id, client.id),
        )
    with transaction(api.worker) as connection:
        connection.exec_driver_sql(
            "UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'gone', version = version + 1"
            " WHERE id = %s",
            (id,),
        )
    [event] = pages(client, after=begun)[0]
    assert (event["type"], event["data"]["id"], event["data"]["disabled_reason"]) == (
        "webhook_endpoint.disabled",
        id,
        "gone",
    )
    assert pages(ops, after=before)[0] == []
    narrow = token.new()
    with transaction(api.worker) as connection:
        token.keep(connection, str(uuids.uuid7()), client.id, narrow, ["payments:read"])
    assert pages(replace(client, token=narrow), after=begun)[0] == []  # nor may it GET the endpoint


def test_cursor_of_another_user_is_refused(client: ApiUser, stranger: ApiUser) -> None:
    cursor = client.get("/v1/events").get_json()["next_cursor"]
    for wrong in (cursor + "x", cursor[:-1], "x", "x" * 3000, "Now", f"{cursor}.{cursor}"):
        answer = client.get(f"/v1/events?after={wrong}")
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_cursor")
    assert stranger.get(f"/v1/events?after={cursor}").get_json()["code"] == "bad_cursor"
    paged = client.get("/v1/payments?limit=1").get_json()["next_cursor"]
    assert paged is None


@pytest.mark.parametrize(
    "query",
    [
        "type=payment",
        "type=",
        "type=payment.*,",
        "type=ping",
        "type=%20*",
        "limit=101",
        "cursor=x",
        "type=*&type=*",
        "payment_type=gift",
    ],
)
def test_feed_with_invalid_query_is_refused(client: ApiUser, query: str) -> None:
    assert client.get(f"/v1/events?{query}").status_code == 422
