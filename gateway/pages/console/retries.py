"""Acting on several payments: retries in two steps, other verbs one after the other, and the pages of batches."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.payment_verbs import VERBS
from gateway.pages.console.payments import FILTERS
from gateway.pages.filters import chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import REASON, Verb
from gateway.pages.visitors import attempt, get, visitor

TYPED_ABOVE = 100
"""For more payments than this their number has to be typed."""

ACTED_ON_MAX = 50
"""Payments of one page of the list: other verbs than retries are sent one by one."""

LISTED_MAX = 20
"""Ids that a list takes."""

NUMBERS = ("stuck", "attempts_min", "attempts_max")
FLAGS = ("parked", "undecided")

RETRY = "/v1/ops/payments/retry"
PAGE_LENGTH = "50"

OUTCOMES = ("waiting", "retried", "completed", "failed", "parked", "skipped")

BATCH_VERBS = {
    "stop": Verb(
        "stop",
        "Stop",
        "Payments that are not due yet are skipped; what was retried goes on.",
        "/v1/ops/batches/{id}/stop",
        "ops:retry",
        is_dangerous=True,
    ),
    "retry": Verb(
        "retry",
        "Retry these",
        "Another batch is made of the payments of this one that are parked.",
        "/v1/ops/batches/{id}/retry",
        "ops:retry",
    ),
}


@console.post("/payments/selected")
def selected() -> Response:
    """The first step: what was selected, shown before anything is done."""
    ids, name = request.form.getlist("ids"), request.form.get("verb", "")
    if "all" in request.form:
        filter = chosen(dict(parse_qsl(request.form["all"].lstrip("?"))), FILTERS)
        return _select({name: value for name, value in filter.items() if name != "cursor"})
    if not ids or name not in VERBS:
        raise PageError(422, "Nothing is selected", "Select payments in the list first.")
    rows = _rows(ids)
    if name == "retry":
        parked = {bool(row["parked_at"]) for row in rows}
        if len(parked) > 1:
            raise PageError(
                422, "Parked and waiting payments", "Retry either those that are parked or those that wait."
            )
        return _select({"ids": ",".join(ids), **({"parked": "true"} if parked == {True} else {"stuck": "0"})})
    return render("console/act.html", verb=VERBS[name], rows=rows, results=None)


@console.post("/payments/selected/<name>")
def act_on_selected(name: str) -> Response:
    """The second step of a verb that is sent for one payment after the other: what became of each."""
    verb, ids = VERBS.get(name), request.form.getlist("ids")
    if verb is None or not 0 < len(ids) <= ACTED_ON_MAX:
        raise PageError(422, "Nothing is selected", f"Select up to {ACTED_ON_MAX} payments in the list.")
    rows = _rows(ids)
    quick = verb._replace(headers={})
    results = {id: attempt(quick.call(id, request.form)) for id in ids}
    return render("console/act.html", verb=verb, rows=rows, results=results)


@console.post("/batches")
def create_batch() -> Response:
    """The second step of retries: exactly the payments that the first step showed."""
    form = request.form
    count = form.get("count", "")
    if count.isdecimal() and int(count) > TYPED_ABOVE and form.get("number", "").strip() != count:
        raise PageError(422, "The number is another", f"Nothing was done. Type {count} to retry that many payments.")
    body = {"selection": form.get("selection", ""), "reason": form.get("reason", "").strip()}
    answer = attempt(ApiCall("POST", RETRY, body=body))
    if not answer.is_ok:
        if "batch" in answer.body:
            return redirect(f"/console/batches/{answer.body['batch']}")
        raise PageError(answer.status, answer.body.get("title", ""), answer.body.get("detail", ""))
    return redirect(f"/console/batches/{answer.body['id']}")


@console.get("/batches")
def batches() -> Response:
    """The batches of retries, newest first."""
    answer = get("/v1/ops/batches", {"limit": PAGE_LENGTH, **chosen(query(), ())})
    return render("console/batches.html", page=answer.body, call=answer.call)


@console.get("/batches/<id>")
def batch(id: str) -> Response:
    """One batch: who, why, how far, and what became of each payment."""
    return _batch(id)


@console.post("/batches/<id>/<name>")
def act_on_batch(id: str, name: str) -> Response:
    """Stop a batch, or retry what it left parked."""
    verb = BATCH_VERBS.get(name)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(verb.call(id, request.form))
    if answer.is_ok:
        return redirect(f"/console/batches/{answer.body['id']}")
    return _batch(id, refused=answer, name=name)


def _batch(id: str, *, refused: ApiAnswer | None = None, name: str | None = None) -> Response:
    answer = get(f"/v1/ops/batches/{id}")
    outcome = query().get("outcome")
    filters = {"outcome": outcome} if outcome in OUTCOMES else {}
    known = answer.body
    wanted = {**filters, **chosen(query(), ())}
    items = get(f"/v1/ops/batches/{id}/payments", {"limit": PAGE_LENGTH, **wanted}).body
    legal = [*(["stop"] if known["waiting"] and not known["stopped_at"] else [])]
    legal += ["retry"] if known["outcomes"]["parked"] or (known["stopped_at"] and known["skipped"]) else []
    verbs = [BATCH_VERBS[verb] for verb in legal if visitor().may(BATCH_VERBS[verb].scope)]
    return render(
        "console/batch.html",
        200 if refused is None else refused.status,
        batch=known,
        path_of_batch=f"/console/batches/{id}",
        items=items,
        outcome=outcome,
        outcomes=OUTCOMES,
        verbs=verbs,
        curls={verb.name: verb.curl(id) for verb in verbs},
        refused=refused.body if refused else None,
        refused_verb=name,
        values=request.form.to_dict() if refused else {},
        call=answer.call,
    )


def _rows(ids: list[str]) -> list[dict[str, Any]]:
    """The payments with these ids, as the list has them."""
    parts = [ids[start : start + LISTED_MAX] for start in range(0, len(ids[:ACTED_ON_MAX]), LISTED_MAX)]
    found = [get("/v1/ops/payments", {"ids": ",".join(part)}).body["data"] for part in parts]
    return [row for rows in found for row in rows]


def _select(filter: Mapping[str, str]) -> Response:
    """The frozen selection of a filter, and the form that retries it."""
    call = ApiCall("POST", RETRY, body={"filter": _typed(filter)})
    answer = attempt(call)
    if not answer.is_ok:
        raise PageError(answer.status, answer.body.get("title", ""), answer.body.get("detail", ""))
    example = ApiCall("POST", RETRY, body={"selection": answer.body["selection"], "reason": "REASON"})
    return render(
        "console/retry.html",
        chosen=answer.body,
        filter=filter,
        reason=REASON,
        must_type=answer.body["count"] > TYPED_ABOVE,
        call=call,
        curl=example.curl(),
    )


def _typed(filter: Mapping[str, str]) -> dict[str, Any]:
    """The filter of a list as the body of a request has it."""
    body: dict[str, Any] = dict(filter)
    for name in NUMBERS:
        if body.get(name, "").isdecimal():
            body[name] = int(body[name])
    body |= {name: True for name in FLAGS if filter.get(name) == "true"}
    if "undecided" in body:
        raise PageError(422, "These cannot be retried", "The bank may know of them: ask it about each.")
    if "ids" in body:
        body["ids"] = filter["ids"].split(",")
    return body
