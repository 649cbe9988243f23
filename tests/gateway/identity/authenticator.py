"""An authenticator: one-time passwords of a user, by the database's clock."""

from dataclasses import dataclass, field

import pyotp

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import PASSWORD, form, sign_up

STEPS = "second_factors_steps_are_used_once"


@dataclass
class Authenticator:
    """The second factor of a user with a password, and the session that confirmed it."""

    person: ApiUser
    email: str
    secret: str
    recovery_codes: list[str] = field(default_factory=list)

    def code(self, steps: int = 0) -> str:
        """The one-time password of now, or of some steps later."""
        [now] = self.person.api.execute("SELECT extract(epoch FROM now())::float")
        return pyotp.TOTP(self.secret).at(now, counter_offset=steps)

    def new_code(self) -> str:
        """The one-time password of now, as if none had been used before."""
        for statement in (
            f"ALTER TABLE second_factors DISABLE TRIGGER {STEPS}",
            f"UPDATE second_factors SET last_step = 1 WHERE user_id = '{self.person.id}'",
            f"ALTER TABLE second_factors ENABLE TRIGGER {STEPS}",
        ):
            self.person.api.execute(statement)
        return self.code()


def signed_up(api: ApiHarness, role: str = "client") -> tuple[str, ApiUser]:
    """The e-mail address of a new user of any role with a password, and a session of theirs."""
    body = form()
    assert sign_up(api, body).status_code == 201
    api.execute("UPDATE users SET role = %s, email_confirmed_at = now() WHERE email = %s", role, body["email"])
    token = device_token(api, body["email"])
    [id] = api.execute("SELECT id::text FROM users WHERE email = %s", body["email"])
    return body["email"], ApiUser(api, id, token)


def device_token(api: ApiHarness, email: str, **body: str) -> str:
    """The token of a new session."""
    answer = api.anonymous().call("POST", "/v1/sessions", json={"email": email, "password": PASSWORD, **body})
    assert answer.status_code == 201, answer.get_json()
    return str(answer.get_json()["token"])


def begin(email: str, person: ApiUser) -> Authenticator:
    """Set up a second factor that is not confirmed yet."""
    answer = person.call("POST", "/v1/second-factor", json={"password": PASSWORD})
    assert answer.status_code == 201, answer.get_json()
    return Authenticator(person, email, answer.get_json()["secret"])


def enrolled(api: ApiHarness, role: str = "client") -> Authenticator:
    """A new user who has a second factor."""
    factor = begin(*signed_up(api, role))
    answer = factor.person.call("POST", "/v1/second-factor/confirm", json={"code": factor.code()})
    assert answer.status_code == 200, answer.get_json()
    factor.recovery_codes += answer.get_json()["recovery_codes"]
    return factor
