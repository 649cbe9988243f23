"""Reading and changing one's own user: N16, N17, N22, N24, N49."""

from typing import Any

import pytest

from models.login_throttle import of_user
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import (
    PASSWORD,
    audited,
    device,
    lengthen_lock,
    mailed,
    newcomer,
    outcome,
    post,
    sign_in,
)
from tests.support import Database, at_once

NEW = "another staple 5 horse"


def patch(person: ApiUser, **body: Any) -> Any:
    return person.call("PATCH", "/v1/me", json=body)


def test_me_shows_user_created_by_cli(api: ApiHarness) -> None:
    for role in ("client", "merchant", "ops", "auditor"):
        person = api.person(role, "Ann")
        shown = person.get("/v1/me").get_json()
        assert (shown["id"], shown["role"], shown["name"], shown["email_confirmed"]) == (person.id, role, "Ann", True)
        assert (shown["first_name"], shown["last_name"], shown["phone_number"], shown["url"]) == (None,) * 4


def test_client_changes_name(api: ApiHarness) -> None:
    _, person = newcomer(api)
    answer = patch(person, first_name="Zoe\u0308", phone_number="+1 202 555 0133")
    assert answer.status_code == 200
    assert answer.get_json() == person.get("/v1/me").get_json()
    shown = answer.get_json()
    assert (shown["first_name"], shown["name"], shown["phone_number"]) == ("Zo\u00eb", "Zo\u00eb Ash", "+12025550133")
    [before] = api.execute("SELECT before FROM audit_log WHERE target = %s AND action = 'users.change'", person.id)
    [after] = api.execute("SELECT after FROM audit_log WHERE target = %s AND action = 'users.change'", person.id)
    assert (before["first_name"], before["name"]) == ("Ann", "Ann Ash")
    assert after == {"first_name": "Zo\u00eb", "name": "Zo\u00eb Ash", "phone_number": "+12025550133"}


def test_merchant_changes_name_and_url(api: ApiHarness) -> None:
    _, person = newcomer(api, "merchant")
    shown = patch(person, name="Other Shop", url="https://other.example.com", first_name="Bob").get_json()
    assert (shown["name"], shown["url"], shown["first_name"]) == ("Other Shop", "https://other.example.com", "Bob")


def test_half_a_name_keeps_name_set_by_cli(client: ApiUser) -> None:
    assert patch(client, first_name="Zed").get_json()["name"] == "Ann"
    assert patch(client, last_name="Zoo").get_json()["name"] == "Zed Zoo"


def test_unchanged_values_change_nothing(api: ApiHarness) -> None:
    _, person = newcomer(api)
    with api.unchanged():
        assert patch(person).status_code == 200
        assert patch(person, first_name="Ann").status_code == 200


@pytest.mark.parametrize(
    "name",
    ["id", "role", "email", "is_active", "email_confirmed", "email_confirmed_at", "created_at", "balance", "scopes",
     "password_hash", "is_staff", "welcomed_at", "name", "url"],
)  # fmt: skip
def test_n16_n17_client_cannot_set_other_members(api: ApiHarness, client: ApiUser, name: str) -> None:
    with api.unchanged():
        answer = patch(client, **{name: "https://x.example.com"})
    assert outcome(answer) == (422, "unknown_field")
    assert answer.get_json()["errors"][0]["pointer"] == f"/{name}"


@pytest.mark.parametrize("name", ["id", "role", "email", "is_active", "balance"])
def test_n17_merchant_cannot_set_other_members(api: ApiHarness, merchant: ApiUser, name: str) -> None:
    with api.unchanged():
        assert outcome(patch(merchant, **{name: "x"})) == (422, "unknown_field")


@pytest.mark.parametrize("name", ["first_name", "last_name", "phone_number"])
def test_known_value_cannot_be_set_to_null(api: ApiHarness, client: ApiUser, name: str) -> None:
    with api.unchanged():
        assert outcome(patch(client, **{name: None})) == (422, "null_not_allowed")


def test_phone_number_of_another_user_is_refused(api: ApiHarness) -> None:
    _, person = newcomer(api)
    _, other = newcomer(api)
    number = person.get("/v1/me").get_json()["phone_number"]
    with api.unchanged():
        assert outcome(patch(other, phone_number=number, first_name="X")) == (409, "duplicate_phone_number")
    assert patch(person, phone_number=number).status_code == 200


