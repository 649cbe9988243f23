"""Second factors: setting up, signing in, recovery codes, removal, and who must have one."""

import base64
from xml.etree import ElementTree

import pyotp
import pytest
from werkzeug.test import TestResponse

from gateway.auth.secret_cipher import SecretCipher
from models import second_factor
from models.login_throttle import of_second_factor
from models.session import transaction
from models.token import SECOND_FACTOR_SECONDS
from tests.gateway.auth.scope_matrix import CALLS, do
from tests.gateway.harness import SECOND_FACTOR_KEY, ApiHarness, ApiUser
from tests.gateway.identity.authenticator import Authenticator, begin, device_token, enrolled, signed_up
from tests.gateway.identity.signed_up_users import PASSWORD, audited, lengthen_lock, outcome
from tests.support import Database, at_once

FREE = of_second_factor("x").free


@pytest.fixture(scope="module")
def strict(database: Database) -> ApiHarness:
    """A gateway over the module's database that requires second factors of ops users and auditors."""
    return ApiHarness(database, require_second_factor=True)


def sign_in(factor: Authenticator, **body: str) -> TestResponse:
    """The answer to a sign-in by the right password."""
    credentials = {"email": factor.email, "password": PASSWORD, **body}
    return factor.person.api.anonymous().call("POST", "/v1/sessions", json=credentials)


def test_a_second_factor_counts_once_a_code_confirms_it(api: ApiHarness) -> None:
    email, person = signed_up(api)
    first = begin(email, person)
    body = person.call("POST", "/v1/second-factor", json={"password": PASSWORD, "qr_code": True}).get_json()
    assert ElementTree.fromstring(body["qr_code"]).tag == "svg"
    assert body["uri"] == pyotp.TOTP(body["secret"]).provisioning_uri(name=email, issuer_name="Payments")
    assert outcome(person.call("POST", "/v1/second-factor/confirm", json={"code": first.code()})) == (
        *(401, "second_factor_invalid"),
    )
    other = ApiUser(api, person.id, device_token(api, email))
    factor = Authenticator(person, email, body["secret"])
    codes = person.call("POST", "/v1/second-factor/confirm", json={"code": factor.code()}).get_json()["recovery_codes"]
    assert len(set(codes)) == 10
    shown = person.get("/v1/second-factor").get_json()
    assert (shown["is_active"], shown["is_required"], shown["recovery_codes_left"]) == (True, False, 10)
    assert outcome(other.get("/v1/me")) == (401, "token_invalid")
    for path, more in (("second-factor", {"password": PASSWORD}), ("second-factor/confirm", {"code": "000000"})):
        assert outcome(person.call("POST", f"/v1/{path}", json=more)) == (409, "second_factor_active")
    assert audited(api, person.id)[-2:] == ["second_factors.confirm", "sessions.end"]


def test_setting_up_needs_the_password_and_a_session(api: ApiHarness, client: ApiUser) -> None:
    _, person = signed_up(api)
    with api.unchanged():
        wrong = person.call("POST", "/v1/second-factor", json={"password": PASSWORD + "!"})
        assert outcome(wrong) == (422, "current_password_wrong")
        assert outcome(client.call("POST", "/v1/second-factor", json={"password": PASSWORD})) == (
            *(403, "session_required"),
        )
        none = person.call("POST", "/v1/second-factor/confirm", json={"code": "000000"})
        assert outcome(none) == (409, "second_factor_missing")


def test_sign_in_asks_for_the_code_after_the_right_password_alone(api: ApiHarness) -> None:
    factor = enrolled(api)
    assert outcome(sign_in(factor)) == (401, "second_factor_required")
    for code in ({}, {"code": "000000"}, {"code": factor.recovery_codes[0]}):
        assert outcome(sign_in(factor, password=PASSWORD + "!", **code)) == (401, "credentials_invalid")
    assert outcome(sign_in(factor, code="abc")) == (422, "invalid_value")
    assert outcome(sign_in(factor, code="000000")) == (401, "second_factor_invalid")
    opened = sign_in(factor, code=factor.code(1))
    assert opened.status_code == 201
    assert opened.get_json()["second_factor_at"] is not None


PROVE = "/v1/sessions/current/second-factor"


def proving(factor: Authenticator, code: str) -> TestResponse:
    """The answer to a session that proves its second factor again."""
    return factor.person.call("POST", PROVE, json={"code": code})


