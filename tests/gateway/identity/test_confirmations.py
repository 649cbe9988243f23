"""Confirmations and password resets by a token from an e-mail; N23."""

import pytest

from models import token as tokens
from models.confirmation import MAILS_PER_HOUR_MAX
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import (
    PASSWORD,
    audited,
    device,
    form,
    lengthen_lock,
    mailed,
    newcomer,
    outcome,
    post,
    sign_in,
    sign_up,
)
from tests.gateway.orders import deposit_into
from tests.support import Database, at_once

CONFIRM, RESEND = "/v1/confirmations", "/v1/confirmations/resend"
RESET, RESET_CONFIRM = "/v1/password-resets", "/v1/password-resets/confirm"
NEW = "another staple 5 horse"


def mail_count(api: ApiHarness, email: str) -> int:
    [count] = api.execute("SELECT count(*) FROM confirmations c JOIN users u ON u.id = user_id WHERE email = %s", email)
    return count


def test_confirmed_address_allows_payments(api: ApiHarness) -> None:
    email, person = newcomer(api)
    wallet = person.wallet()
    order = deposit_into(wallet)
    assert outcome(person.order("/v1/deposits", order)) == (403, "email_unconfirmed")
    assert person.get("/v1/me").get_json()["email_confirmed"] is False
    answer = post(api, CONFIRM, token=mailed(api, email))
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert person.get("/v1/me").get_json()["email_confirmed"] is True
    assert person.order("/v1/deposits", order).status_code == 202
    assert audited(api, person.id) == ["users.sign_up", "users.confirm"]


def test_confirmation_token_works_once(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    token = mailed(api, email)
    assert post(api, CONFIRM, token=token).status_code == 204
    with api.unchanged():
        assert outcome(post(api, CONFIRM, token=token)) == (422, "confirmation_invalid")


def test_concurrent_confirmations_one_succeeds(api: ApiHarness) -> None:
    email, person = newcomer(api)
    token = mailed(api, email)
    answers = at_once(20, lambda _: post(api, CONFIRM, token=token))
    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 19
    assert audited(api, person.id).count("users.confirm") == 1


def test_invalid_confirmation_tokens_get_the_same_answer(api: ApiHarness) -> None:
    email, person = newcomer(api)
    expired = mailed(api, email)
    api.execute("UPDATE confirmations SET expires_at = now() WHERE hash = %s", tokens.hash_of(expired))
    post(api, RESET, email=email)
    of_other_purpose = mailed(api, email)
    unknown = tokens.new(tokens.CONFIRMATION_PREFIX)
    wrong = [
        "",
        "x",
        expired,
        of_other_purpose,
        unknown,
        unknown[:-1],
        unknown + "x",
        person.token,
        "cfm_\x00",
        "\ud800",
    ]
    with api.unchanged():
        answers = [post(api, CONFIRM, token=token) for token in wrong]
    bodies = [{k: v for k, v in answer.get_json().items() if k != "request_id"} for answer in answers]
    assert bodies == [bodies[0]] * len(wrong)
    assert outcome(answers[0]) == (422, "confirmation_invalid")


@pytest.mark.parametrize("path", [RESEND, RESET])
def test_n23_email_request_gets_same_answer_for_any_address(api: ApiHarness, path: str) -> None:
    body = form()
    sign_up(api, body)
    confirmed = api.person()
    [other] = api.execute("SELECT email FROM users WHERE id = %s", confirmed.id)
    answers = [post(api, path, email=email) for email in (body["email"], "nobody@example.com", other)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.get_data() for answer in answers}) == 1
    assert {mail_count(api, body["email"]), mail_count(api, other)} == ({2, 0} if path == RESEND else {2, 1})


@pytest.mark.parametrize("path", [RESEND, RESET])
def test_email_request_rings_only_if_one_is_due(api: ApiHarness, path: str, rings: list[str | None]) -> None:
    body = form()
    sign_up(api, body)
    rings.clear()
    post(api, path, email="nobody@example.com")
    assert rings == []
    answer = post(api, path, email=body["email"].upper())
    assert rings == [answer.headers["Request-Id"]]


def test_emails_per_user_are_limited(api: ApiHarness) -> None:
    body = form()
    sign_up(api, body)
    for _ in range(MAILS_PER_HOUR_MAX + 3):
        assert post(api, RESEND, email=body["email"]).status_code == 202
    assert mail_count(api, body["email"]) == MAILS_PER_HOUR_MAX


def test_confirming_once_invalidates_other_tokens(api: ApiHarness) -> None:
    body = form()
    sign_up(api, body)
    post(api, RESEND, email=body["email"])
    first, second = mailed(api, body["email"]), mailed(api, body["email"])
    assert post(api, CONFIRM, token=first).status_code == 204
    assert outcome(post(api, CONFIRM, token=second)) == (422, "confirmation_invalid")


def reset_token(api: ApiHarness, email: str) -> str:
    """The token of a password reset; the one that confirms the address stays unused."""
    mailed(api, email)
    assert post(api, RESET, email=email).status_code == 202
    return mailed(api, email)


