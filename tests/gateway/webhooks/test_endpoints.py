"""Webhook endpoints: created, changed, tested and deleted only by their owner."""

import base64
import threading
from typing import Any

import pytest
from uuid_utils import compat as uuids

from models import event, webhook_endpoint
from models.rules.types import PaymentType
from models.session import transaction
from models.webhook_endpoint import ENDPOINTS_MAX, EVENT_TYPES
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import PATH, URL, ask_for, audited_changes, endpoint


def test_owner_creates_and_reads_endpoint(api: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client, description="Orders", event_types=["payment.completed", "bulk.*"])
    kept = answer.get_json()
    secret = kept.pop("secret")
    assert answer.status_code == 201
    assert kept == {
        **{"id": kept["id"], "url": URL, "event_types": ["payment.completed", "bulk.*"], "description": "Orders"},
        **{
            "payment_types": None,
            "is_active": True,
            "disabled_reason": None,
            "failing_since": None,
            "created_at": kept["created_at"],
        },
    }
    read = client.get(answer.headers["Location"])
    assert (read.get_json(), read.headers["ETag"]) == (kept, answer.headers["ETag"])
    second = endpoint(client)
    assert [row["id"] for row in client.get(PATH).get_json()["data"]] == [second, kept["id"]]
    assert client.get(f"{PATH}?limit=1").get_json()["has_more"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    created = {"url": URL, "event_types": ["payment.completed", "bulk.*"], "description": "Orders"}
    assert audited_changes(api, kept["id"]) == [("webhook_endpoints.create", None, created)]
    assert not api.execute("SELECT 1 FROM audit_log a WHERE strpos(a::text, 'whsec_') > 0")


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"url": None}, "/url", "null_not_allowed"),
        ({"url": 1}, "/url", "invalid_type"),
        ({"payment_types": "refund"}, "/payment_types", "invalid_type"),
        ({"payment_types": ["gift"]}, "/payment_types", "invalid_value"),
        ({"event_types": None}, "/event_types", "null_not_allowed"),
        ({"event_types": "*"}, "/event_types", "invalid_type"),
        ({"event_types": [1]}, "/event_types", "invalid_type"),
        ({"event_types": [["*"]]}, "/event_types", "invalid_type"),
        ({"event_types": []}, "/event_types", "invalid_value"),
        ({"event_types": ["*", "*"]}, "/event_types", "invalid_value"),
        ({"event_types": ["payment.paid"]}, "/event_types", "invalid_value"),
        ({"event_types": ["ping.*"]}, "/event_types", "invalid_value"),
        ({"event_types": ["payment.**"]}, "/event_types", "invalid_value"),
        ({"description": ""}, "/description", "invalid_value"),
        ({"description": "x" * 201}, "/description", "text_too_long"),
        ({"description": "a\x00b"}, "/description", "text_invalid"),
        *(
            ({name: value}, f"/{name}", "unknown_field")
            for name, value in {
                **{"id": str(uuids.uuid7()), "user_id": str(uuids.uuid7()), "secret": "whsec_", "is_active": True},
                **{"disabled_reason": None, "failing_since": None, "version": 2, "pings": 1, "created_at": None},
            }.items()
        ),
    ],
)
def test_n16_invalid_endpoint_is_refused(
    api: ApiHarness, client: ApiUser, members: Any, pointer: str, code: str
) -> None:
    with api.unchanged():
        answer = ask_for(client, **members)
    assert answer.status_code == 422
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [(pointer, code)]


def test_endpoint_without_url_or_event_types_is_refused(client: ApiUser) -> None:
    flaws = client.call("POST", PATH, json={}).get_json()["errors"]
    assert [(flaw["pointer"], flaw["code"]) for flaw in flaws] == [("/url", "required"), ("/event_types", "required")]


def test_endpoint_accepts_all_event_types(client: ApiUser) -> None:
    kept = client.get(f"{PATH}/{endpoint(client, event_types=list(EVENT_TYPES))}").get_json()
    assert kept["event_types"] == list(EVENT_TYPES)


