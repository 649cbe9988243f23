"""/app/webhooks: the user's webhook endpoints, one of them with its deliveries, and what may be done with it."""

from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.home import PAGE_LENGTH
from gateway.pages.app.pages import app_pages
from gateway.pages.app.payments import TYPES
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import DONE, Verb, VerbField, offered
from gateway.pages.visitors import attempt, get, visitor

PATH, ENDPOINTS, DELIVERIES = "/app/webhooks", "/v1/webhook-endpoints", "/v1/webhook-deliveries"
WRITE = "webhooks:write"

EVENT_TYPES = (
    *("*", "payment.*", "payment.initiated", "payment.authorized", "payment.completed", "payment.failed"),
    *("payment.parked", "bulk.*", "bulk.completed", "bulk.partially_completed", "bulk.failed"),
    *("webhook_endpoint.*", "webhook_endpoint.disabled", "ping"),
)
STATES = ("pending", "delivered", "failed")

FILTERS = (ListFilter("state", "State", STATES), ListFilter("type", "Event"))
"""Those of the deliveries of an endpoint."""

ETAG = "etag"
"""The field with the version that the form was made for: one that was changed since is not changed again."""

HOUR = 3600
OVERLAPS = [(str(hours * HOUR), label) for hours, label in ((24, "a day"), (1, "an hour"), (168, "a week"), (0, "end"))]

ONE = f"{ENDPOINTS}/{{id}}"

VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "test", "Send a ping", "An event of type ping is sent, whatever types are chosen.", f"{ONE}/test", WRITE, ()
        ),
        Verb(
            "rotate",
            "New secret",
            "Events are signed with a new secret, which is shown once, and meanwhile with the one before too.",
            f"{ONE}/rotate-secret",
            WRITE,
            (VerbField("overlap_seconds", "The one before signs for another", OVERLAPS),),
        ),
        Verb(
            "redeliver",
            "Send again",
            "The events of a time range are sent again, oldest first, at most 10,000.",
            f"{ONE}/redeliver",
            WRITE,
            (
                VerbField("from", "From", hint="Such as 2026-01-31T12:00:00Z."),
                VerbField("to", "Before"),
                VerbField("states", "Deliveries that", [("failed", "failed"), ("delivered", "were delivered")]),
            ),
        ),
        Verb("enable", "Enable", "What happened meanwhile is sent now.", ONE, WRITE, ()),
        Verb(
            "disable", "Disable", "Nothing is sent until it is enabled; then all is.", ONE, WRITE, (), is_dangerous=True
        ),
        Verb(
            "delete",
            "Delete",
            "Nothing more is sent to it, not even what is pending.",
            ONE,
            WRITE,
            (),
            is_dangerous=True,
        ),
    )
}
"""By name, in the order in which they are offered."""


@app_pages.get("/webhooks")
def webhooks() -> Response:
    """The endpoints."""
    return _list()


@app_pages.post("/webhooks")
def create_webhook() -> Response:
    """Create an endpoint; the answer itself shows its secret, as nothing shows it again."""
    answer = attempt(ApiCall("POST", ENDPOINTS, body=_body()))
    return _endpoint(answer.body["id"], secret=answer.body["secret"]) if answer.is_ok else _list(answer)


@app_pages.get("/webhooks/<id>")
def webhook(id: str) -> Response:
    """One endpoint."""
    return _endpoint(id)


@app_pages.post("/webhooks/<id>")
def change_webhook(id: str) -> Response:
    """Change the endpoint; if it was changed since the form was made, it is shown as it is now."""
    body = {"description": None, "payment_types": None, **_body()}
    answer = attempt(ApiCall("PATCH", ONE.format(id=id), body=body, headers=_if_match()))
    return redirect(f"{PATH}/{id}?{DONE}=change") if answer.is_ok else _endpoint(id, refused=answer, name="change")


@app_pages.post("/webhooks/<id>/<name>")
def act_on_webhook(id: str, name: str) -> Response:
    """Carry out a verb."""
    verb = VERBS.get(name)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(call_of(verb, id, request.form.to_dict(), _if_match()))
    if not answer.is_ok:
        return _endpoint(id, refused=answer, name=name)
    if name == "rotate":
        return _endpoint(id, secret=answer.body["secret"])
    return redirect(PATH if name == "delete" else f"{PATH}/{id}?{DONE}={name}")


@app_pages.get("/webhooks/deliveries/<id>")
def delivery(id: str) -> Response:
    """One delivery with each try."""
    return _delivery(id)


