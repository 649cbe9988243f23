"""/second-factor: setting up one-time passwords, proving them again, and the recovery codes."""

from base64 import b64encode
from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.page_security import own_path
from gateway.pages.rendering import query, redirect, render
from gateway.pages.visitors import attempt, get, home_of, page_blueprint, visitor

FACTOR = "/v1/second-factor"
SVG = "http://www.w3.org/2000/svg"
PROOF = "/v1/sessions/current/second-factor"

second_factor_pages = page_blueprint("second_factor_pages", "/second-factor", None)


@second_factor_pages.get("")
def show() -> Response:
    """Whether the visitor has a second factor, and what they can do about it."""
    return _page()


@second_factor_pages.post("/begin")
def begin() -> Response:
    """Show the secret of a new second factor, once: it counts after its code is confirmed."""
    answer = _call(FACTOR, "password", qr_code=True)
    if not answer.is_ok:
        return _page("begin", answer)
    return _secret(answer.body)


@second_factor_pages.post("/confirm")
def confirm() -> Response:
    """Confirm the new second factor by a code, and show its recovery codes, once."""
    answer = _call(f"{FACTOR}/confirm", "code")
    return _codes(answer) if answer.is_ok else _page("confirm", answer)


@second_factor_pages.post("/recovery-codes")
def recovery_codes() -> Response:
    """Replace the recovery codes, and show the new ones, once."""
    answer = _call(f"{FACTOR}/recovery-codes", "code")
    return _codes(answer) if answer.is_ok else _page("codes", answer)


@second_factor_pages.post("/disable")
def disable() -> Response:
    """Remove the second factor, which ends all sessions."""
    answer = _call(f"{FACTOR}/disable", "password", "code")
    return redirect("/sign-in") if answer.is_ok else _page("disable", answer)


@second_factor_pages.get("/prove")
def ask_again() -> Response:
    """Ask for a code again, before what is hard to undo."""
    return _proof(query().get("next"))


@second_factor_pages.post("/prove")
def prove() -> Response:
    """Prove the second factor in this session, and go back."""
    answer = _call(PROOF, "code")
    back = request.form.get("next")
    return redirect(own_path(back) or home_of(visitor().role)) if answer.is_ok else _proof(back, answer)


def _call(path: str, *names: str, **members: Any) -> ApiAnswer:
    """The API's answer to these fields of the form."""
    body = {name: request.form.get(name, "") for name in names}
    return attempt(ApiCall("POST", path, body={**body, **members}))


def _page(form: str = "", refused: ApiAnswer | None = None) -> Response:
    return render(
        "second_factor.html",
        refused.status if refused else 200,
        factor=get(FACTOR).body,
        problem=refused.body if refused else None,
        form=form,
        home=home_of(visitor().role),
    )


def _secret(body: dict[str, Any]) -> Response:
    drawn = body["qr_code"].replace("<svg ", f'<svg xmlns="{SVG}" ', 1)  # as an image it needs its namespace
    image = f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}"
    return render("second_factor_secret.html", secret=body["secret"], image=image)


def _codes(answer: ApiAnswer) -> Response:
    codes = answer.body["recovery_codes"]
    return render("recovery_codes.html", codes=codes, home=home_of(visitor().role))


def _proof(back: str | None, refused: ApiAnswer | None = None) -> Response:
    status = refused.status if refused else 200
    return render("prove.html", status, back=own_path(back) or "", problem=refused.body if refused else None)
