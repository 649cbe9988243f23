"""/app/profile: the user's own data and password, for whom they act, and the ways to second factor and sessions."""

from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.pages import app_pages
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import DONE
from gateway.pages.visitors import attempt, get, visitor

PATH, ME = "/app/profile", "/v1/me"
WRITE = "me:write"

PERSON = (("first_name", "First name"), ("last_name", "Last name"), ("phone_number", "Phone number"))
PASSWORD = ("current_password", "password")

DONE_TEXTS = {
    "person": "Changed.",
    "password": "You have a new password; your other sessions have ended.",
}
"""By the form that was sent."""


@app_pages.get("/profile")
def profile() -> Response:
    """The user."""
    return _page()


@app_pages.post("/profile/<form>")
def change_profile(form: str) -> Response:
    """Change what differs, or the password."""
    if form not in DONE_TEXTS:
        raise PageError(404, "There is no such form", "")
    body = _passwords() if form == "password" else _differing(get(ME).body)
    if not body:
        return redirect(PATH)
    answer = attempt(ApiCall("PATCH", ME, body=body))
    return redirect(f"{PATH}?{DONE}={form}") if answer.is_ok else _page(answer, form)


def _passwords() -> dict[str, Any]:
    return {name: request.form.get(name, "") for name in PASSWORD}


def _differing(me: dict[str, Any]) -> dict[str, Any]:
    """The members that the form changes; none is emptied, as the API keeps them."""
    sent = {name: request.form.get(name, "").strip() for name, _ in PERSON}
    return {name: value for name, value in sent.items() if value and value != me.get(name)}


def _page(refused: ApiAnswer | None = None, form: str = "") -> Response:
    shown = get(ME)
    example = {"first_name": "FIRST_NAME"}
    return render(
        "app/profile.html",
        200 if refused is None else refused.status,
        me=shown.body,
        fields=PERSON,
        memberships=get("/v1/memberships").body["data"],
        acts_for=visitor().caller.id,
        may_write=visitor().may(WRITE),
        refused=refused.body if refused else None,
        form=form,
        values=request.form.to_dict() if form == "person" else {},
        done=DONE_TEXTS.get(request.args.get(DONE, "")),
        change_line=ApiCall("PATCH", ME, body=example).curl(),
        password_line=ApiCall("PATCH", ME, body={name: name.upper() for name in PASSWORD}).curl(),
        call=shown.call,
    )
