"""Deliveries to webhook endpoints: visible only to their owner, and redelivered."""

from typing import Any

import pytest
from uuid_utils import compat as uuids

from models import webhook_delivery
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import DELIVERED, GIVEN_UP, PATH, attempted, delivery, endpoint

NOVEMBER = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
AFRESH = {"state": "pending", "finished_at": None}
REST = "(state, tries_left, finished_at IS NULL, next_attempt_at <= now())::text"


def ids(person: ApiUser, endpoint_id: str, query: str = "") -> list[str]:
    """The deliveries to an endpoint, of all pages."""
    found, at = [], f"{PATH}/{endpoint_id}/deliveries?limit=2{query and '&' + query}"
    while True:
        page = person.get(at).get_json()
        found += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            return found
        at = f"{at.partition('&cursor')[0]}&cursor={page['next_cursor']}"


def again(person: ApiUser, endpoint_id: str, **members: Any) -> dict[str, Any]:
    answer = person.call("POST", f"{PATH}/{endpoint_id}/redeliver", json={**NOVEMBER, **members})
    assert answer.status_code == 202
    return answer.get_json()


def test_owner_and_ops_read_delivery_with_attempts(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    hook, subject = endpoint(client), str(uuids.uuid7())
    id = delivery(api, hook, sequence=41, subject_id=subject, attempts=2, last_status=500, last_error="status")
    attempted(api, id, (None, "timeout"), (500, "status"))
    with transaction(api.worker) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_attempts (delivery_id, attempt, status, error, milliseconds, reason, answer)"
            " VALUES (%s, 3, 502, 'status', 34, 'The answer was not 2xx: 502', %s)",
            (id, b"<b>no\x00 \xff\r\n\x1b[31m\xe2\x82"),
        )
    shown = client.get(f"/v1/webhook-deliveries/{id}").get_json()
    tries = shown.pop("tries")
    assert [
        (attempt["attempt"], attempt["status"], attempt["error"], attempt["milliseconds"]) for attempt in tries
    ] == [
        (1, None, "timeout", 12),
        (2, 500, "status", 12),
        (3, 502, "status", 34),
    ]
    assert [attempt["answer"] for attempt in tries] == [None, None, "<b>no\ufffd \ufffd\r\n\ufffd[31m\ufffd"]
    assert shown == {
        **{"id": id, "endpoint": hook, "event": "41", "type": "payment.completed", "subject": subject, "version": 2},
        **{"occurred_at": "2026-11-01T12:00:00+00:00", "state": "pending", "attempts": 2, "finished_at": None},
        **{"next_attempt_at": shown["next_attempt_at"], "last_status": 500, "last_error": "status"},
        **{"last_reason": "The answer was not 2xx: 502", "last_milliseconds": 34},
        **{"last_answer": tries[-1]["answer"], "created_at": shown["created_at"]},
    }
    for reader in (ops, api.person("auditor")):
        assert reader.get(f"/v1/webhook-deliveries/{id}").get_json() == {**shown, "tries": tries}
        assert reader.get(f"{PATH}/{hook}/deliveries").get_json()["data"] == [shown]
        assert reader.get(f"{PATH}/{hook}").status_code == 200
        assert reader.call("POST", f"/v1/webhook-deliveries/{id}/redeliver", json={}).status_code == 403
    assert api.person().get(f"/v1/webhook-deliveries/{id}").status_code == 404
    assert client.get(f"{PATH}/{hook}/deliveries").get_json()["data"] == [shown]


def test_deliveries_are_listed_and_filtered(api: ApiHarness, client: ApiUser) -> None:
    hook, other = endpoint(client), endpoint(client)
    delivery(api, other)
    failed = delivery(api, hook, **GIVEN_UP)
    waiting = [delivery(api, hook, name=name) for name in ("bulk.failed", "ping", "payment.failed")]
    done = delivery(api, hook, name="payment.failed", **DELIVERED)
    assert ids(client, hook) == [done, *reversed(waiting), failed]
    assert ids(client, hook, "state=failed,delivered") == [done, failed]
    assert ids(client, hook, "type=ping") == [waiting[1]]
    assert ids(client, hook, "state=pending&type=payment.failed,bulk.failed") == [waiting[2], waiting[0]]
    assert ids(client, hook, "state=failed&type=ping") == []
    second = client.get(f"{PATH}/{hook}/deliveries?limit=2").get_json()["next_cursor"]
    page = client.get(f"{PATH}/{hook}/deliveries?limit=2&cursor={second}").get_json()
    back = client.get(f"{PATH}/{hook}/deliveries?limit=2&cursor={page['prev_cursor']}").get_json()
    assert [row["id"] for row in back["data"]] == [done, waiting[2]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("state=PENDING", "invalid_value"),
        ("state=", "invalid_value"),
        ("type=payment.*", "invalid_value"),
        ("type=ping,paid", "invalid_value"),
        ("endpoint=1", "unknown_parameter"),
        ("subject=1", "unknown_parameter"),
        ("limit=0", "limit_out_of_range"),
        ("state=failed&state=failed", "repeated_parameter"),
        ("cursor=x", "bad_cursor"),
    ],
)
def test_n50_invalid_filter_is_refused(client: ApiUser, query: str, code: str) -> None:
    answer = client.get(f"{PATH}/{endpoint(client)}/deliveries?{query}")
    assert answer.get_json()["code"] == code


