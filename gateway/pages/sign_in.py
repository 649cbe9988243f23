"""Signing in and out: the session of a page is one of the API, kept in a cookie that no script reads."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import new as hmac_new
from typing import Any

import flask
from cryptography.fernet import Fernet, InvalidToken
from flask import Response, request

from gateway.http.access_log import NETWORK
from gateway.pages import page_security
from gateway.pages.api_calls import ApiAnswer, ApiCall, ApiRefused, send
from gateway.pages.formats import TIMES
from gateway.pages.page_errors import PageError
from gateway.pages.page_security import SESSION, VISIT, own_path
from gateway.pages.rendering import TIMES_COOKIE, redirect, render
from gateway.pages.visitors import ENDED, SIGN_IN, add_error_pages, home_of
from gateway.services import services

SECOND_STEP_SECONDS_MAX = 300
"""Time to type a code; after that the password is asked for again."""

SECOND_FACTOR = ("second_factor_required", "second_factor_invalid")
"""Codes of the API's answer to the right password without the right code of the second factor."""

CURRENT = "/v1/sessions/current"

signing_in = flask.Blueprint("sign_in", __name__)
signing_in.after_request(page_security.secure)
add_error_pages(signing_in)


@signing_in.before_request
def count() -> None:
    """Count the request as one without a token."""
    services().rate_limits.unauthenticated.count(request.environ[NETWORK], request.environ)


@signing_in.get(SIGN_IN)
def form() -> Response:
    """The sign-in form; its token is bound to a cookie of this browser."""
    visit = page_security.read_cookie(VISIT) or page_security.new_visit()
    return _form(visit, request.args.get("next"), merchant=request.args.get("merchant", ""))


@signing_in.post(SIGN_IN)
def sign_in() -> Response:
    """Open a new session for the credentials, in place of any before; asks for a code if the API does."""
    visit = page_security.read_cookie(VISIT)
    page_security.check_form(visit)
    wanted, sent = request.form.get("next"), _credentials(visit or "")
    limits = {"lifetime_hours": services().settings.pages_lifetime_hours}
    limits["idle_minutes"] = services().settings.pages_idle_minutes
    answer = send(ApiCall("POST", "/v1/sessions", body={**sent, **limits}), None)
    if not answer.is_ok:
        return _again(visit or "", wanted, sent, answer)
    _end(page_security.read_cookie(SESSION))
    token = answer.body["token"]
    caller = send(ApiCall("GET", "/v1/me"), token).caller
    response = redirect(own_path(wanted) or home_of(caller.role if caller else ""))
    page_security.set_cookie(response, SESSION, token)
    page_security.set_cookie(response, VISIT, None)
    return response


@signing_in.post("/sign-out")
def sign_out() -> Response:
    """End this session, or with `everywhere` all sessions of the user."""
    token = page_security.read_cookie(SESSION)
    page_security.check_form(token)
    answer = send(ApiCall("DELETE", "/v1/sessions" if "everywhere" in request.form else CURRENT), token)
    if not answer.is_ok and answer.code not in ENDED:
        raise ApiRefused(answer)
    response = redirect(SIGN_IN)
    page_security.set_cookie(response, SESSION, None)
    return response


@signing_in.post("/pages/times")
def choose_times() -> Response:
    """Show times in UTC, local or relative from now on."""
    page_security.check_form(page_security.read_cookie(SESSION))
    chosen = request.form.get("times", "")
    if chosen not in TIMES:
        raise PageError(422, "There is no such way to show times", "Choose UTC, local or relative.")
    response = redirect(own_path(request.form.get("back")) or "/console")
    response.set_cookie(
        TIMES_COOKIE, chosen, path="/", samesite="Strict", httponly=True, secure=services().settings.secure_cookies
    )
    return response


def _end(token: str | None) -> None:
    """End the session of the token, if there is one."""
    if token:
        send(ApiCall("DELETE", CURRENT), token)


def _form(visit: str, wanted: str | None, status: int = 200, **context: Any) -> Response:
    values = {"problem": None, "email": "", "sealed": None, "merchant": "", "csrf": page_security.csrf_token(visit)}
    response = render("sign_in.html", status, **{**values, "next": own_path(wanted) or "", **context})
    page_security.set_cookie(response, VISIT, visit)
    return response


def _again(visit: str, wanted: str | None, sent: dict[str, str], answer: ApiAnswer) -> Response:
    """The form again: with the reason, or asking for the code."""
    context: dict[str, Any] = {"problem": answer.body, **{name: sent.get(name, "") for name in ("email", "merchant")}}
    if answer.code in SECOND_FACTOR:
        credentials = json.dumps([visit, sent["email"], sent["password"]])
        context["sealed"] = _seal().encrypt(credentials.encode()).decode()
    response = _form(visit, wanted, answer.status, **context)
    response.headers.pop("WWW-Authenticate", None)
    return response


def _credentials(visit: str) -> dict[str, str]:
    """The credentials of the form; those of the first step are sealed in the second, and useless elsewhere."""
    form = request.form
    merchant = {"merchant": form["merchant"]} if form.get("merchant") else {}
    if "sealed" not in form:
        return {"email": form.get("email", ""), "password": form.get("password", ""), **merchant}
    try:
        opened = _seal().decrypt(form["sealed"].encode(), ttl=SECOND_STEP_SECONDS_MAX)
    except InvalidToken:
        raise PageError(403, "That took too long", "Sign in again.") from None
    of_visit, email, password = json.loads(opened)
    if of_visit != visit:
        raise PageError(403, "This form is out of date", "Sign in again.")
    return {"email": email, "password": password, "code": form.get("code", ""), **merchant}


def _seal() -> Fernet:
    key = hmac_new(services().settings.secret_key.encode(), b"credentials of the second step", sha256).digest()
    return Fernet(urlsafe_b64encode(key))
