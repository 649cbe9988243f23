"""Setting a password by mail: the first one of a user whom ops created, and one that was forgotten."""

from typing import Any

from flask import Response, request

from gateway.pages import page_security
from gateway.pages.api_calls import ApiCall, send
from gateway.pages.page_security import VISIT
from gateway.pages.rendering import render
from gateway.pages.sign_in import signing_in

FORGOTTEN = "/sign-in/forgotten"
NEW_PASSWORD = "/sign-in/password"  # noqa: S105 - a path


@signing_in.get(FORGOTTEN)
def ask_for_mail() -> Response:
    """The form that asks for a mail with a token."""
    return _page("forgotten.html")


@signing_in.post(FORGOTTEN)
def send_mail() -> Response:
    """Ask for the mail; the page is the same whether the address is known or not."""
    page_security.check_form(page_security.read_cookie(VISIT))
    answer = send(ApiCall("POST", "/v1/password-resets", body={"email": request.form.get("email", "")}), None)
    if not answer.is_ok:
        return _page("forgotten.html", answer.status, problem=answer.body)
    return _page("new_password.html", is_sent=True)


@signing_in.get(NEW_PASSWORD)
def ask_for_password() -> Response:
    """The form that takes the token of the mail and the new password."""
    return _page("new_password.html")


@signing_in.post(NEW_PASSWORD)
def set_password() -> Response:
    """Set the new password, which ends all sessions of the user."""
    page_security.check_form(page_security.read_cookie(VISIT))
    body = {name: request.form.get(name, "") for name in ("token", "password")}
    body["token"] = body["token"].strip()
    answer = send(ApiCall("POST", "/v1/password-resets/confirm", body=body), None)
    if not answer.is_ok:
        return _page("new_password.html", answer.status, problem=answer.body, token=body["token"])
    return _page("password_set.html")


def _page(template: str, status: int = 200, **context: Any) -> Response:
    visit = page_security.read_cookie(VISIT) or page_security.new_visit()
    values = {"problem": None, "token": "", "is_sent": False, "csrf": page_security.csrf_token(visit)}
    response = render(template, status, **{**values, **context})
    page_security.set_cookie(response, VISIT, visit)
    return response