def test_types_of_payments_are_set_and_removed(client: ApiUser) -> None:
    answer = ask_for(client, payment_types=["refund", "return"])
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    assert answer.get_json()["payment_types"] == ["refund", "return"]
    changed = client.call("PATCH", path, json={"payment_types": ["refund"]}, headers={"If-Match": tag})
    assert changed.get_json()["payment_types"] == ["refund"]
    tag = changed.headers["ETag"]
    assert client.call("PATCH", path, json={"payment_types": None}, headers={"If-Match": tag}).status_code == 200
    assert client.get(path).get_json()["payment_types"] is None


def test_every_type_of_payment_can_be_asked_for(client: ApiUser) -> None:
    id = endpoint(client, payment_types=list(PaymentType))
    assert client.get(f"{PATH}/{id}").get_json()["payment_types"] == list(PaymentType)


def test_event_types_equal_those_of_the_triggers(api: ApiHarness) -> None:
    [source] = api.execute(
        "SELECT string_agg(prosrc, '') FROM pg_proc WHERE proname ~ '^(payments|bulks|webhook_endpoints)_tell'"
    )
    [edges] = api.execute(
        "SELECT string_agg(pg_get_constraintdef(oid), '') FROM pg_constraint"
        " WHERE conname IN ('payments_state_is_known', 'bulks_state_is_known')"
    )
    for name in event.NAMES:
        kind, _, what = name.partition(".")
        assert (
            f"'{name}'" in source or f"'{what}'" in source or (f"'{kind}.'" in source and f"'{what.upper()}'" in edges)
        )


def test_number_of_endpoints_is_limited(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    ids = [endpoint(client) for _ in range(ENDPOINTS_MAX)]
    with api.unchanged():
        refused = ask_for(client)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_webhook_endpoints")
    assert ask_for(stranger).status_code == 201
    assert client.call("DELETE", f"{PATH}/{ids[0]}", headers={"If-Match": "*"}).status_code == 204
    assert ask_for(client).status_code == 201


def test_number_of_endpoints_is_limited_when_concurrent(api: ApiHarness, client: ApiUser) -> None:
    for _ in range(ENDPOINTS_MAX - 1):
        endpoint(client)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask_for(client).status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409]
    assert len(client.get(f"{PATH}?limit=100").get_json()["data"]) == ENDPOINTS_MAX


