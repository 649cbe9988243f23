"""Clients and merchants sign up: N16, N22, N49, N57, and many equal sign-ups at once."""

import unicodedata

import pytest

from tests.gateway.harness import ApiHarness
from tests.gateway.identity.signed_up_users import PASSWORD, audited, form, mailed, outcome, sign_in, sign_up
from tests.support import Database, at_once

SHOWN = {
    "id", "role", "email", "first_name", "last_name", "phone_number", "name", "url", "is_active", "email_confirmed",
    "created_at",
}  # fmt: skip


def users(api: ApiHarness, email: str) -> list[str]:
    return api.execute("SELECT id::text FROM users WHERE lower(email) = lower(%s)", email)


def test_client_signs_up(api: ApiHarness, rings: list[str | None]) -> None:
    body = form(first_name="Ann", last_name="von Ash")
    answer = sign_up(api, body)
    shown = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/me"
    assert shown.keys() == SHOWN
    assert shown["phone_number"] == body["phone_number"].replace(" ", "")
    assert {name: shown[name] for name in ("role", "email", "name", "url", "is_active", "email_confirmed")} == {
        "role": "client", "email": body["email"], "name": "Ann von Ash", "url": None, "is_active": True,
        "email_confirmed": False,
    }  # fmt: skip
    assert audited(api, shown["id"]) == ["users.sign_up"]
    assert api.execute("SELECT welcomed_at FROM users WHERE id = %s", shown["id"]) == [None]
    assert mailed(api, body["email"])
    assert rings == [answer.headers["Request-Id"]] * 2


def test_merchant_signs_up(api: ApiHarness) -> None:
    shown = sign_up(api, form("merchant", name="Ann's Café", url="https://café.example.com/shop?x=1")).get_json()
    assert (shown["role"], shown["name"], shown["first_name"]) == ("merchant", "Ann's Café", "Ann")
    assert shown["url"] == "https://café.example.com/shop?x=1"


def test_longest_names_fit_into_client_name(api: ApiHarness) -> None:
    shown = sign_up(api, form(first_name="f" * 50, last_name="l" * 50)).get_json()
    assert shown["name"] == "f" * 50 + " " + "l" * 49


@pytest.mark.parametrize("role", ["client", "merchant"])
def test_sign_up_without_a_member_is_refused(api: ApiHarness, role: str) -> None:
    for name in form(role):
        body = {k: v for k, v in form(role).items() if k != name}
        path = "/v1/merchants" if role == "merchant" else "/v1/clients"
        with api.unchanged():
            answer = api.anonymous().call("POST", path, json=body)
        assert outcome(answer) == (422, "required")
        assert answer.get_json()["errors"][0]["pointer"] == f"/{name}"


@pytest.mark.parametrize(
    "name",
    ["id", "role", "is_active", "email_confirmed", "email_confirmed_at", "welcomed_at", "password_hash", "created_at",
     "is_staff", "scopes", "balance", "name"],
)  # fmt: skip
def test_n16_unknown_members_are_refused(api: ApiHarness, name: str) -> None:
    with api.unchanged():
        answer = sign_up(api, {**form(), name: "ops"})
    assert outcome(answer) == (422, "unknown_field")
    assert answer.get_json()["errors"][0]["pointer"] == f"/{name}"


EMAILS = [
    "", "x", "@", "a@", "@example.com", "a b@example.com", "a@b@example.com", "a@example", "a@-example.com",
    "a@exa mple.com", "a@[127.0.0.1]", '"a b"@example.com', "Ann <ann@example.com>",
    "a\r\nBcc: x@example.com", "a\x00@example.com", "a@example.com\x00", "\ud800@example.com", "a@\ud800.com",
    "a" * 250 + "@example.com", "a@" + "b" * 60_000, ".a@example.com", "a@example..com", "a@localhost",
    "=?utf-8?q?ann?=@example.com",
]  # fmt: skip


@pytest.mark.parametrize("email", EMAILS, ids=range(len(EMAILS)))
def test_invalid_email_is_refused(api: ApiHarness, email: str) -> None:
    with api.unchanged():
        assert outcome(sign_up(api, form(email=email))) == (422, "email_invalid")


