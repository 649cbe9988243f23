"""People of a merchant: invited, accepted, signed in."""

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity.signed_up_users import PASSWORD, mailed, newcomer, post

NAMES = {"first_name": "Mia", "last_name": "Member"}


def confirmed(api: ApiHarness, role: str = "client") -> tuple[str, ApiUser]:
    """The address of a new user who confirmed it, and a session of theirs."""
    email, person = newcomer(api, role)
    assert post(api, "/v1/confirmations", token=mailed(api, email)).status_code == 204
    return email, person


def invite(owner: ApiUser, email: str, role: str = "operator") -> TestResponse:
    """The answer to an invitation."""
    return owner.call("POST", "/v1/invitations", json={"email": email, "role": role})


def accept(api: ApiHarness, email: str, **more: str) -> TestResponse:
    """The answer to the acceptance of the newest mail to the address."""
    return post(api, "/v1/invitations/accept", token=mailed(api, email), **more)


def signed_in(api: ApiHarness, email: str, **more: str) -> ApiUser:
    """A session of the user."""
    answer = post(api, "/v1/sessions", email=email, password=PASSWORD, **more)
    assert answer.status_code == 201, answer.get_json()
    [id] = api.execute("SELECT id::text FROM users WHERE email = %s", email)
    return ApiUser(api, id, answer.get_json()["token"])


def member(owner: ApiUser, role: str, email: str) -> ApiUser:
    """A new user who acts for the owner's merchant, in a session."""
    assert invite(owner, email, role).status_code == 201
    assert accept(owner.api, email, password=PASSWORD, **NAMES).status_code == 201
    return signed_in(owner.api, email)
