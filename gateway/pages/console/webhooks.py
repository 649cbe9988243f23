"""/console/webhooks: endpoints by their state, their deliveries, one delivery with each try, and sending again."""

from collections.abc import Mapping

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.saved_views import list_views
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import REASON, Verb, VerbField, offered
from gateway.pages.visitors import attempt, get, visitor

PATH = "/console/webhooks"
ENDPOINTS, DELIVERIES = "/v1/ops/webhook-endpoints", "/v1/ops/webhook-deliveries"
PAGE_LENGTH = "50"
ENDPOINT_STATES = ("failing", "disabled", "inactive", "ok")
DELIVERY_STATES = ("pending", "failed", "delivered")
FILTERS = (ListFilter("state", "State", ENDPOINT_STATES), ListFilter("user", "Owner (user)"))
DELIVERY_FILTERS = (ListFilter("state", "State", DELIVERY_STATES), ListFilter("type", "Event"))

RESEND = Verb(
    "redeliver",
    "Send again",
    "It is sent again now, under the same id and with all its tries; the receiver knows it by its webhook-id.",
    f"{DELIVERIES}/{{id}}/redeliver",
    "ops:webhooks",
)
RESEND_RANGE = Verb(
    "redeliver",
    "Send a time range again",
    "The events of this time are sent to the endpoint again, oldest first, at most 10,000 at once.",
    f"{ENDPOINTS}/{{id}}/redeliver",
    "ops:webhooks",
    (
        VerbField("from", "From", hint="Such as 2026-01-31T12:00:00Z."),
        VerbField("to", "Until before", hint="Such as 2026-01-31T13:00:00Z."),
        VerbField("states", "Those that are", [("failed", "given up"), ("all", "in any state")]),
        REASON,
    ),
)


@console.get("/webhooks")
def webhooks() -> Response:
    """The endpoints of all users, newest first."""
    asked = query()
    answer = get(ENDPOINTS, {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    return render(
        "console/webhooks.html",
        page=answer.body,
        views=list_views("webhooks", FILTERS),
        states=ENDPOINT_STATES,
        chips=chips(asked, FILTERS),
        call=answer.call,
    )


@console.get("/webhooks/<id>")
def webhook_endpoint(id: str) -> Response:
    """One endpoint and its deliveries."""
    return _endpoint(id)


@console.post("/webhooks/<id>/redeliver")
def resend_range(id: str) -> Response:
    """Send the events of a time range again."""
    answer = attempt(_range_call(id, request.form))
    if answer.is_ok:
        more = "&more=1" if answer.body["has_more"] else ""
        return redirect(f"{PATH}/{id}?done={answer.body['redelivered']}{more}")
    return _endpoint(id, answer)


@console.get("/webhooks/deliveries/<id>")
def webhook_delivery(id: str) -> Response:
    """One delivery, with each try."""
    return _delivery(id)


@console.post("/webhooks/deliveries/<id>/redeliver")
def resend(id: str) -> Response:
    """Send a delivery again."""
    answer = attempt(RESEND.call(id, request.form))
    return redirect(f"{PATH}/deliveries/{id}?done=1") if answer.is_ok else _delivery(id, answer)


def _range_call(id: str, form: Mapping[str, str]) -> ApiCall:
    call = RESEND_RANGE.call(id, form)
    body = dict(call.body or {})
    if "states" in body:
        body["states"] = list(DELIVERY_STATES) if body["states"] == "all" else [body["states"]]
    return call._replace(body=body)


def _endpoint(id: str, refused: ApiAnswer | None = None) -> Response:
    asked = query()
    answer = get(f"{ENDPOINTS}/{id}")
    deliveries = get(
        f"/v1/webhook-endpoints/{id}/deliveries", {"limit": PAGE_LENGTH, **chosen(asked, DELIVERY_FILTERS)}
    )
    example = {"from": "FROM", "to": "TO", "states": "failed", "reason": "REASON"}
    return render(
        "console/webhook.html",
        200 if refused is None else refused.status,
        endpoint=answer.body,
        path_of_endpoint=f"{PATH}/{id}",
        deliveries=deliveries.body,
        states=DELIVERY_STATES,
        chips=chips(asked, DELIVERY_FILTERS),
        verb=RESEND_RANGE if visitor().may(RESEND_RANGE.scope) else None,
        curl_line=_range_call(id, example).curl(),
        problem=refused.body if refused else None,
        values=request.form.to_dict() if refused else {},
        done=asked.get("done", "") if asked.get("done", "").isdecimal() else "",
        more="more" in asked,
        call=deliveries.call,
    )


def _delivery(id: str, refused: ApiAnswer | None = None) -> Response:
    answer = get(f"/v1/webhook-deliveries/{id}")
    verbs = offered({RESEND.name: RESEND}, (RESEND.name,), visitor())
    return render(
        "console/delivery.html",
        200 if refused is None else refused.status,
        delivery=answer.body,
        path_of_delivery=f"{PATH}/deliveries/{id}",
        verbs=verbs,
        curl_line=RESEND.curl(id),
        problem=refused.body if refused else None,
        done="done" in query(),
        call=answer.call,
    )
