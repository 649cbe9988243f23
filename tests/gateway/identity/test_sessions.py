"""Signing in and out: N11, N21 to N25, N30."""

import math
import time

import pytest
from argon2 import PasswordHasher
from uuid_utils import compat as uuids

from models import token
from models.login_throttle import of_address, of_user
from models.token import ACTIVE_MAX
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import (
    PASSWORD,
    audited,
    device,
    lengthen_lock,
    newcomer,
    outcome,
    sign_in,
)
from tests.support import at_once

WRONG = PASSWORD + "!"
FREE_OF_USER, FREE_OF_ADDRESS = of_user("a@example.com").free, of_address("127.0.0.1").free


def test_sign_in_opens_a_session(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    answer = sign_in(
        api, email.upper(), headers={"User-Agent": "Browser 1.0"}, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    opened = answer.get_json()
    assert answer.status_code == 201
    assert token.is_well_formed(opened["token"])
    assert (opened["address"], opened["user_agent"], opened["is_current"]) == ("192.0.2.7", "Browser 1.0", True)
    assert opened["token"].startswith(opened["prefix"])
    assert opened["token"].endswith(opened["last4"])
    assert audited(api, opened["id"]) == ["sessions.open"]
    [hours] = api.execute(
        "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM tokens WHERE id = %s", opened["id"]
    )
    assert hours == api.app.extensions["gateway"].settings.token_ttl_hours


@pytest.mark.parametrize(
    ("agent", "kept"),
    [("a" * 300, "a" * 200), ("", None), ("a\x00b\x1b[31mc\x7f\u0085d", "ab[31mcd"), ("\x01", None)],
)
def test_n68_user_agent_is_cleaned(api: ApiHarness, agent: str, kept: str | None) -> None:
    email, _ = newcomer(api)
    opened = sign_in(api, email, environ_base={"HTTP_USER_AGENT": agent}).get_json()
    assert opened["user_agent"] == kept


def test_sign_in_with_another_role_is_refused(api: ApiHarness) -> None:
    email, _ = newcomer(api, "merchant")
    call = api.anonymous().call
    body = {"email": email, "password": PASSWORD}
    assert call("POST", "/v1/sessions", json={**body, "role": "merchant"}).status_code == 201
    assert outcome(call("POST", "/v1/sessions", json={**body, "role": "ops"})) == (401, "credentials_invalid")
    assert outcome(call("POST", "/v1/sessions", json={**body, "role": "root"})) == (422, "invalid_value")


def test_n11_deactivated_user_cannot_sign_in_or_call(api: ApiHarness) -> None:
    email, person = newcomer(api)
    api.execute("UPDATE users SET is_active = false WHERE email = %s", email)
    api.app.extensions["gateway"].tokens.forget_everywhere(person.id)
    assert outcome(sign_in(api, email)) == (403, "user_inactive")
    assert outcome(sign_in(api, email, WRONG)) == (401, "credentials_invalid")
    assert outcome(person.get("/v1/me")) == (403, "user_inactive")


def test_sessions_are_listed_and_ended_one_by_one(api: ApiHarness) -> None:
    email, phone = newcomer(api)
    laptop, tablet = device(api, email), device(api, email)
    rows = laptop.get("/v1/sessions").get_json()["data"]
    assert [row["is_current"] for row in rows] == [False, True, False]
    assert all("token" not in row for row in rows)
    assert rows[0]["last4"] == tablet.token[-4:]
    assert laptop.call("DELETE", f"/v1/sessions/{rows[0]['id']}").status_code == 204
    assert laptop.call("DELETE", "/v1/sessions/current").status_code == 204
    assert outcome(tablet.get("/v1/me")) == outcome(laptop.get("/v1/me")) == (401, "token_invalid")
    assert [row["id"] for row in phone.get("/v1/sessions").get_json()["data"]] == [rows[2]["id"]]
    assert audited(api, rows[0]["id"]) == audited(api, rows[1]["id"]) == ["sessions.open", "sessions.end"]


def test_ending_all_sessions_keeps_api_keys(api: ApiHarness) -> None:
    email, phone = newcomer(api)
    laptop = device(api, email)
    key = phone.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()["token"]
    stranger = newcomer(api)[1]
    answer = phone.call("DELETE", "/v1/sessions")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert phone.get("/v1/me").status_code == laptop.get("/v1/me").status_code == 401
    assert ApiUser(api, phone.id, key).get("/v1/me").status_code == 200
    assert stranger.get("/v1/me").status_code == 200
    assert audited(api, phone.id)[-1] == "sessions.end"


def test_sessions_are_listed_in_pages(api: ApiHarness) -> None:
    email, phone = newcomer(api)
    for _ in range(2):
        device(api, email)
    ids = [row["id"] for row in phone.get("/v1/sessions").get_json()["data"]]
    first = phone.get("/v1/sessions?limit=2").get_json()
    second = phone.get(f"/v1/sessions?limit=2&cursor={first['next_cursor']}").get_json()
    assert [row["id"] for row in first["data"] + second["data"]] == ids
    assert len(ids) == 3
    assert not second["has_more"]


@pytest.mark.parametrize("id", ["x", "0", "01a1fe4b-120e-74ca-9ca6-b7715fec8752", "currents", "%00"])
def test_unknown_session_is_not_found(api: ApiHarness, client: ApiUser, id: str) -> None:
    with api.unchanged():
        assert outcome(client.call("DELETE", f"/v1/sessions/{id}")) == (404, "not_found")


def test_n07_session_of_another_user_is_not_found(api: ApiHarness) -> None:
    (_, owner), (_, stranger) = newcomer(api), newcomer(api)
    [row] = owner.get("/v1/sessions").get_json()["data"]
    with api.unchanged():
        foreign, unknown = (stranger.call("DELETE", f"/v1/sessions/{id}") for id in (row["id"], uuids.uuid7()))
    bodies = [
        {k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in (foreign, unknown)
    ]
    assert foreign.status_code == 404
    assert bodies[0] == bodies[1]
    assert owner.get("/v1/me").status_code == 200


def test_api_key_has_no_current_session(client: ApiUser) -> None:
    assert outcome(client.call("DELETE", "/v1/sessions/current")) == (404, "not_found")
    assert client.get("/v1/sessions").get_json()["data"] == []


def test_session_expires(api: ApiHarness) -> None:
    email, person = newcomer(api)
    api.execute("UPDATE tokens SET expires_at = now() WHERE user_id = %s", person.id)
    api.app.extensions["gateway"].tokens.forget_everywhere(person.id)
    assert outcome(person.get("/v1/me")) == (401, "token_invalid")
    assert device(api, email).get("/v1/sessions").get_json()["data"][0]["is_current"]


def test_session_above_limit_ends_the_oldest(api: ApiHarness) -> None:
    email, first = newcomer(api)
    api.execute(
        "INSERT INTO tokens (id, user_id, kind, hash, prefix, last4, expires_at)"
        " SELECT gen_random_uuid(), %s, 'session', sha256(n::text::bytea), 'pay_xxxx', 'xxxx', 'infinity'"
        " FROM generate_series(1, %s) n",
        first.id, ACTIVE_MAX - 1,
    )  # fmt: skip
    api.execute(
        "UPDATE tokens SET id = '00000000-0000-7000-8000-000000000000' WHERE hash = %s", token.hash_of(first.token)
    )
    assert device(api, email).get("/v1/me").status_code == 200
    api.app.extensions["gateway"].tokens.forget_everywhere(first.id)
    assert outcome(first.get("/v1/me")) == (401, "token_invalid")


def lock_over(api: ApiHarness) -> None:
    api.execute("UPDATE login_throttles SET locked_until = now()")


def test_n24_wrong_passwords_for_one_user_are_throttled(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    for _ in range(FREE_OF_USER):
        assert outcome(sign_in(api, email, WRONG)) == (401, "credentials_invalid")
    assert lengthen_lock(api) == pytest.approx(1)
    for password in (WRONG, PASSWORD):
        answer = sign_in(api, email.upper(), password)
        assert outcome(answer) == (429, "login_throttled")
        assert 0 < int(answer.headers["Retry-After"]) <= 3601
    lock_over(api)
    assert outcome(sign_in(api, email, WRONG)) == (401, "credentials_invalid")
    assert lengthen_lock(api) == pytest.approx(2)
    assert outcome(sign_in(api, email)) == (429, "login_throttled")
    lock_over(api)
    assert sign_in(api, email).status_code == 201
    assert outcome(sign_in(api, email, WRONG)) == (401, "credentials_invalid")
    assert sign_in(api, email).status_code == 201


def test_n24_unknown_user_is_throttled_alike(api: ApiHarness) -> None:
    answers = [sign_in(api, "ghost@example.com", WRONG) for _ in range(FREE_OF_USER)]
    lengthen_lock(api)
    answers.append(sign_in(api, "ghost@example.com", WRONG))
    assert [answer.status_code for answer in answers] == [401] * FREE_OF_USER + [429]


def test_n24_concurrent_attempts_are_counted(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    email, _ = newcomer(api)
    judged, verify = [], PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: str) -> bool:
        judged.append(password)
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    began = time.monotonic()
    answers = at_once(20, lambda _: sign_in(api, email, WRONG))
    seconds = time.monotonic() - began  # locks of 1, 2, 4 ... s end one after the other on a busy machine
    assert {outcome(answer) for answer in answers} == {(401, "credentials_invalid"), (429, "login_throttled")}
    assert len(judged) == sum(answer.status_code == 401 for answer in answers)
    assert FREE_OF_USER <= len(judged) <= FREE_OF_USER + math.log2(1 + seconds)


def test_n25_attempts_from_one_address_are_throttled(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    here, there = ({"environ_base": {"REMOTE_ADDR": address}} for address in ("198.51.100.1", "198.51.100.2"))
    assert outcome(sign_in(api, "u0@example.com", WRONG, **here)) == (401, "credentials_invalid")
    subject = of_address("198.51.100.1").hash
    api.execute("UPDATE login_throttles SET attempts = %s WHERE subject = %s", FREE_OF_ADDRESS - 2, subject)
    for number in (1, 2):
        assert outcome(sign_in(api, f"u{number}@example.com", WRONG, **here)) == (401, "credentials_invalid")
    lengthen_lock(api)
    assert outcome(sign_in(api, email, **here)) == (429, "login_throttled")
    assert outcome(sign_in(api, "u3@example.com", WRONG, **here)) == (429, "login_throttled")
    assert sign_in(api, email, **there).status_code == 201


def test_successful_sign_ins_do_not_throttle_the_address(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    sign_in(api, "u0@example.com", WRONG)
    counted = "SELECT attempts, locked_until > now() FROM login_throttles WHERE subject = %s"
    before = api.execute(counted, of_address("127.0.0.1").hash)
    for _ in range(3):
        assert sign_in(api, email).status_code == 201
    assert api.execute(counted, of_address("127.0.0.1").hash) == before


@pytest.mark.parametrize("name", ["token", "id", "user_id", "scopes", "expires_at", "hours"])
def test_n16_unknown_members_are_refused(api: ApiHarness, name: str) -> None:
    with api.unchanged():
        body = {"email": "a@example.com", "password": PASSWORD, name: "x"}
        assert outcome(api.anonymous().call("POST", "/v1/sessions", json=body)) == (422, "unknown_field")
