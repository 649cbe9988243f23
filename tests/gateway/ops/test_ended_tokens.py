"""Ops end the sessions and API keys of others: at once, once, and with their reason in the audit log."""

import pytest
from uuid_utils import compat as uuids

from models import token as tokens
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import at_once

WHY = {"reason": "the laptop was stolen"}


@pytest.fixture
def signed_in(api: ApiHarness, client: ApiUser) -> dict[str, ApiUser]:
    """Two sessions and two keys of the client's, by the id of each, the sessions first."""
    users = {}
    for _ in range(2):
        id, text = str(uuids.uuid7()), tokens.new()
        with transaction(api.gateway) as connection:
            tokens.open_session(connection, id, client.id, text, 1, None, None)
        users[id] = ApiUser(api, client.id, text)
    key = client.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()
    unnamed = "SELECT id::text FROM tokens WHERE user_id = %s AND kind = 'api_key' AND name IS NULL"
    [first] = api.execute(unnamed, client.id)
    return {**users, first: client, key["id"]: ApiUser(api, client.id, key["token"])}


@pytest.mark.parametrize(("path", "name", "action"), [
    ("end-sessions", "session", "sessions.end"), ("end-api-keys", "api_key", "api_keys.end"),
])  # fmt: skip
def test_one_or_all_end_once_however_many_ask(
    api: ApiHarness, ops: ApiUser, client: ApiUser, signed_in: dict[str, ApiUser], path: str, name: str, action: str
) -> None:
    ids = list(signed_in)
    mine, others = (ids[:2], ids[2:]) if name == "session" else (ids[2:], ids[:2])
    url = f"/v1/ops/users/{client.id}/{path}"
    one = at_once(20, lambda _: ops.call("POST", url, json={name: mine[0], **WHY}))
    assert sorted(answer.get_json()["ended"] for answer in one) == [[]] * 19 + [[mine[0]]]
    assert [signed_in[id].get("/v1/me").status_code for id in ids] == [401 if id == mine[0] else 200 for id in ids]
    all = at_once(20, lambda _: ops.call("POST", url, json=WHY))
    assert sorted(answer.get_json()["ended"] for answer in all) == [[]] * 19 + [[mine[1]]]
    assert {signed_in[id].get("/v1/me").status_code for id in mine} == {401}
    assert {signed_in[id].get("/v1/me").status_code for id in others} == {200}
    entries = [entry for entry in api.audit_log(client.id) if entry["action"] == action]
    assert [(entry["actor"], entry["reason"], entry["after"]) for entry in entries] == [
        (ops.id, WHY["reason"], {"ended": [id]}) for id in mine
    ]


def test_a_token_of_another_user_or_kind_is_unknown(
    api: ApiHarness, ops: ApiUser, client: ApiUser, stranger: ApiUser, signed_in: dict[str, ApiUser]
) -> None:
    session, *_, key = signed_in
    with api.unchanged():
        for user, path, body in (
            (stranger, "end-sessions", {"session": session}),
            (client, "end-sessions", {"session": key}),
            (client, "end-api-keys", {"api_key": session}),
        ):
            answer = ops.call("POST", f"/v1/ops/users/{user.id}/{path}", json={**body, **WHY})
            assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
        assert ops.call("POST", f"/v1/ops/users/{client.id}/end-sessions", json={}).status_code == 422