def test_n55_cursor_of_another_list_is_refused(api: ApiHarness, client: ApiUser) -> None:
    hook, other = endpoint(client), endpoint(client)
    for _ in range(2):
        delivery(api, hook)
    cursor = client.get(f"{PATH}/{hook}/deliveries?limit=1").get_json()["next_cursor"]
    for path in (f"{PATH}/{other}/deliveries?limit=1", f"{PATH}/{hook}/deliveries?limit=1&state=pending"):
        assert client.get(f"{path}&cursor={cursor}").get_json()["code"] == "bad_cursor"


@pytest.mark.parametrize("columns", [GIVEN_UP, DELIVERED, {"next_attempt_at": "2027-01-01T00:00:00Z", "tries_left": 3}])
def test_redelivery_has_all_attempts_again(api: ApiHarness, client: ApiUser, columns: dict[str, Any]) -> None:
    hook = endpoint(client)
    id, other = (delivery(api, hook, **columns) for _ in range(2))
    [before] = api.execute(f"SELECT {REST} FROM webhook_deliveries WHERE id = %s", other)
    answer = client.call("POST", f"/v1/webhook-deliveries/{id}/redeliver", json={})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/webhook-deliveries/{id}")
    shown = answer.get_json()
    assert {**shown, **AFRESH} == shown
    assert shown["attempts"] == columns.get("attempts", 0)
    assert api.execute(f"SELECT {REST} FROM webhook_deliveries WHERE id = %s", id) == ["(pending,10,t,t)"]
    assert api.execute(f"SELECT {REST} FROM webhook_deliveries WHERE id = %s", other) == [before]


def test_delivery_shows_only_newest_attempts(api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "ATTEMPTS_SHOWN_MAX", 3)
    id = delivery(api, endpoint(client), **GIVEN_UP)
    attempted(api, id, *[(500, "http_status")] * 5)
    tries = client.get(f"/v1/webhook-deliveries/{id}").get_json()["tries"]
    assert [attempt["attempt"] for attempt in tries] == [3, 4, 5]


def test_range_is_redelivered(api: ApiHarness, client: ApiUser) -> None:
    hook, other = endpoint(client), endpoint(client)
    first = delivery(api, hook, occurred_at="2026-11-01T00:00:00Z", **GIVEN_UP)
    last = delivery(api, hook, occurred_at="2026-11-30T23:59:59.999999Z", **GIVEN_UP)
    outside = [
        delivery(api, hook, occurred_at="2026-10-31T23:59:59.999999Z", **GIVEN_UP),
        delivery(api, hook, occurred_at="2026-12-01T00:00:00Z", **GIVEN_UP),
        delivery(api, hook, occurred_at="2026-11-15T00:00:00Z", **DELIVERED),
        delivery(api, other, occurred_at="2026-11-15T00:00:00Z", **GIVEN_UP),
    ]
    assert again(client, hook) == {"redelivered": 2, "has_more": False}
    for id in (first, last):
        assert client.get(f"/v1/webhook-deliveries/{id}").get_json()["state"] == "pending"
    for id in outside:
        assert client.get(f"/v1/webhook-deliveries/{id}").get_json()["state"] != "pending"
    assert again(client, hook) == {"redelivered": 0, "has_more": False}
    assert again(client, hook, states=["delivered"]) == {"redelivered": 1, "has_more": False}


def test_pending_delivery_is_sent_at_once(api: ApiHarness, client: ApiUser) -> None:
    hook = endpoint(client)
    id = delivery(api, hook, next_attempt_at="2027-01-01T00:00:00Z", tries_left=2)
    assert again(client, hook) == {"redelivered": 0, "has_more": False}
    assert again(client, hook, states=["pending", "failed"]) == {"redelivered": 1, "has_more": False}
    assert api.execute(f"SELECT {REST} FROM webhook_deliveries WHERE id = %s", id) == ["(pending,10,t,t)"]
    assert again(client, hook, states=["pending"]) == {"redelivered": 0, "has_more": False}