def test_n22_phone_number_changes_are_limited_per_address(fresh_database: Database) -> None:
    throttled = ApiHarness(fresh_database, sign_up_limit="3 per year")
    _, person = newcomer(throttled)
    number = person.get("/v1/me").get_json()["phone_number"]
    others = [throttled.person() for _ in range(4)]
    answers = [patch(other, phone_number=number) for other in others]
    assert [answer.status_code for answer in answers] == [409] * 3 + [429]
    assert answers[-1].get_json()["code"] == "rate_limited"


def test_concurrent_changes_to_one_phone_number_one_succeeds(api: ApiHarness) -> None:
    people = [api.person() for _ in range(5)]
    answers = at_once(5, lambda number: patch(people[number], phone_number="+12025550177"))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 4


def test_new_password_ends_other_sessions(api: ApiHarness) -> None:
    email, here = newcomer(api)
    there = device(api, email)
    key = here.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()["token"]
    assert patch(here, current_password=PASSWORD, password=NEW, first_name="Zed").status_code == 200
    assert outcome(there.get("/v1/me")) == (401, "token_invalid")
    assert here.get("/v1/me").get_json()["first_name"] == "Zed"
    assert ApiUser(api, here.id, key).get("/v1/me").status_code == 200
    assert outcome(sign_in(api, email, PASSWORD)) == (401, "credentials_invalid")
    assert sign_in(api, email, NEW).status_code == 201
    assert audited(api, here.id) == ["users.sign_up", "users.change", "users.password_change", "sessions.end"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"password": NEW}, "/current_password", "required"),
        ({"current_password": PASSWORD}, "/password", "required"),
        ({"current_password": PASSWORD + "!", "password": NEW}, "/current_password", "current_password_wrong"),
        ({"current_password": PASSWORD, "password": "short"}, "/password", "password_too_short"),
        ({"current_password": PASSWORD, "password": "New.Person-changes x"}, "/password", "password_too_weak"),
    ],
)
def test_invalid_password_change_is_refused(api: ApiHarness, body: dict[str, str], pointer: str, code: str) -> None:
    api.execute("UPDATE users SET email = id || '@example.com', phone_number = NULL WHERE email LIKE 'new.person%%'")
    _, person = newcomer(api, email="new.person-changes@example.com")
    with api.unchanged():
        answer = patch(person, **body)
    assert outcome(answer) == (422, code)
    assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == [pointer]


def test_user_without_password_cannot_change_it(api: ApiHarness, client: ApiUser) -> None:
    with api.unchanged():
        answer = patch(client, current_password=PASSWORD, password=NEW)
    assert outcome(answer) == (422, "current_password_wrong")


def test_new_password_invalidates_pending_resets(api: ApiHarness) -> None:
    email, phone = newcomer(api)
    mailed(api, email)
    post(api, "/v1/password-resets", email=email)
    token = mailed(api, email)
    assert patch(phone, current_password=PASSWORD, password=NEW).status_code == 200
    answer = post(api, "/v1/password-resets/confirm", token=token, password=f"{NEW}!")
    assert outcome(answer) == (422, "confirmation_invalid")
    device(api, email, NEW)


def test_n24_wrong_current_passwords_are_throttled(api: ApiHarness) -> None:
    email, person = newcomer(api)
    for _ in range(of_user(email).free):
        assert outcome(patch(person, current_password=PASSWORD + "!", password=NEW))[1] == "current_password_wrong"
    assert lengthen_lock(api) == pytest.approx(1)
    answer = patch(person, current_password=PASSWORD, password=NEW)
    assert outcome(answer) == (429, "login_throttled")
    assert 0 < int(answer.headers["Retry-After"]) <= 3601
    assert outcome(sign_in(api, email)) == (429, "login_throttled")


def test_concurrent_password_changes_one_succeeds(api: ApiHarness) -> None:
    email, person = newcomer(api)
    choices = [f"{NEW} {number}" for number in range(4)]
    answers = at_once(4, lambda number: patch(person, current_password=PASSWORD, password=choices[number]))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    [winner] = [choice for choice, answer in zip(choices, answers, strict=True) if answer.status_code == 200]
    assert sign_in(api, email, winner).status_code == 201
