"""/sign-in/invitation: accepting an invitation to act for a merchant, with the token of its mail."""

from typing import Any

from flask import Response, request

from gateway.pages import page_security
from gateway.pages.api_calls import ApiCall, send
from gateway.pages.page_security import VISIT
from gateway.pages.rendering import render
from gateway.pages.sign_in import signing_in

INVITATION = "/sign-in/invitation"
FIELDS = ("token", "first_name", "last_name", "password")


@signing_in.get(INVITATION)
def ask_for_invitation() -> Response:
    """The form that takes the token of the mail, and what a new user needs."""
    return _page("invitation.html")


@signing_in.post(INVITATION)
def accept_invitation() -> Response:
    """Accept it: who has a user already leaves all but the token empty."""
    page_security.check_form(page_security.read_cookie(VISIT))
    body = {name: request.form.get(name, "").strip() for name in FIELDS[:3]}
    body["password"] = request.form.get("password", "")
    body = {name: value for name, value in body.items() if value or name == "token"}
    answer = send(ApiCall("POST", "/v1/invitations/accept", body=body), None)
    if not answer.is_ok:
        values = {name: body.get(name, "") for name in FIELDS[:3]}
        return _page("invitation.html", answer.status, problem=answer.body, values=values)
    return _page("invitation_accepted.html", accepted=answer.body)


def _page(template: str, status: int = 200, **context: Any) -> Response:
    visit = page_security.read_cookie(VISIT) or page_security.new_visit()
    values: dict[str, Any] = {"problem": None, "values": {}, "csrf": page_security.csrf_token(visit)}
    response = render(template, status, **{**values, **context})
    page_security.set_cookie(response, VISIT, visit)
    return response