def test_a_code_is_used_once_though_twenty_try(api: ApiHarness) -> None:
    factor = enrolled(api)
    assert outcome(proving(factor, factor.code())) == (401, "second_factor_invalid")
    with transaction(api.gateway) as connection:
        found = second_factor.find(connection, factor.person.id)
    assert found is not None

    def use(number: int) -> tuple[bool, bool]:
        with transaction(api.gateway) as connection:
            return (
                second_factor.use_step(connection, factor.person.id, found.step + 1),
                second_factor.use_recovery_code(connection, factor.person.id, factor.recovery_codes[0].lower()),
            )

    used = at_once(20, use)
    assert [sum(column) for column in zip(*used, strict=True)] == [1, 1]
    code = factor.new_code()
    answers = at_once(20, lambda _: proving(factor, code).status_code)
    assert answers.count(200) == 1
    assert set(answers) <= {200, 401, 429}


def test_codes_are_throttled_apart_from_the_password(api: ApiHarness) -> None:
    factor = enrolled(api)
    for _ in range(FREE):
        assert outcome(proving(factor, "000000")) == (401, "second_factor_invalid")
    lengthen_lock(api)
    assert outcome(proving(factor, factor.recovery_codes[0])) == (429, "login_throttled")
    assert outcome(sign_in(factor)) == (401, "second_factor_required")
    assert outcome(sign_in(factor, code=factor.recovery_codes[0])) == (429, "login_throttled")
    assert factor.person.get("/v1/second-factor").get_json()["recovery_codes_left"] == 10
    api.execute("DELETE FROM login_throttles")
    assert sign_in(factor, code=factor.recovery_codes[0]).status_code == 201
    assert outcome(sign_in(factor, code=factor.recovery_codes[0])) == (401, "second_factor_invalid")
    assert audited(api, factor.person.id)[-1] == "second_factors.use_recovery_code"


def test_recovery_codes_are_replaced_and_the_factor_is_removed(api: ApiHarness) -> None:
    factor = enrolled(api)
    answer = factor.person.call("POST", "/v1/second-factor/recovery-codes", json={"code": factor.recovery_codes[0]})
    replaced = answer.get_json()["recovery_codes"]
    assert len(set(replaced) - set(factor.recovery_codes)) == 10
    assert outcome(proving(factor, factor.recovery_codes[1])) == (401, "second_factor_invalid")
    disable = "/v1/second-factor/disable"
    for password, code, expected in (
        (PASSWORD + "!", replaced[0], (422, "current_password_wrong")),
        (PASSWORD, "000000", (401, "second_factor_invalid")),
    ):
        assert outcome(factor.person.call("POST", disable, json={"password": password, "code": code})) == expected
    body = {"password": PASSWORD, "code": replaced[0]}
    assert factor.person.call("POST", disable, json=body).status_code == 204
    assert outcome(factor.person.get("/v1/me")) == (401, "token_invalid")
    assert sign_in(factor).status_code == 201
    assert api.execute("SELECT count(*) FROM recovery_codes WHERE user_id = %s", factor.person.id) == [0]


def test_a_session_of_ops_without_a_factor_can_only_set_one_up(strict: ApiHarness) -> None:
    email, person = signed_up(strict, "ops")
    key = ApiUser(strict, person.id, strict.token(person.id))
    assert person.get("/v1/second-factor").get_json()["is_required"] is True
    for method, path in (
        *(("GET", "/v1/me"), ("GET", "/v1/ops/users"), ("GET", "/v1/payments"), ("GET", f"/v1/payments/{person.id}")),
        *(("DELETE", "/v1/sessions"), ("GET", "/v1/api-keys"), ("GET", "/v1/sessions")),
    ):
        assert outcome(person.call(method, path)) == (403, "second_factor_enrolment_required"), path
    deposit = {"wallet": "wal_" + "a" * 32, "amount": "1.00", "currency": "EUR", "source": "wire"}
    assert outcome(person.order("/v1/deposits", deposit)) == (403, "second_factor_enrolment_required")
    assert key.get("/v1/ops/users").status_code == 200
    factor = begin(email, person)
    assert person.call("POST", "/v1/second-factor/confirm", json={"code": factor.code()}).status_code == 200
    assert person.get("/v1/ops/users").status_code == 200
    body = {"password": PASSWORD, "code": factor.code(1)}
    assert outcome(person.call("POST", "/v1/second-factor/disable", json=body)) == (403, "second_factor_mandatory")
    again = ApiUser(strict, "", device_token(strict, signed_up(strict, "auditor")[0]))
    assert again.call("DELETE", "/v1/sessions/current").status_code == 204
    client = signed_up(strict)[1]
    assert client.get("/v1/me").status_code == 200


