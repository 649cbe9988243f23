"""Users who sign up over HTTP, their e-mails, and their sign-ins."""

from itertools import count
from typing import Any

from werkzeug.test import TestResponse

from models import confirmation
from models import token as tokens
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser

PASSWORD = "correct horse 4 battery"
WAIT_SECONDS, ATTEMPTS_MAX = 60, 5

_numbers = count(1)


def form(role: str = "client", **changes: Any) -> dict[str, Any]:
    """The body of a sign-up."""
    number = next(_numbers)
    body = {
        "email": f"new{number}@example.com",
        "password": PASSWORD,
        "first_name": "Ann",
        "last_name": "Ash",
        "phone_number": f"+49 30 {number:07}",
    }
    of_merchant = {"name": "Shop", "url": "https://shop.example.com"} if role == "merchant" else {}
    return {**body, **of_merchant, **changes}


def sign_up(api: ApiHarness, body: dict[str, Any], key: str | None = None) -> TestResponse:
    """The answer to a sign-up; a body with a url is a merchant's."""
    headers = {"Idempotency-Key": key} if key else {}
    path = "/v1/merchants" if "url" in body else "/v1/clients"
    return api.anonymous().call("POST", path, json=body, headers=headers)


def sign_in(api: ApiHarness, email: str, password: str = PASSWORD, **more: Any) -> TestResponse:
    """The answer to a sign-in."""
    return api.anonymous().call("POST", "/v1/sessions", json={"email": email, "password": password}, **more)


def device(api: ApiHarness, email: str, password: str = PASSWORD) -> ApiUser:
    """A user with a new session."""
    answer = sign_in(api, email, password)
    assert answer.status_code == 201, answer.get_json()
    token = answer.get_json()["token"]
    return ApiUser(api, ApiUser(api, "", token).get("/v1/me").get_json()["id"], token)


def newcomer(api: ApiHarness, role: str = "client", **changes: Any) -> tuple[str, ApiUser]:
    """The e-mail address of a new user, and their first session."""
    body = form(role, **changes)
    assert sign_up(api, body).status_code == 201
    return body["email"], device(api, body["email"], body["password"])


def mailed(api: ApiHarness, email: str) -> str:
    """The token of the e-mail that is due for this address, created as a worker does."""
    while True:
        token = tokens.new(tokens.CONFIRMATION_PREFIX)
        with transaction(api.worker) as connection:
            letter = confirmation.take(connection, tokens.hash_of(token), WAIT_SECONDS, ATTEMPTS_MAX)
        assert letter is not None, f"no mail is due for {email}"
        if letter.email == email:
            return token


def post(api: ApiHarness, path: str, **body: Any) -> TestResponse:
    """The answer to a POST without a bearer token."""
    return api.anonymous().call("POST", path, json=body)


def outcome(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.get_json()["code"]


def audited(api: ApiHarness, target: str) -> list[str]:
    """The audited actions on the target, oldest first."""
    return [entry["action"] for entry in api.audit_log(target)]


def lengthen_lock(api: ApiHarness) -> float:
    """Make the newest lock an hour longer, so that it holds however busy the machine is; returns its own seconds."""
    lengthened = (
        "UPDATE login_throttles SET locked_until = locked_until + interval '1 hour' WHERE locked_until > seen_at"
    )
    [seconds] = api.execute(f"{lengthened} RETURNING extract(epoch FROM locked_until - seen_at)::float - 3600")
    return seconds