NUMBERS = [
    "", "+", "0301234567", "030 1234567", "+49", "+4930", "+0301234567", "+999123456789", "+493012345678901234",
    "tel:+49301234567", "+49301234567;ext=5", "+49 30 1234567 ext 5", "+\u0664\u0669301234567", "+49301234567\n",
    "++49301234567", "+4930123456789012", "+81 0120 1234567890123", "+49 1234", "+500 12345",
    "+49301234567\x00", "\uff0b49301234567", "+1 800 FLOWERS", "+" + "4" * 60_000, "(+49)301234567",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_invalid_phone_number_is_refused(api: ApiHarness, number: str) -> None:
    with api.unchanged():
        assert outcome(sign_up(api, form(phone_number=number))) == (422, "phone_number_invalid")


URLS = [
    "x", "shop.example.com", "//shop.example.com", "ftp://shop.example.com", "javascript:alert(1)", "https://",
    "https:///path", "https://a b.example.com", "https://user:pw@shop.example.com", "https://user@shop.example.com",
    "https://[::1", "https://shop.example.com:99999999", "https://shop.example.com/a b", "https://localhost\\@x.com",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_invalid_url_is_refused(api: ApiHarness, url: str) -> None:
    with api.unchanged():
        assert outcome(sign_up(api, form("merchant", url=url))) == (422, "invalid_value")


def test_too_long_url_is_refused(api: ApiHarness) -> None:
    url = "https://shop.example.com/"
    assert outcome(sign_up(api, form("merchant", url=url + "x" * 200)))[1] == "text_too_long"
    assert sign_up(api, form("merchant", url=url + "x" * (200 - len(url)))).status_code == 201


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "invalid_value"), (" ", "invalid_value"), ("x" * 51, "text_too_long"), ("a\x00", "text_invalid"),
     ("a\u202eb", "text_invalid"), ("a\r\nb", "text_invalid"), ("\u3164", "invalid_value"),
     ("\u200b\u2060", "invalid_value"), ("\u0301", "invalid_value"), ("\u00a0\u2800", "invalid_value")],
)  # fmt: skip
def test_invalid_name_is_refused(api: ApiHarness, name: str, code: str) -> None:
    with api.unchanged():
        assert outcome(sign_up(api, form(last_name=name))) == (422, code)


def test_n22_duplicate_address_in_any_case_is_refused(api: ApiHarness) -> None:
    body = form(email="Taken.Person@example.com")
    assert sign_up(api, body).status_code == 201
    for email in ("Taken.Person@example.com", "taken.person@EXAMPLE.com", "TAKEN.PERSON@example.com"):
        with api.unchanged():
            assert outcome(sign_up(api, form(email=email))) == (409, "duplicate_email")
    with api.unchanged():
        assert outcome(sign_up(api, form("merchant", email=body["email"]))) == (409, "duplicate_email")


def test_duplicate_phone_number_in_any_spelling_is_refused(api: ApiHarness) -> None:
    assert sign_up(api, form(phone_number="+1 (202) 555-0111")).status_code == 201
    for number in ("+12025550111", "+1 202.555.0111", "+1-202-555-0111"):
        with api.unchanged():
            assert outcome(sign_up(api, form(phone_number=number))) == (409, "duplicate_phone_number")


def test_n49_duplicates_after_normalisation_are_refused(api: ApiHarness) -> None:
    composed = "zo\u00eb@example.com"
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    made = sign_up(api, form(email=decomposed, first_name="Zoe\u0308"))
    assert made.get_json()["email"] == composed
    assert made.get_json()["first_name"] == "Zo\u00eb"
    assert outcome(sign_up(api, form(email=composed))) == (409, "duplicate_email")
    assert sign_in(api, decomposed).status_code == sign_in(api, composed).status_code == 201


def test_repeated_sign_up_with_key_is_replayed(api: ApiHarness, rings: list[str | None]) -> None:
    body = form()
    first = sign_up(api, body, "key-of-the-same")
    rings.clear()
    with api.unchanged():
        again = sign_up(api, dict(reversed(body.items())), "key-of-the-same")
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == "/v1/me"
    assert "Idempotent-Replayed" not in first.headers
    assert rings == []