STEPPED_UP = {
    *("ops: resolve", "ops: approve one", "ops: adjust", "ops: approve", "ops: change a user", "ops: reset a factor"),
    *("ops: end sessions", "ops: end keys", "ops: invite owner", "ops: uninvite"),
}
"""The calls that ask for the second factor again."""


def test_what_is_hard_to_undo_asks_for_the_second_factor_again(strict: ApiHarness) -> None:
    factor = enrolled(strict, "ops")
    key = ApiUser(strict, factor.person.id, strict.token(factor.person.id))
    ops_calls = [call for call in CALLS if call.startswith("ops:")]
    assert {call for call in ops_calls if outcome_of(key, call) == "session_required"} == STEPPED_UP
    assert {call for call in ops_calls if outcome_of(factor.person, call) == "second_factor_expired"} == set()
    let_time_pass(strict, factor, seconds=SECOND_FACTOR_SECONDS)
    with strict.unchanged():
        assert {call for call in STEPPED_UP if outcome_of(factor.person, call) == "second_factor_expired"} == STEPPED_UP
    assert proving(factor, factor.new_code()).get_json()["is_current"] is True
    assert not [call for call in STEPPED_UP if outcome_of(factor.person, call) == "second_factor_expired"]
    assert audited(strict, factor.person.get("/v1/sessions").get_json()["data"][0]["id"])[-1] == (
        "sessions.prove_second_factor"
    )


def test_who_has_a_factor_is_asked_again_where_none_is_required(api: ApiHarness, ops: ApiUser) -> None:
    factor = enrolled(api, "ops")
    let_time_pass(api, factor, seconds=SECOND_FACTOR_SECONDS)
    assert outcome_of(factor.person, "ops: adjust") == "second_factor_expired"
    assert outcome_of(ops, "ops: adjust") == "validation_failed"


def test_another_of_ops_resets_a_lost_factor(strict: ApiHarness) -> None:
    lost, helper = enrolled(strict, "ops"), enrolled(strict, "ops")
    path = f"/v1/ops/users/{lost.person.id}/reset-second-factor"
    assert outcome(lost.person.call("POST", path, json={"reason": "lost"})) == (409, "own_user")
    answers = at_once(4, lambda _: helper.person.call("POST", path, json={"reason": "lost phone"}))
    assert {answer.status_code for answer in answers} == {200}
    assert outcome(lost.person.get("/v1/me")) == (401, "token_invalid")
    [entry] = [row for row in strict.audit_log(lost.person.id) if row["action"] == "second_factors.reset"]
    assert (entry["actor"], entry["reason"], len(entry["after"]["ended"])) == (helper.person.id, "lost phone", 1)
    again = ApiUser(strict, lost.person.id, device_token(strict, lost.email))
    assert outcome(again.get("/v1/me")) == (403, "second_factor_enrolment_required")


def test_secrets_are_encrypted_for_their_user_and_keys_are_rotated(api: ApiHarness, database: Database) -> None:
    factor = enrolled(api)
    sealed = "SELECT secret FROM second_factors WHERE user_id = %s"
    [before] = api.execute(sealed, factor.person.id)
    old = SecretCipher([SECOND_FACTOR_KEY])
    assert base64.b32encode(old.open(factor.person.id, bytes(before)).secret).decode() == factor.secret
    with pytest.raises(LookupError):
        old.open(ApiUser(api, "", "").id, bytes(before))
    rotated = ApiHarness(database, second_factor_keys=("_" * 43, SECOND_FACTOR_KEY))
    factor.person = ApiUser(rotated, factor.person.id, factor.person.token)
    assert proving(factor, factor.new_code()).status_code == 200
    [after] = api.execute(sealed, factor.person.id)
    with pytest.raises(LookupError):
        old.open(factor.person.id, bytes(after))
    assert SecretCipher(["_" * 43]).open(factor.person.id, bytes(after)).is_current


def outcome_of(person: ApiUser, call: str) -> str | None:
    """The code of the call's problem, if it is one."""
    body = do(person, call).get_json(silent=True) or {}
    return body.get("code")


def let_time_pass(api: ApiHarness, factor: Authenticator, *, seconds: int) -> None:
    """Make the session's proof older."""
    trigger = "tokens_second_factors_are_proved_again_now"
    api.execute(f"ALTER TABLE tokens DISABLE TRIGGER {trigger}")
    older = "UPDATE tokens SET second_factor_at = second_factor_at - make_interval(secs => %s) WHERE user_id = %s"
    api.execute(older, seconds, factor.person.id)
    api.execute(f"ALTER TABLE tokens ENABLE TRIGGER {trigger}")
    api.app.extensions["gateway"].tokens.forget_everywhere(factor.person.id)
