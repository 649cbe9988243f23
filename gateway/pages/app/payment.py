"""/app/payments/{id}: one payment as its user sees it, and the verbs that suit its state."""

import secrets
from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.pages import app_pages
from gateway.pages.app.payment_verbs import KEY_FIELD, VERBS, call_of, legal
from gateway.pages.formats import age, duration, moment
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import DONE
from gateway.pages.visitors import attempt, get, visitor

LIVE_SECONDS = "2"
"""A payment that is not final is looked at again so often, while its page is visible."""


@app_pages.get("/payments/<id>")
def payment(id: str) -> Response:
    """One payment."""
    return _page(id)


@app_pages.post("/payments/<id>/<name>")
def act(id: str, name: str) -> Response:
    """Order a verb; the page shows the refusal if the API refuses it. A refund leads to the page of the refund."""
    verb = VERBS.get(name)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(call_of(verb, id, request.form, request.form.get(KEY_FIELD, "")))
    if answer.is_ok:
        return redirect(f"/app/payments/{answer.body['id']}?{DONE}={name}")
    return _page(id, refused=answer, name=name)


def _page(id: str, *, refused: ApiAnswer | None = None, name: str | None = None) -> Response:
    path = f"/v1/payments/{id}"
    answer = get(path)
    shown = answer.body
    verbs = legal(shown, visitor())
    key = request.form.get(KEY_FIELD) or secrets.token_hex(16)
    ordered_by = attempt(ApiCall("GET", f"{path}/request"))
    context: dict[str, Any] = {} if shown["finalized_at"] else {"refresh": request.args.get("refresh") or LIVE_SECONDS}
    return render(
        "app/payment.html",
        200 if refused is None else refused.status,
        payment=shown,
        path_of_payment=f"/app/payments/{id}",
        headline=headline(shown),
        ordered_by=ordered_by.body if ordered_by.is_ok else None,
        steps=get(f"{path}/timeline").body["data"],
        operations=get(f"{path}/operations").body["data"],
        refunds=get("/v1/payments", {"parent": id, "limit": "50"}).body["data"],
        verbs=verbs,
        key=key,
        curls={
            verb.name: call_of(
                verb, id, {field.name: field.name.upper() for field in verb.fields if field.is_required}, key
            ).curl()
            for verb in verbs
        },
        refused=refused.body if refused else None,
        refused_verb=name if name in {verb.name for verb in verbs} else None,
        values=request.form.to_dict() if refused else {},
        done=VERBS[request.args[DONE]] if request.args.get(DONE) in VERBS else None,
        call=answer.call,
        **context,
    )


def headline(shown: dict[str, Any]) -> str:
    """What the payment waits for, in words."""
    if shown["finalized_at"]:
        took = (moment(shown["finalized_at"]) - moment(shown["created_at"])).total_seconds()  # type: ignore[operator]
        return f"final, {duration(took)} after it was accepted"
    if shown["paused"]:
        return "held by a pause"
    if shown["state"] == "AUTHORIZED":
        return "the amount is held: it is captured or voided next"
    if shown["scheduled_at"]:
        return f"scheduled, {age(shown['scheduled_at'])}"
    if shown["attempts"]:
        return f"tried {shown['attempts']} times, it is tried again"
    return "waits to be posted"