@pytest.mark.parametrize(
    "change", [{"password": PASSWORD + "!"}, {"first_name": "Bob"}, {"phone_number": "+12025550199"}]
)
def test_n58_key_reused_for_another_sign_up_is_refused(api: ApiHarness, change: dict[str, str]) -> None:
    body = form()
    sign_up(api, body, "key-of-another")
    with api.unchanged():
        assert outcome(sign_up(api, {**body, **change}, "key-of-another")) == (422, "idempotency_key_reused")


def test_repeated_sign_up_without_its_key_is_refused(api: ApiHarness) -> None:
    body = form()
    sign_up(api, body, "key-one-of-two")
    with api.unchanged():
        assert outcome(sign_up(api, body, "key-two-of-two")) == (409, "duplicate_email")
        assert outcome(sign_up(api, body)) == (409, "duplicate_email")


def test_n57_same_key_of_another_user_is_independent(api: ApiHarness) -> None:
    bodies = [form(), form()]
    first, second = (sign_up(api, body, "key-of-everybody") for body in bodies)
    assert first.status_code == second.status_code == 201
    assert first.get_json()["id"] != second.get_json()["id"]
    assert "Idempotent-Replayed" not in second.headers


def test_sign_up_key_cannot_be_reused_for_a_payment(api: ApiHarness) -> None:
    body = form("merchant")
    sign_up(api, body, "key-that-is-spent")
    token = sign_in(api, body["email"]).get_json()["token"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-that-is-spent"}
    answer = api.anonymous().call("POST", "/v1/wallets", json={"currency": "EUR"}, headers=headers)
    assert outcome(answer) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "k" * 256, "k\u00e9y", "a b"])
def test_n60_malformed_key_is_refused(api: ApiHarness, key: str) -> None:
    with api.unchanged():
        answer = api.anonymous().call("POST", "/v1/clients", json=form(), headers={"Idempotency-Key": key})
    assert outcome(answer) == (400, "idempotency_key_invalid")


def test_fingerprint_excludes_the_password(api: ApiHarness) -> None:
    bodies = [form(), form()]
    for body, password in zip(bodies, (PASSWORD, PASSWORD + "!"), strict=True):
        body |= {"email": bodies[0]["email"], "phone_number": bodies[0]["phone_number"], "password": password}
    made = sign_up(api, bodies[0], "key-of-fingerprint").get_json()["id"]
    [kept] = api.execute("SELECT fingerprint FROM idempotency_keys WHERE user_id = %s", made)
    api.execute("UPDATE users SET email = %s, phone_number = NULL WHERE id = %s", f"{made}@example.com", made)
    other = sign_up(api, bodies[1], "key-of-fingerprint").get_json()["id"]
    assert api.execute("SELECT fingerprint FROM idempotency_keys WHERE user_id = %s", other) == [kept]


def test_concurrent_sign_ups_with_key_create_one_user(api: ApiHarness) -> None:
    body = form()
    answers = at_once(20, lambda _: sign_up(api, body, "key-of-twenty"))
    assert [answer.status_code for answer in answers] == [201] * 20
    assert len({answer.get_data() for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    [id] = users(api, body["email"])
    assert audited(api, id) == ["users.sign_up"]
    assert api.execute("SELECT count(*) FROM confirmations WHERE user_id = %s", id) == [1]


def test_concurrent_sign_ups_without_key_create_one_user(api: ApiHarness) -> None:
    body = form()
    answers = at_once(20, lambda _: sign_up(api, body))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 409} == {"duplicate_email"}
    assert len(users(api, body["email"])) == 1


def test_n22_sign_ups_are_limited_per_address(fresh_database: Database) -> None:
    throttled = ApiHarness(fresh_database, sign_up_limit="3 per year")
    body = form()
    answers = [sign_up(throttled, body) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 409, 409, 429, 429]
    assert answers[-1].get_json()["code"] == "rate_limited"
    assert int(answers[-1].headers["Retry-After"]) > 0
