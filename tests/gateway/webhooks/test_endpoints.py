"""Webhook endpoints: their owner's alone, at URLs that lead outside alone, with secrets that are shown once."""

import base64
import json
import socket
import threading
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from uuid_utils import compat as uuids

from gateway.webhooks import url_check
from models import event, webhook_endpoint
from models.session import transaction
from models.webhook_endpoint import ENDPOINTS_MAX, EVENT_TYPES
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import PATH, URL, ask_for, endpoint
from tests.ssrf_cases import ADDRESSES, URLS
from tests.support import Database, eventually

WEEK = 7 * 24 * 3600


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server that knows these names, to be filled."""
    known: dict[str, list[str]] = {}

    def asked(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(None, None, None, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    return known


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where Python's sockets were connected to over a network."""
    made: list[object] = []
    connect = socket.socket.connect

    def noted(line: socket.socket, address: Any) -> None:
        if not isinstance(address, str):
            made.append(address)
        connect(line, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return made


def deeds(house: ApiHarness, id: str) -> list[tuple[str, Any, Any]]:
    return [
        (line["action"], line["before"], line["after"])
        for line in house.execute("SELECT to_jsonb(a) FROM audit_log a WHERE target = %s ORDER BY id", id)
    ]


def test_owner_creates_and_reads_endpoint(house: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client, description="Orders", event_types=["payment.completed", "bulk.*"])
    kept = answer.get_json()
    secret = kept.pop("secret")
    assert answer.status_code == 201
    assert kept == {
        **{"id": kept["id"], "url": URL, "event_types": ["payment.completed", "bulk.*"], "description": "Orders"},
        **{"is_active": True, "disabled_reason": None, "failing_since": None, "created_at": kept["created_at"]},
    }
    read = client.get(answer.headers["Location"])
    assert (read.get_json(), read.headers["ETag"]) == (kept, answer.headers["ETag"])
    second = endpoint(client)
    assert [row["id"] for row in client.get(PATH).get_json()["data"]] == [second, kept["id"]]
    assert client.get(f"{PATH}?limit=1").get_json()["has_more"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    told = {"url": URL, "event_types": ["payment.completed", "bulk.*"], "description": "Orders"}
    assert deeds(house, kept["id"]) == [("webhook_endpoints.create", None, told)]
    assert not house.execute("SELECT 1 FROM audit_log a WHERE strpos(a::text, 'whsec_') > 0")


def test_n62_n65_internal_url_is_refused(
    house: ApiHarness, client: ApiUser, names: dict[str, list[str]], connections: list[object]
) -> None:
    names["good.example"] = ["8.8.8.8"]
    path = f"{PATH}/{endpoint(client)}"
    with house.unchanged():
        for url in URLS:
            creation = ask_for(client, url=url)
            change = client.call("PATCH", path, json={"url": url}, headers={"If-Match": "*"})
            for answer in (creation, change):
                assert answer.status_code == 422, url
                [flaw] = answer.get_json()["errors"]
                assert flaw["pointer"] == "/url"
                assert flaw["code"] in {"url_not_allowed", "text_invalid", "text_too_long", "invalid_value"}
    assert connections == []


def test_n63_every_address_of_a_name_is_checked(
    house: ApiHarness, client: ApiUser, names: dict[str, list[str]], connections: list[object]
) -> None:
    details = set()
    with house.unchanged():
        for address in ADDRESSES:
            names.update({"inside.example": [address], "both.example": ["8.8.8.8", address], "no.example": []})
            for name in ("inside", "both", "no", "unknown"):
                answer = ask_for(client, url=f"https://{name}.example/")
                assert (answer.status_code, answer.get_json()["code"]) == (422, "url_not_allowed"), (name, address)
                details.add(answer.get_json()["detail"])
    assert len(details) == 1, "it says which names our network knows"
    assert connections == []


@pytest.mark.parametrize(
    "url", ["https://good.example", "https://GOOD.example:8443/a?b=c", "https://[2001:4860::8888]/"]
)
def test_public_url_is_accepted(
    client: ApiUser, names: dict[str, list[str]], connections: list[object], url: str
) -> None:
    names["good.example"] = ["8.8.8.8", "2001:4860:4860::8888"]
    assert ask_for(client, url=url).get_json()["url"] == url
    assert connections == []


def test_name_that_never_resolves_is_refused(client: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])
    assert ask_for(client, url="https://slow.example/").get_json()["code"] == "url_not_allowed"
    answered.set()


def test_slow_names_of_one_user_do_not_delay_others(
    client: ApiUser, stranger: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, asked = threading.Event(), []

    def ask(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        if host == "slow.example":
            answered.wait(60)
        return [(None, None, None, "", ("8.8.8.8", port))]

    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", ask)
    for _ in range(url_check.RESOLVERS_MAX):
        assert ask_for(client, url="https://slow.example/").get_json()["code"] == "url_not_allowed"
    assert asked == ["slow.example"] * url_check.RESOLVING_PER_USER_MAX
    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 30)
    assert ask_for(stranger, url="https://good.example/").status_code == 201
    answered.set()
    eventually(lambda: ask_for(client, url="https://good.example/").status_code == 201)


def test_network_allowed_by_settings_is_accepted(fresh_database: Database) -> None:
    lab = ApiHarness(fresh_database, webhook_http=True, webhook_networks=("127.0.0.0/8",))
    person = lab.person()
    assert ask_for(person, url="http://127.0.0.1:5000/hooks").status_code == 201
    assert ask_for(person, url="http://192.168.0.1/hooks").status_code == 422


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"url": None}, "/url", "null_not_allowed"),
        ({"url": 1}, "/url", "invalid_type"),
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
    house: ApiHarness, client: ApiUser, members: Any, pointer: str, code: str
) -> None:
    with house.unchanged():
        answer = ask_for(client, **members)
    assert answer.status_code == 422
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [(pointer, code)]


