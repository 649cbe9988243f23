"""/app/access: where the user is signed in and their API keys; a new key is shown once, on the answer to its form."""

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.home import PAGE_LENGTH
from gateway.pages.app.pages import app_pages
from gateway.pages.rendering import redirect, render
from gateway.pages.visitors import attempt, get, visitor

PATH = "/app/access"
KEYS, SESSIONS = "/v1/api-keys", "/v1/sessions"


@app_pages.get("/access")
def access() -> Response:
    """The sessions and keys."""
    return _page()


@app_pages.post("/access/keys")
def create_key() -> Response:
    """Make a key with the chosen scopes; the answer itself shows it, as nothing keeps it."""
    body = {"name": request.form.get("name", "").strip(), "scopes": request.form.getlist("scopes")}
    answer = attempt(ApiCall("POST", KEYS, body=body))
    return _page(new=answer.body) if answer.is_ok else _page(refused=answer)


@app_pages.post("/access/keys/<id>/end")
def end_key(id: str) -> Response:
    """End a key."""
    return _ended(f"{KEYS}/{id}")


@app_pages.post("/access/sessions/<id>/end")
def end_session(id: str) -> Response:
    """End a session; the browser that uses it is signed out."""
    return _ended(f"{SESSIONS}/{id}")


def _ended(path: str) -> Response:
    answer = attempt(ApiCall("DELETE", path))
    return redirect(PATH) if answer.is_ok else _page(refused=answer)


def _page(new: dict[str, str] | None = None, refused: ApiAnswer | None = None) -> Response:
    sessions = get(SESSIONS, {"limit": PAGE_LENGTH})
    scopes = sorted(visitor().caller.scopes)
    return render(
        "app/access.html",
        200 if refused is None else refused.status,
        sessions=sessions.body,
        keys=get(KEYS, {"limit": PAGE_LENGTH}).body,
        scopes=scopes,
        new=new,
        refused=refused.body if refused else None,
        values={"name": request.form.get("name", ""), "scopes": request.form.getlist("scopes")} if refused else {},
        may_make=visitor().may("api-keys:write"),
        may_sign_out=visitor().may("sessions:write"),
        make_line=ApiCall("POST", KEYS, body={"name": "NAME", "scopes": ["payments:read"]}).curl(),
        end_key_line=ApiCall("DELETE", f"{KEYS}/ID").curl(),
        end_session_line=ApiCall("DELETE", f"{SESSIONS}/ID").curl(),
    )
