"""/app/members: what customers see of the merchant, who acts for it and in which role; owners change them."""

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.home import PAGE_LENGTH
from gateway.pages.app.pages import app_pages
from gateway.pages.filters import chosen
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import DONE
from gateway.pages.visitors import attempt, get, visitor

PATH, MERCHANT, MEMBERS, INVITATIONS = "/app/members", "/v1/merchant", "/v1/members", "/v1/invitations"
WRITE = "members:write"
ETAG = "etag"
"""The field with the version that the form was made for."""

ROLES = [
    ("viewer", "viewer: reads"),
    ("operator", "operator: reads, charges, captures, voids, refunds"),
    ("owner", "owner: all, members and keys included"),
]
DONE_TEXTS = {
    "merchant": "Changed.",
    "invite": "The invitation is on its way by mail; it can be accepted for seven days.",
    "withdraw": "The invitation is withdrawn.",
    "role": "The role is changed.",
    "remove": "The member is removed; their sessions and keys for you have ended.",
}
"""By the verb that was carried out."""


@app_pages.get("/members")
def members() -> Response:
    """Members and invitations."""
    return _page()


@app_pages.post("/members/merchant")
def change_merchant() -> Response:
    """Change the merchant's name or address; if it was changed since the form was made, it is shown as it is now."""
    values = {name: request.form.get(name, "").strip() for name in ("name", "url")}
    body = {name: value for name, value in values.items() if value or name == "name"}
    return _answer(ApiCall("PATCH", MERCHANT, body=body, headers={"If-Match": request.form.get(ETAG, "")}), "merchant")


@app_pages.post("/members/invitations")
def invite() -> Response:
    """Invite an address."""
    body = {name: request.form.get(name, "").strip() for name in ("email", "role")}
    return _answer(ApiCall("POST", INVITATIONS, body=body), "invite")


@app_pages.post("/members/invitations/<id>/withdraw")
def withdraw(id: str) -> Response:
    """Withdraw an invitation."""
    return _answer(ApiCall("DELETE", f"{INVITATIONS}/{id}"), "withdraw")


@app_pages.post("/members/<id>/role")
def change_role(id: str) -> Response:
    """Give a member another role."""
    return _answer(ApiCall("PATCH", f"{MEMBERS}/{id}", body={"role": request.form.get("role", "")}), "role")


@app_pages.post("/members/<id>/remove")
def remove(id: str) -> Response:
    """Remove a member, or oneself, which ends this session."""
    return _answer(ApiCall("DELETE", f"{MEMBERS}/{id}"), "remove")


def _answer(call: ApiCall, done: str) -> Response:
    answer = attempt(call)
    return redirect(f"{PATH}?{DONE}={done}") if answer.is_ok else _page(answer, done)


def _page(refused: ApiAnswer | None = None, form: str = "") -> Response:
    shown, listed = get(MERCHANT), get(MEMBERS, {"limit": PAGE_LENGTH, **chosen(query(), ())})
    is_stale = refused is not None and refused.code == "precondition_failed"
    return render(
        "app/members.html",
        200 if refused is None else refused.status,
        merchant=shown.body,
        etag=shown.etag,
        is_stale=is_stale,
        page=listed.body,
        invitations=get(INVITATIONS, {"limit": PAGE_LENGTH}).body,
        roles=ROLES,
        may_write=visitor().may(WRITE),
        refused=refused.body if refused else None,
        form=form,
        values={} if refused is None or is_stale else request.form.to_dict(),
        done=DONE_TEXTS.get(request.args.get(DONE, "")),
        merchant_line=ApiCall("PATCH", MERCHANT, body={"name": "NAME"}, headers={"If-Match": shown.etag}).curl(),
        invite_line=ApiCall("POST", INVITATIONS, body={"email": "EMAIL", "role": "operator"}).curl(),
        role_line=ApiCall("PATCH", f"{MEMBERS}/ID", body={"role": "viewer"}).curl(),
        remove_line=ApiCall("DELETE", f"{MEMBERS}/ID").curl(),
        withdraw_line=ApiCall("DELETE", f"{INVITATIONS}/ID").curl(),
        call=listed.call,
    )