def test_endpoint_without_url_or_event_types_is_refused(client: ApiUser) -> None:
    flaws = client.call("POST", PATH, json={}).get_json()["errors"]
    assert [(flaw["pointer"], flaw["code"]) for flaw in flaws] == [("/url", "required"), ("/event_types", "required")]


def test_endpoint_accepts_all_event_types(client: ApiUser) -> None:
    kept = client.get(f"{PATH}/{endpoint(client, event_types=list(EVENT_TYPES))}").get_json()
    assert kept["event_types"] == list(EVENT_TYPES)


def test_event_types_equal_those_of_the_triggers(house: ApiHarness) -> None:
    [told] = house.execute(
        "SELECT string_agg(prosrc, '') FROM pg_proc WHERE proname ~ '^(payments|bulks|webhook_endpoints)_tell'"
    )
    [edges] = house.execute(
        "SELECT string_agg(pg_get_constraintdef(oid), '') FROM pg_constraint"
        " WHERE conname IN ('payments_state_is_known', 'bulks_state_is_known')"
    )
    for name in event.NAMES:
        kind, _, what = name.partition(".")
        assert f"'{name}'" in told or f"'{what}'" in told or (f"'{kind}.'" in told and f"'{what.upper()}'" in edges)


def test_number_of_endpoints_is_limited(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    ids = [endpoint(client) for _ in range(ENDPOINTS_MAX)]
    with house.unchanged():
        refused = ask_for(client)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_webhook_endpoints")
    assert ask_for(stranger).status_code == 201
    assert client.call("DELETE", f"{PATH}/{ids[0]}", headers={"If-Match": "*"}).status_code == 204
    assert ask_for(client).status_code == 201


def test_number_of_endpoints_is_limited_when_concurrent(house: ApiHarness, client: ApiUser) -> None:
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


def test_change_needs_current_etag(house: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client, description="Orders")
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    with house.unchanged():
        for method, kwargs in (("PATCH", {"json": {"is_active": False}}), ("DELETE", {})):
            assert client.call(method, path, **kwargs).status_code == 428
            assert client.call(method, path, **kwargs, headers={"If-Match": '"9-x"'}).status_code == 412
        assert client.call("PATCH", path, json={"url": URL}, headers={"If-Match": tag}).headers["ETag"] == tag
    wished = {"url": "https://8.8.4.4/", "event_types": ["*"], "description": None, "is_active": False}
    changed = client.call("PATCH", path, json=wished, headers={"If-Match": tag})
    assert {**changed.get_json(), **wished} == changed.get_json() == client.get(path).get_json()
    assert changed.headers["ETag"] != tag
    assert client.call("PATCH", path, json=wished, headers={"If-Match": tag}).status_code == 412
    before = {"url": URL, "event_types": ["payment.*"], "description": "Orders", "is_active": True}
    assert deeds(house, answer.get_json()["id"])[1:] == [("webhook_endpoints.change", before, wished)]


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
def test_n17_other_members_cannot_be_changed(house: ApiHarness, client: ApiUser, members: Any, code: str) -> None:
    path = f"{PATH}/{endpoint(client)}"
    with house.unchanged():
        answer = client.call("PATCH", path, json=members, headers={"If-Match": "*"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_owner_reactivates_disabled_endpoint(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    house.execute(
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
    told = house.execute("SELECT name FROM events WHERE subject_id = %s", id)
    assert told == ["webhook_endpoint.disabled"]


def test_change_keeps_failures_noted_meanwhile(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    with transaction(house.gateway) as connection:
        known = webhook_endpoint.by_id(connection, id)
    house.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE id = %s", id)
    with transaction(house.gateway) as connection:
        changed = webhook_endpoint.change(connection, known._replace(description="x"), is_forgiven=False)
    assert changed.failing_since is not None
    answer = client.call("PATCH", f"{PATH}/{id}", json={"is_active": True}, headers={"If-Match": "*"})
    assert answer.get_json()["failing_since"] is None


def test_deleted_endpoint_is_gone(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    assert client.call("DELETE", f"{PATH}/{id}", headers={"If-Match": "*"}).data == b""
    with house.unchanged():
        assert client.get(f"{PATH}/{id}").status_code == 404
        assert client.get(PATH).get_json()["data"] == []
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")):
            answer = client.call(method, f"{PATH}/{id}{path}", json={}, headers={"If-Match": "*"})
            assert answer.status_code == 404
    assert house.execute("SELECT count(*) FROM webhook_secrets WHERE endpoint_id = %s AND expires_at > now()", id) == [
        0
    ]
    assert deeds(house, id)[1:] == [("webhook_endpoints.delete", {"url": URL}, None)]


SIGNING = (
    "SELECT secret FROM webhook_secrets WHERE endpoint_id = %s AND (expires_at IS NULL OR expires_at > now())"
    " ORDER BY created_at DESC, id DESC"
)


def rotated(person: ApiUser, id: str, **members: Any) -> str:
    answer = person.call("POST", f"{PATH}/{id}/rotate-secret", json=members)
    assert answer.status_code == 200
    return answer.get_json()["secret"]


def test_two_newest_secrets_sign(house: ApiHarness, client: ApiUser) -> None:
    first = ask_for(client).get_json()
    id = first["id"]
    second = rotated(client, id)
    assert house.execute(SIGNING, id) == [second, first["secret"]]
    [seconds] = house.execute(
        "SELECT extract(epoch FROM expires_at - now()) FROM webhook_secrets WHERE secret = %s", first["secret"]
    )
    assert 86_300 < seconds <= 86_400
    third = rotated(client, id, overlap_seconds=WEEK)
    assert house.execute(SIGNING, id) == [third, second]
    fourth = rotated(client, id, overlap_seconds=0)
    assert house.execute(SIGNING, id) == [fourth]
    assert [action for action, *_ in deeds(house, id)[1:]] == ["webhook_endpoints.rotate"] * 3
    assert deeds(house, id)[3][2] == {"overlap_seconds": 0}
    assert not house.execute("SELECT 1 FROM audit_log a WHERE strpos(a::text, 'whsec_') > 0")


def test_concurrent_rotations_leave_one_newest_secret(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    secrets: list[str] = []
    threads = [threading.Thread(target=lambda: secrets.append(rotated(client, id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(secrets)) == 4
    signing = house.execute(SIGNING, id)
    assert len(signing) == 2
    assert set(signing) <= set(secrets)


@pytest.mark.parametrize("seconds", [-1, WEEK + 1, 1.5, "60", True])
def test_too_long_overlap_is_refused(house: ApiHarness, client: ApiUser, seconds: Any) -> None:
    id = endpoint(client)
    with house.unchanged():
        answer = client.call("POST", f"{PATH}/{id}/rotate-secret", json={"overlap_seconds": seconds})
    assert answer.status_code == 422


def test_secret_is_shown_once_and_not_readable_by_gateway(house: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client)
    id, secret = answer.get_json()["id"], answer.get_json()["secret"]
    for path in (PATH, f"{PATH}/{id}", f"{PATH}/{id}/deliveries"):
        assert "whsec_" not in client.get(path).get_data(as_text=True)
    ping = client.call("POST", f"{PATH}/{id}/test", json={})
    change = client.call("PATCH", f"{PATH}/{id}", json={"is_active": False}, headers={"If-Match": "*"})
    assert "whsec_" not in json.dumps([ping.get_json(), change.get_json()])
    for column in ("secret", "*", "s::text"):
        with pytest.raises(DBAPIError) as denied, transaction(house.gateway) as connection:
            connection.exec_driver_sql(f"SELECT {column} FROM webhook_secrets s WHERE s.secret = %s", (secret,))
        assert denied.value.orig.pgcode == "42501"
    assert house.execute("SELECT secret FROM webhook_secrets WHERE endpoint_id = %s", id) == [secret]


def test_ping_is_an_event_of_its_endpoint(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client, event_types=["bulk.failed"])
    answer = client.call("POST", f"{PATH}/{id}/test", json={})
    assert answer.status_code == 202
    deliveries = f"{PATH}/{id}/deliveries?type=ping"
    assert answer.get_json() == {"type": "ping", "endpoint": id, "deliveries": deliveries}
    assert answer.headers["Location"] == deliveries
    assert client.get(deliveries).get_json()["data"] == []
    client.call("POST", f"{PATH}/{id}/test", json={})
    kept = house.execute("SELECT (name, user_id::text, version)::text FROM events WHERE subject_id = %s", id)
    assert kept == [f"(ping,{client.id},{number})" for number in (1, 2)]
    assert client.get(f"{PATH}/{id}").headers["ETag"].startswith('"1-'), "a ping is no change"


def test_ping_of_inactive_endpoint_is_refused(house: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    client.call("PATCH", f"{PATH}/{id}", json={"is_active": False}, headers={"If-Match": "*"})
    with house.unchanged():
        answer = client.call("POST", f"{PATH}/{id}/test", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "webhook_endpoint_inactive")


def test_n07_other_users_get_not_found(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    id = endpoint(client)
    assert stranger.get(PATH).get_json()["data"] == []
    assert house.person("ops").get(PATH).get_json()["code"] == "scope_missing"
    reader = house.person("client", scopes=["webhooks:read"])
    with house.unchanged():
        assert ask_for(reader).get_json()["code"] == "scope_missing"
        for method in ("PATCH", "DELETE"):
            answer = stranger.call(method, f"{PATH}/{id}", json={}, headers={"If-Match": "*"})
            assert answer.status_code == 404
