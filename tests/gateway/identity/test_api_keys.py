"""API keys: scopes within those of their creator, shown once, rolled with an overlap, revoked: N07, N16, N30."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from uuid_utils import compat as uuids

from gateway.auth.scopes import SCOPES
from gateway.identity.schemas import OVERLAP_SECONDS_MAX
from models import token
from models.token import ACTIVE_MAX
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import audited, outcome
from tests.gateway.orders import deposit_into
from tests.support import at_once

KEYS = "/v1/api-keys"
SHOWN = {
    "id", "name", "prefix", "last4", "scopes", "created_at", "expires_at", "last_used_at", "replaced_by",
}  # fmt: skip
NARROW = ["api-keys:read", "api-keys:write", "me:read", "wallets:read"]


def make(person: ApiUser, name: str = "server", path: str = KEYS, **body: Any) -> tuple[dict[str, Any], ApiUser]:
    """The answer with a new key, and a user who calls with it."""
    answer = person.call("POST", path, json={"name": name, **body} if path == KEYS else body)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json(), ApiUser(person.api, person.id, answer.get_json()["token"])


def roll(person: ApiUser, id: str, **body: Any) -> tuple[dict[str, Any], ApiUser]:
    return make(person, path=f"{KEYS}/{id}/roll", **body)


def listed(person: ApiUser) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in person.get(f"{KEYS}?limit=100").get_json()["data"]}


def kept_scopes(api: ApiHarness, id: str) -> list[str] | None:
    return api.execute("SELECT scopes FROM tokens WHERE id = %s", id)[0]


def test_api_key_is_shown_only_once(api: ApiHarness, client: ApiUser) -> None:
    made, server = make(client, "my server")
    assert token.is_well_formed(made["token"])
    assert server.get("/v1/me").get_json()["id"] == client.id
    row = listed(client)[made["id"]]
    assert row.keys() == SHOWN
    assert row["last_used_at"] is not None
    assert {**made, "last_used_at": row["last_used_at"]} == {**row, "token": made["token"]}
    assert made["prefix"] == made["token"][:8]
    assert made["last4"] == made["token"][-4:]
    assert audited(api, made["id"]) == ["api_keys.create"]


@pytest.mark.parametrize("role", ["client", "merchant", "ops", "auditor"])
def test_api_key_without_scopes_has_those_of_the_role(api: ApiHarness, role: str) -> None:
    made, _ = make(api.person(role))
    assert made["scopes"] == sorted(SCOPES[role])
    assert kept_scopes(api, made["id"]) is None


def test_narrow_api_key_cannot_create_a_wider_one(api: ApiHarness) -> None:
    narrow = api.person("client", scopes=NARROW)
    made, server = make(narrow)
    assert made["scopes"] == kept_scopes(api, made["id"]) == NARROW
    assert server.get("/v1/wallets").status_code == 200
    assert outcome(server.get("/v1/payments")) == (403, "scope_missing")
    assert make(narrow, scopes=["wallets:read"])[0]["scopes"] == ["wallets:read"]
    with api.unchanged():
        for scopes in (["payments:read"], ["wallets:read", "transfers:write"], ["ops:retry"]):
            answer = narrow.call("POST", KEYS, json={"name": "x", "scopes": scopes})
            assert outcome(answer) == (403, "scope_missing")


def test_api_key_expires_with_the_key_that_created_it(api: ApiHarness, client: ApiUser) -> None:
    soon, late = "2126-01-01T00:00:00+00:00", "2127-01-01T00:00:00+00:00"
    _, lasting = make(client)
    brief, server = make(lasting, expires_at=soon)
    assert brief["expires_at"] == soon
    assert [make(server, **more)[0]["expires_at"] for more in ({}, {"expires_at": late})] == [soon, soon]
    assert roll(server, make(lasting)[0]["id"])[0]["expires_at"] == soon
    roll(client, brief["id"], overlap_seconds=60)
    assert make(server)[0]["expires_at"] < soon


def test_api_key_with_scope_beyond_the_role_is_refused(api: ApiHarness, client: ApiUser) -> None:
    beyond = set().union(*SCOPES.values()) - SCOPES["client"]
    assert {"charges:write", "deposits:write", "ops:retry"} <= beyond
    with api.unchanged():
        for scope in beyond:
            answer = client.call("POST", KEYS, json={"name": "x", "scopes": ["me:read", scope]})
            assert outcome(answer) == (403, "scope_missing"), scope


def test_scope_of_outside_deposits_cannot_be_granted(api: ApiHarness) -> None:
    provider = api.person("merchant", scopes=["deposits:write", "api-keys:write", "api-keys:read"])
    assert make(provider)[0]["scopes"] == ["api-keys:read", "api-keys:write"]
    [own] = [row for row in listed(provider).values() if "deposits:write" in row["scopes"]]
    with api.unchanged():
        answer = provider.call("POST", KEYS, json={"name": "x", "scopes": ["deposits:write"]})
        assert outcome(answer) == (403, "scope_missing")
        assert outcome(provider.call("POST", f"{KEYS}/{own['id']}/roll", json={})) == (403, "scope_missing")
    assert make(api.person("ops"), scopes=["deposits:write"])[0]["scopes"] == ["deposits:write"]


def test_api_key_of_unconfirmed_user_keeps_withheld_scopes(api: ApiHarness, client: ApiUser) -> None:
    api.execute("UPDATE users SET email_confirmed_at = NULL WHERE id = %s", client.id)
    _, server = make(client, scopes=["deposits:own", "wallets:read"])
    order = deposit_into("wal_" + "a" * 32)
    assert outcome(server.order("/v1/deposits", order)) == (403, "email_unconfirmed")
    api.execute("UPDATE users SET email_confirmed_at = now() WHERE id = %s", client.id)
    api.app.extensions["gateway"].tokens.forget_everywhere(client.id)
    assert outcome(server.order("/v1/deposits", order)) == (404, "not_found")
    assert make(client)[0]["scopes"] == sorted(SCOPES["client"])


SCOPES_REFUSED = {
    "none": ([], "invalid_value"),
    "unknown": (["root"], "invalid_value"),
    "twice": (["me:read", "me:read"], "invalid_value"),
    "number": ([1], "invalid_type"),
    "nested": ([["me:read"]], "invalid_type"),
    "text": ("me:read", "invalid_type"),
    "object": ({"me:read": True}, "invalid_type"),
    "many": (["me:read"] * 5_000, "invalid_value"),
}


@pytest.mark.parametrize("case", SCOPES_REFUSED)
def test_invalid_scopes_are_refused(api: ApiHarness, client: ApiUser, case: str) -> None:
    scopes, code = SCOPES_REFUSED[case]
    with api.unchanged():
        assert outcome(client.call("POST", KEYS, json={"name": "x", "scopes": scopes})) == (422, code)


def test_api_key_expires(api: ApiHarness, client: ApiUser) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made, server = make(client, expires_at=soon)
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(soon)
    assert server.get("/v1/me").status_code == 200
    api.execute("UPDATE tokens SET expires_at = now() WHERE id = %s", made["id"])
    api.app.extensions["gateway"].tokens.forget_everywhere(client.id)
    assert outcome(server.get("/v1/me")) == (401, "token_invalid")
    assert made["id"] not in listed(client)


@pytest.mark.parametrize("expires_at", ["2001-01-01T00:00:00Z", "now", 1, "2030-01-01", "9999-12-31T23:59:59-23:59"])
def test_invalid_expiry_is_refused(api: ApiHarness, client: ApiUser, expires_at: object) -> None:
    with api.unchanged():
        answer = client.call("POST", KEYS, json={"name": "x", "expires_at": expires_at})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/expires_at"


def test_rolled_key_works_until_overlap_ends(api: ApiHarness, client: ApiUser) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    old, before = make(client, "server", scopes=["me:read"], expires_at=later)
    new, after = roll(client, old["id"], overlap_seconds=60)
    assert {k: new[k] for k in ("name", "scopes", "expires_at")} == {
        k: old[k] for k in ("name", "scopes", "expires_at")
    }
    assert new["token"] != old["token"]
    assert before.get("/v1/me").status_code == after.get("/v1/me").status_code == 200
    row = listed(client)[old["id"]]
    assert row["replaced_by"] == new["id"]
    assert timedelta(0) < datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC) <= timedelta(seconds=60)
    assert audited(api, old["id"]) == ["api_keys.create", "api_keys.roll"]
    with api.unchanged():
        assert outcome(client.call("POST", f"{KEYS}/{old['id']}/roll", json={})) == (409, "api_key_replaced")
    assert roll(client, new["id"])[1].get("/v1/me").status_code == 200


def test_n30_roll_without_overlap_ends_old_key_at_once(api: ApiHarness, client: ApiUser) -> None:
    old, before = make(client)
    assert before.get("/v1/me").status_code == 200
    new, after = roll(client, old["id"])
    assert outcome(before.get("/v1/me")) == (401, "token_invalid")
    assert after.get("/v1/me").status_code == 200
    assert kept_scopes(api, new["id"]) is None
    assert old["id"] not in listed(client)
    with api.unchanged():
        assert outcome(client.call("POST", f"{KEYS}/{old['id']}/roll", json={})) == (409, "api_key_replaced")


def test_overlap_does_not_extend_expiry(client: ApiUser) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    old, _ = make(client, expires_at=soon)
    roll(client, old["id"], overlap_seconds=OVERLAP_SECONDS_MAX)
    assert datetime.fromisoformat(listed(client)[old["id"]]["expires_at"]) == datetime.fromisoformat(soon)


def test_concurrent_rolls_one_succeeds(api: ApiHarness, client: ApiUser) -> None:
    old, _ = make(client)
    answers = at_once(10, lambda _: client.call("POST", f"{KEYS}/{old['id']}/roll", json={"overlap_seconds": 5}))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} == {"api_key_replaced"}
    assert api.execute("SELECT count(*) FROM tokens WHERE user_id = %s", client.id) == [3]


def test_narrow_api_key_cannot_roll_a_wider_one(api: ApiHarness, client: ApiUser) -> None:
    wide, _ = make(client, "wide")
    own, narrow = make(client, "narrow", scopes=NARROW)
    with api.unchanged():
        assert outcome(narrow.call("POST", f"{KEYS}/{wide['id']}/roll", json={})) == (403, "scope_missing")
    assert kept_scopes(api, roll(narrow, own["id"])[0]["id"]) == NARROW


@pytest.mark.parametrize("seconds", [-1, OVERLAP_SECONDS_MAX + 1, 1.5, "1", True, 10**29])
def test_invalid_overlap_is_refused(api: ApiHarness, client: ApiUser, seconds: object) -> None:
    made, _ = make(client)
    with api.unchanged():
        answer = client.call("POST", f"{KEYS}/{made['id']}/roll", json={"overlap_seconds": seconds})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/overlap_seconds"


def test_n30_revoked_key_stops_working_at_once(api: ApiHarness, client: ApiUser) -> None:
    made, server = make(client)
    assert server.get("/v1/me").status_code == 200
    answer = client.call("DELETE", f"{KEYS}/{made['id']}")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert outcome(server.get("/v1/me")) == (401, "token_invalid")
    assert outcome(client.call("DELETE", f"{KEYS}/{made['id']}")) == (404, "not_found")
    assert audited(api, made["id"]) == ["api_keys.create", "api_keys.end"]


def test_revoked_key_cannot_create_a_key(api: ApiHarness, client: ApiUser) -> None:
    made, server = make(client, scopes=NARROW)
    assert server.get("/v1/me").status_code == 200
    api.execute("UPDATE tokens SET revoked_at = now() WHERE id = %s", made["id"])
    with api.unchanged():
        assert outcome(server.call("POST", KEYS, json={"name": "heir"})) == (401, "token_invalid")


def test_n07_api_key_of_another_user_is_not_found(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    made, server = make(client)
    assert made["id"] not in listed(stranger)
    calls = [("DELETE", "", None), ("POST", "/roll", {})]
    for method, suffix, body in calls:
        with api.unchanged():
            foreign, unknown = (
                stranger.call(method, f"{KEYS}/{id}{suffix}", json=body) for id in (made["id"], uuids.uuid7())
            )
        bodies = [
            {k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in (foreign, unknown)
        ]
        assert foreign.status_code == 404
        assert bodies[0] == bodies[1]
    assert server.get("/v1/me").status_code == 200


@pytest.mark.parametrize("id", ["x", "0", "%00", "00000000-0000-0000-0000-000000000000"])
def test_unknown_api_key_is_not_found(api: ApiHarness, client: ApiUser, id: str) -> None:
    with api.unchanged():
        assert client.call("DELETE", f"{KEYS}/{id}").status_code == 404
        assert client.call("POST", f"{KEYS}/{id}/roll", json={}).status_code == 404


def fill(api: ApiHarness, person: ApiUser, count: int) -> None:
    api.execute(
        "INSERT INTO tokens (id, user_id, hash, prefix, last4) SELECT gen_random_uuid(), %s,"
        " sha256((%s || n)::bytea), 'pay_xxxx', 'xxxx' FROM generate_series(1, %s) n",
        person.id, person.id, count,
    )  # fmt: skip


def test_number_of_api_keys_is_limited_even_when_concurrent(api: ApiHarness, client: ApiUser) -> None:
    fill(api, client, ACTIVE_MAX - 3)
    answers = at_once(8, lambda number: client.call("POST", KEYS, json={"name": f"n{number}"}))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 6
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} == {"api_key_limit_reached"}
    made = next(answer.get_json() for answer in answers if answer.status_code == 201)
    with api.unchanged():
        answer = client.call("POST", f"{KEYS}/{made['id']}/roll", json={"overlap_seconds": 60})
        assert outcome(answer) == (409, "api_key_limit_reached")
    assert roll(client, made["id"])[1].get("/v1/me").status_code == 200


def test_api_keys_are_listed_in_pages(api: ApiHarness, stranger: ApiUser) -> None:
    for number in range(3):
        make(stranger, f"n{number}")
    first = stranger.get(f"{KEYS}?limit=2").get_json()
    assert [row["name"] for row in first["data"]] == ["n2", "n1"]
    second = stranger.get(f"{KEYS}?limit=2&cursor={first['next_cursor']}").get_json()
    assert [row["name"] for row in second["data"]] == ["n0", None]


@pytest.mark.parametrize("name", ["token", "id", "user_id", "role", "hash", "prefix", "kind", "replaced_by"])
def test_n16_unknown_members_are_refused(api: ApiHarness, client: ApiUser, name: str) -> None:
    with api.unchanged():
        assert outcome(client.call("POST", KEYS, json={"name": "x", name: "x"})) == (422, "unknown_field")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00", "a\u202eb", None, 1])
def test_invalid_api_key_name_is_refused(api: ApiHarness, client: ApiUser, name: object) -> None:
    with api.unchanged():
        assert client.call("POST", KEYS, json={"name": name}).status_code == 422