def test_reset_ends_sessions_but_not_api_keys(api: ApiHarness) -> None:
    email, person = newcomer(api)
    assert post(api, CONFIRM, token=mailed(api, email)).status_code == 204
    key = person.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()["token"]
    server = ApiUser(api, person.id, key)
    assert server.get("/v1/me").status_code == person.get("/v1/me").status_code == 200
    post(api, RESET, email=email)
    answer = post(api, RESET_CONFIRM, token=mailed(api, email), password=NEW)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert outcome(person.get("/v1/me")) == (401, "token_invalid")
    assert server.get("/v1/me").status_code == 200
    assert outcome(sign_in(api, email, PASSWORD)) == (401, "credentials_invalid")
    assert sign_in(api, email, NEW).status_code == 201
    assert audited(api, person.id) == ["users.sign_up", "users.confirm", "users.password_reset", "sessions.end"]


def test_reset_of_unconfirmed_user_revokes_sessions_and_keys(api: ApiHarness) -> None:
    email, impostor = newcomer(api)
    key = impostor.call("POST", "/v1/api-keys", json={"name": "later"}).get_json()["token"]
    assert post(api, RESET_CONFIRM, token=reset_token(api, email), password=NEW).status_code == 204
    for token in (impostor.token, key):
        assert outcome(ApiUser(api, "", token).get("/v1/me")) == (401, "token_invalid")
    assert device(api, email, NEW).get("/v1/me").get_json()["email_confirmed"] is True
    done = ["users.sign_up", "users.password_reset", "sessions.end", "api_keys.end", "users.confirm"]
    assert audited(api, impostor.id) == done


def test_reset_sets_first_password_of_user_created_by_cli(api: ApiHarness) -> None:
    made = api.person("ops")
    [email] = api.execute("SELECT email FROM users WHERE id = %s", made.id)
    assert outcome(sign_in(api, email, NEW)) == (401, "credentials_invalid")
    post(api, RESET, email=email)
    assert post(api, RESET_CONFIRM, token=mailed(api, email), password=NEW).status_code == 204
    assert device(api, email, NEW).id == made.id
    assert "users.confirm" not in audited(api, made.id)


def test_reset_clears_login_throttle(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    token = reset_token(api, email)
    for _ in range(5):
        sign_in(api, email, PASSWORD + "!")
    lengthen_lock(api)
    assert outcome(sign_in(api, email)) == (429, "login_throttled")
    assert post(api, RESET_CONFIRM, token=token, password=NEW).status_code == 204
    assert sign_in(api, email, NEW).status_code == 201


def test_reset_with_refused_password_keeps_token_valid(api: ApiHarness) -> None:
    email, _ = newcomer(api, email="reset.person@example.com")
    token = reset_token(api, email)
    for password, code in (("short", "password_too_short"), ("my reset.person pass", "password_too_weak")):
        with api.unchanged():
            assert outcome(post(api, RESET_CONFIRM, token=token, password=password)) == (422, code)
    assert post(api, RESET_CONFIRM, token=token, password=NEW).status_code == 204
    with api.unchanged():
        assert outcome(post(api, RESET_CONFIRM, token=token, password=NEW)) == (422, "confirmation_invalid")


def test_confirmation_token_cannot_reset_password(api: ApiHarness) -> None:
    body = form()
    sign_up(api, body)
    token = mailed(api, body["email"])
    with api.unchanged():
        answer = post(api, RESET_CONFIRM, token=token, password=NEW)
    assert outcome(answer) == (422, "confirmation_invalid")


def test_deactivated_user_gets_no_email(api: ApiHarness) -> None:
    body = form()
    sign_up(api, body)
    api.execute("UPDATE users SET is_active = false WHERE email = %s", body["email"])
    with api.unchanged():
        assert post(api, RESET, email=body["email"]).status_code == 202
        assert post(api, RESEND, email=body["email"]).status_code == 202


@pytest.mark.parametrize("path", [RESEND, RESET])
def test_n23_email_requests_are_limited_per_address(fresh_database: Database, path: str) -> None:
    throttled = ApiHarness(fresh_database, sign_up_limit="2 per year")
    answers = [post(throttled, path, email=f"a{number}@example.com") for number in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
    assert answers[-1].get_json()["code"] == "rate_limited"


def test_confirmation_attempts_are_limited_per_address(fresh_database: Database) -> None:
    throttled = ApiHarness(fresh_database, sign_up_limit="2 per year")
    guess = tokens.new(tokens.CONFIRMATION_PREFIX)
    answers = [post(throttled, CONFIRM, token=guess) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]


@pytest.mark.parametrize("path", [CONFIRM, RESEND, RESET, RESET_CONFIRM])
def test_n16_unknown_members_are_refused(api: ApiHarness, path: str) -> None:
    with api.unchanged():
        answer = post(api, path, user_id="x")
    assert "unknown_field" in {flaw["code"] for flaw in answer.get_json()["errors"]}