def test_change_needs_current_etag(api: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client, description="Orders")
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    with api.unchanged():
        for method, kwargs in (("PATCH", {"json": {"is_active": False}}), ("DELETE", {})):
            assert client.call(method, path, **kwargs).status_code == 428
            assert client.call(method, path, **kwargs, headers={"If-Match": '"9-x"'}).status_code == 412
        assert client.call("PATCH", path, json={"url": URL}, headers={"If-Match": tag}).headers["ETag"] == tag
    change = {"url": "https://8.8.4.4/", "event_types": ["*"], "description": None, "is_active": False}
    changed = client.call("PATCH", path, json=change, headers={"If-Match": tag})
    assert {**changed.get_json(), **change} == changed.get_json() == client.get(path).get_json()
    assert changed.headers["ETag"] != tag
    assert client.call("PATCH", path, json=change, headers={"If-Match": tag}).status_code == 412
    before = {"url": URL, "event_types": ["payment.*"], "description": "Orders", "is_active": True}
    assert audited_changes(api, answer.get_json()["id"])[1:] == [("webhook_endpoints.change", before, change)]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"event_types": []}, "invalid_value"),
        ({"url": None}, "null_not_allowed"),
        ({"is_active": 1}, "invalid_type"),
        ({"is_active": None}, "null_not_allowed"),
        ({"disabled_reason": None}, "unknown_field"),
        ({"failing_since": None}, "unknown_field"),
        ({"secret": "whsec_"}, "unknown_field"),
        ({"id": 1}, "unknown_field"),
        ({"created_at": None}, "unknown_field"),
    ],
)
def test_n17_other_members_cannot_be_changed(api: ApiHarness, client: ApiUser, members: Any, code: str) -> None:
    path = f"{PATH}/{endpoint(client)}"
    with api.unchanged():
        answer = client.call("PATCH", path, json=members, headers={"If-Match": "*"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_owner_reactivates_disabled_endpoint(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    api.execute(
        "UPDATE webhook_endpoints SET is_active = false, disabled_reason = 'failing', failing_since = now(),"
        " version = version + 1 WHERE id = %s",
        id,
    )
    disabled = client.get(f"{PATH}/{id}").get_json()
    assert (disabled["is_active"], disabled["disabled_reason"]) == (False, "failing")
    assert disabled["failing_since"] is not None
    described = {"description": "still off"}
    kept = client.call("PATCH", f"{PATH}/{id}", json=described, headers={"If-Match": "*"}).get_json()
    assert (kept["is_active"], kept["disabled_reason"]) == (False, "failing")
    again = client.call("PATCH", f"{PATH}/{id}", json={"is_active": True}, headers={"If-Match": "*"}).get_json()
    assert (again["is_active"], again["disabled_reason"], again["failing_since"]) == (True, None, None)
    names = api.execute("SELECT name FROM events WHERE subject_id = %s", id)
    assert names == ["webhook_endpoint.disabled"]


def test_change_keeps_failures_noted_meanwhile(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    with transaction(api.gateway) as connection:
        known = webhook_endpoint.by_id(connection, id)
    api.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE id = %s", id)
    with transaction(api.gateway) as connection:
        changed = webhook_endpoint.change(connection, known._replace(description="x"), is_forgiven=False)
    assert changed.failing_since is not None
    answer = client.call("PATCH", f"{PATH}/{id}", json={"is_active": True}, headers={"If-Match": "*"})
    assert answer.get_json()["failing_since"] is None


def test_deleted_endpoint_is_gone(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    assert client.call("DELETE", f"{PATH}/{id}", headers={"If-Match": "*"}).data == b""
    with api.unchanged():
        assert client.get(f"{PATH}/{id}").status_code == 404
        assert client.get(PATH).get_json()["data"] == []
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")):
            answer = client.call(method, f"{PATH}/{id}{path}", json={}, headers={"If-Match": "*"})
            assert answer.status_code == 404
    assert api.execute("SELECT count(*) FROM webhook_secrets WHERE endpoint_id = %s AND expires_at > now()", id) == [0]
    assert audited_changes(api, id)[1:] == [("webhook_endpoints.delete", {"url": URL}, None)]


def test_ping_is_an_event_of_its_endpoint(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client, event_types=["bulk.failed"])
    answer = client.call("POST", f"{PATH}/{id}/test", json={})
    assert answer.status_code == 202
    deliveries = f"{PATH}/{id}/deliveries?type=ping"
    assert answer.get_json() == {"type": "ping", "endpoint": id, "deliveries": deliveries}
    assert answer.headers["Location"] == deliveries
    assert client.get(deliveries).get_json()["data"] == []
    client.call("POST", f"{PATH}/{id}/test", json={})
    kept = api.execute("SELECT (name, user_id::text, version)::text FROM events WHERE subject_id = %s", id)
    assert kept == [f"(ping,{client.id},{number})" for number in (1, 2)]
    assert client.get(f"{PATH}/{id}").headers["ETag"].startswith('"1-'), "a ping is no change"


def test_ping_of_inactive_endpoint_is_refused(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    client.call("PATCH", f"{PATH}/{id}", json={"is_active": False}, headers={"If-Match": "*"})
    with api.unchanged():
        answer = client.call("POST", f"{PATH}/{id}/test", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "webhook_endpoint_inactive")


def test_n07_other_users_get_not_found(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    id = endpoint(client)
    assert stranger.get(PATH).get_json()["data"] == []
    assert api.person("ops").get(PATH).get_json()["data"] == []
    reader = api.person("client", scopes=["webhooks:read"])
    with api.unchanged():
        assert ask_for(reader).get_json()["code"] == "scope_missing"
        for method in ("PATCH", "DELETE"):
            answer = stranger.call(method, f"{PATH}/{id}", json={}, headers={"If-Match": "*"})
            assert answer.status_code == 404