def test_long_range_continues_in_further_calls(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "REDELIVERED_MAX", 2)
    hook = endpoint(client)
    kept = [delivery(api, hook, **GIVEN_UP) for _ in range(5)]
    assert again(client, hook) == {"redelivered": 2, "has_more": True}
    assert ids(client, hook, "state=pending") == kept[1::-1], "the oldest first"
    assert again(client, hook) == {"redelivered": 2, "has_more": True}
    assert again(client, hook) == {"redelivered": 1, "has_more": False}


def test_range_is_limited_to_ten_thousand_per_call(api: ApiHarness, client: ApiUser) -> None:
    hook = endpoint(client)
    api.execute(
        "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at, state,"
        " next_attempt_at, finished_at) SELECT uuid_floor(now() + n * interval '1 ms'), %s, n, 'payment.failed',"
        " gen_random_uuid(), 2, '2026-11-02', 'failed', NULL, now() FROM generate_series(1, 10_001) AS n RETURNING 1",
        hook,
    )
    assert again(client, hook) == {"redelivered": 10_000, "has_more": True}
    assert again(client, hook) == {"redelivered": 1, "has_more": False}


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"to": NOVEMBER["from"]}, "/to", "invalid_value"),
        ({"to": "2026-10-31T00:00:00Z"}, "/to", "invalid_value"),
        ({"from": "2026-11-01"}, "/from", "invalid_value"),
        ({"from": 1}, "/from", "invalid_type"),
        ({"to": None}, "/to", "null_not_allowed"),
        ({"to": "9999-01-01T00:00:00Z"}, "/to", "invalid_value"),
        ({"states": []}, "/states", "invalid_value"),
        ({"states": ["failed"] * 4}, "/states", "invalid_value"),
        ({"states": "failed"}, "/states", "invalid_type"),
        ({"states": ["lost"]}, "/states/0", "invalid_value"),
        ({"states": [1]}, "/states/0", "invalid_type"),
        ({"since": NOVEMBER["from"]}, "/since", "unknown_field"),
        ({"limit": 1}, "/limit", "unknown_field"),
    ],
)
def test_n56_invalid_range_is_refused(api: ApiHarness, client: ApiUser, members: Any, pointer: str, code: str) -> None:
    hook = endpoint(client)
    delivery(api, hook, **GIVEN_UP)
    with api.unchanged():
        answer = client.call("POST", f"{PATH}/{hook}/redeliver", json={**NOVEMBER, **members})
    assert answer.status_code == 422
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [(pointer, code)]


def test_widest_range_is_accepted(api: ApiHarness, client: ApiUser) -> None:
    hook = endpoint(client)
    delivery(api, hook, **GIVEN_UP)
    widest = {"from": "1971-01-01T00:00:00+14:00", "to": "9998-12-31T23:59:59-12:00"}
    assert again(client, hook, **widest) == {"redelivered": 1, "has_more": False}


def test_n07_other_users_get_not_found(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    hook = endpoint(client)
    id = delivery(api, hook, **GIVEN_UP)
    with api.unchanged():
        for method, path, body in (
            ("GET", f"{PATH}/{hook}/deliveries", None),
            ("POST", f"{PATH}/{hook}/redeliver", NOVEMBER),
            ("GET", f"/v1/webhook-deliveries/{id}", None),
            ("POST", f"/v1/webhook-deliveries/{id}/redeliver", {}),
        ):
            foreign = stranger.call(method, path, json=body)
            unknown = stranger.call(method, path.replace(hook, id).replace(id, str(uuids.uuid7())), json=body)
            same = [
                {k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")}
                for a in (foreign, unknown)
            ]
            assert foreign.status_code == 404
            assert same[0] == same[1]


def test_deliveries_of_deleted_endpoint_are_gone(api: ApiHarness, client: ApiUser) -> None:
    hook = endpoint(client)
    id = delivery(api, hook, **GIVEN_UP)
    client.call("DELETE", f"{PATH}/{hook}", headers={"If-Match": "*"})
    with api.unchanged():
        assert client.get(f"/v1/webhook-deliveries/{id}").status_code == 404
        assert client.call("POST", f"/v1/webhook-deliveries/{id}/redeliver", json={}).status_code == 404
        assert client.get(f"{PATH}/{hook}/deliveries").status_code == 404
        assert client.call("POST", f"{PATH}/{hook}/redeliver", json=NOVEMBER).status_code == 404


@pytest.mark.parametrize("body", [{"state": "delivered"}, {"tries_left": 99}, {"next_attempt_at": None}, {"url": "x"}])
def test_n16_redelivery_with_members_is_refused(api: ApiHarness, client: ApiUser, body: dict[str, Any]) -> None:
    id = delivery(api, endpoint(client), **GIVEN_UP)
    with api.unchanged():
        answer = client.call("POST", f"/v1/webhook-deliveries/{id}/redeliver", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_field")