@app_pages.post("/webhooks/deliveries/<id>/redeliver")
def redeliver(id: str) -> Response:
    """Send a delivery again."""
    answer = attempt(_redelivery(id))
    return redirect(f"{PATH}/deliveries/{id}?{DONE}=redeliver") if answer.is_ok else _delivery(id, answer)


def call_of(verb: Verb, id: str, form: dict[str, str], if_match: dict[str, str]) -> ApiCall:
    """The request that the form orders."""
    call = verb.call(id, form)
    if verb.name in ("enable", "disable"):
        return call._replace(method="PATCH", body={"is_active": verb.name == "enable"}, headers=if_match)
    if verb.name == "delete":
        return call._replace(method="DELETE", body=None, headers=if_match)
    body = dict(call.body or {})
    if body.get("overlap_seconds", "").isdecimal():
        body["overlap_seconds"] = int(body["overlap_seconds"])
    if "states" in body:
        body["states"] = [body["states"]]
    return call._replace(body=body)


def _if_match() -> dict[str, str]:
    return {"If-Match": request.form.get(ETAG, "")}


def _body() -> dict[str, Any]:
    """The members of an endpoint that the form gives; those left empty are left out."""
    form = request.form
    body: dict[str, Any] = {name: form[name].strip() for name in ("url", "description") if form.get(name, "").strip()}
    body |= {name: form.getlist(name) for name in ("event_types", "payment_types") if form.getlist(name)}
    return body


def _list(refused: ApiAnswer | None = None) -> Response:
    answer = get(ENDPOINTS, {"limit": PAGE_LENGTH, **chosen(query(), ())})
    example = {"url": "URL", "event_types": ["payment.*"]}
    return render(
        "app/webhooks.html",
        200 if refused is None else refused.status,
        page=answer.body,
        may_write=visitor().may(WRITE),
        event_types=EVENT_TYPES,
        payment_types=TYPES,
        refused=refused.body if refused else None,
        values=_body() if refused else {"event_types": ["payment.*"]},
        create_line=ApiCall("POST", ENDPOINTS, body=example).curl(),
        call=answer.call,
    )


def _endpoint(id: str, *, secret: str = "", refused: ApiAnswer | None = None, name: str = "") -> Response:
    shown = get(ONE.format(id=id))
    path = f"{ONE.format(id=id)}/deliveries"
    deliveries = attempt(ApiCall("GET", path, {"limit": PAGE_LENGTH, **chosen(query(), FILTERS)}))
    endpoint, if_match = shown.body, {"If-Match": shown.etag}
    legal = [verb for verb in VERBS if verb != ("enable" if endpoint["is_active"] else "disable")]
    verbs = offered(VERBS, [verb for verb in legal if verb != "test" or endpoint["is_active"]], visitor())
    is_stale = refused is not None and refused.code == "precondition_failed"
    return render(
        "app/webhook.html",
        200 if refused is None else refused.status,
        endpoint=endpoint,
        etag=shown.etag,
        path_of_endpoint=f"{PATH}/{id}",
        verbs=verbs,
        curls={verb.name: call_of(verb, id, _example(verb), if_match).curl() for verb in verbs},
        change_line=ApiCall("PATCH", ONE.format(id=id), body={"url": endpoint["url"]}, headers=if_match).curl(),
        may_write=visitor().may(WRITE),
        event_types=EVENT_TYPES,
        payment_types=TYPES,
        secret=secret,
        refused=refused.body if refused else None,
        refused_verb=name,
        values=request.form.to_dict() if refused else {},
        wanted=_body() if refused and name == "change" and not is_stale else endpoint,
        done=VERBS[request.args[DONE]].label if request.args.get(DONE) in VERBS else request.args.get(DONE) == "change",
        page=deliveries.body if deliveries.is_ok else {"data": [], "next_cursor": None, "prev_cursor": None},
        problem=None if deliveries.is_ok else deliveries.body,
        states=STATES,
        chips=chips(query(), FILTERS),
        call=deliveries.call,
    )


def _example(verb: Verb) -> dict[str, str]:
    named = {field.name: field.name.upper() for field in verb.fields}
    return named | ({"overlap_seconds": "86400"} if "overlap_seconds" in named else {})


def _redelivery(id: str) -> ApiCall:
    return ApiCall("POST", f"{DELIVERIES}/{id}/redeliver", body={})


def _delivery(id: str, refused: ApiAnswer | None = None) -> Response:
    answer = get(f"{DELIVERIES}/{id}")
    return render(
        "app/delivery.html",
        200 if refused is None else refused.status,
        delivery=answer.body,
        may_write=visitor().may(WRITE),
        refused=refused.body if refused else None,
        is_done=request.args.get(DONE) == "redeliver",
        redeliver_line=_redelivery(id).curl(),
        call=answer.call,
    )
