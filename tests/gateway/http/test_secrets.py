"""After a whole life of a user no table and no line of a log holds a password, a token, or a fast hash of one."""

import base64
import hashlib
import logging

import pytest

import logs
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.authenticator import Authenticator
from tests.gateway.identity.signed_up_users import device, form, mailed, newcomer, outcome, post, sign_in, sign_up
from tests.support import Database

FIRST, SECOND, THIRD = (f"canary {number} of the coal mine" for number in ("one", "two", "three"))


def life(api: ApiHarness) -> dict[str, str]:
    """Everything a user does with secrets, and those secrets by their names."""
    body = form(password=FIRST)
    assert sign_up(api, body, "key-of-canaries").status_code == 201
    assert sign_up(api, body, "key-of-canaries").status_code == 201
    assert outcome(sign_up(api, {**body, "password": SECOND}, "key-of-canaries"))[0] == 422
    email = body["email"]
    phone = device(api, email, FIRST)
    confirmation = mailed(api, email)
    assert post(api, "/v1/confirmations", token=confirmation).status_code == 204
    assert post(api, "/v1/confirmations", token=confirmation).status_code == 422
    assert sign_in(api, email, SECOND).status_code == 401
    change = {"current_password": FIRST, "password": SECOND}
    assert phone.call("PATCH", "/v1/me", json=change).status_code == 200
    setup = phone.call("POST", "/v1/second-factor", json={"password": SECOND}).get_json()
    code = Authenticator(phone, email, setup["secret"]).code()
    recovery = phone.call("POST", "/v1/second-factor/confirm", json={"code": code}).get_json()["recovery_codes"]
    assert sign_in(api, email, SECOND).get_json()["code"] == "second_factor_required"
    made = phone.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()
    rolled = phone.call("POST", f"/v1/api-keys/{made['id']}/roll", json={"overlap_seconds": 60}).get_json()
    assert ApiUser(api, phone.id, rolled["token"]).get("/v1/wallets").status_code == 200
    assert phone.get("/v1/sessions").status_code == phone.get("/v1/api-keys").status_code == 200
    assert post(api, "/v1/password-resets", email=email).status_code == 202
    reset = mailed(api, email)
    assert post(api, "/v1/password-resets/confirm", token=reset, password=email + THIRD).status_code == 422
    assert post(api, "/v1/password-resets/confirm", token=reset, password=THIRD).status_code == 204
    assert phone.get("/v1/me").status_code == 401
    return {
        "first password": FIRST, "second password": SECOND, "third password": THIRD, "session": phone.token,
        "confirmation": confirmation, "reset": reset, "API key": made["token"], "rolled key": rolled["token"],
        "secret of one-time passwords": setup["secret"],
        "the same in bytes": base64.b32decode(setup["secret"]).hex(), "recovery code": recovery[0],
    }  # fmt: skip


def forms_of(secret: str) -> set[str]:
    """The secret as it may show in a table or a line: itself, as bytes, and quickly hashed where it is a password."""
    plain = {secret, secret.encode().hex(), repr(secret)[1:-1]}
    if secret in (FIRST, SECOND, THIRD):
        plain |= {hashlib.new(name, secret.encode()).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    return plain


def tables(api: ApiHarness) -> str:
    names = api.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {"users", "tokens", "confirmations", "audit_log", "idempotency_keys", "login_throttles"} <= set(names)
    return "\n".join(row for name in names for row in api.execute(f"SELECT t::text FROM {name} t"))


def lines(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    """All that was written, as it would be."""
    return "".join(capfd.readouterr()) + "\n".join(logs.formatter().format(record) for record in caplog.records)


def test_n18_n27_n68_no_secret_is_kept_or_logged(
    fresh_database: Database, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="access")
    api = ApiHarness(fresh_database)
    secrets = life(api)
    stored = tables(api)
    said = lines(capfd, caplog)
    assert "canary" not in stored
    assert "canary" not in said
    assert '"path": "/v1/password-resets/confirm"' in said
    assert "users.password_reset" in stored
    for name, secret in secrets.items():
        for form_ in forms_of(secret):
            assert form_ not in stored, name
            assert form_ not in said, name


def test_internal_error_shows_no_hash(
    fresh_database: Database, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = ApiHarness(fresh_database)
    email, _ = newcomer(api)
    api.execute("ALTER TABLE users ADD CONSTRAINT broken CHECK (length(last_name) > 9) NOT VALID")
    api.execute("ALTER TABLE tokens ADD CONSTRAINT broken CHECK (hash IS NULL) NOT VALID")
    for answer in (sign_up(api, form(password=FIRST)), sign_in(api, email)):
        assert outcome(answer) == (500, "internal_error")
    said = lines(capfd, caplog)
    assert said.count('violates check constraint \\"broken\\"') >= 2
    assert "canary" not in said
    assert "$argon2id$" not in said
    assert email not in said
    assert r"\x" not in said
