"""/console/payments/{id}: one payment, all that happened to it, and the verbs that are legal now."""

from collections import defaultdict
from typing import Any, NamedTuple

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer
from gateway.pages.console.pages import console
from gateway.pages.console.payment_verbs import NOTE, VERBS
from gateway.pages.decimals import total
from gateway.pages.formats import duration, moment, pretty
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import DONE, offered
from gateway.pages.visitors import attempt, get, visitor


@console.get("/payments/<id>")
def payment(id: str) -> Response:
    """One payment."""
    return _page(id)


@console.get("/payments/<id>/payment.json")
def payment_json(id: str) -> Response:
    """All that the page shows, as a file."""
    path = f"/v1/ops/payments/{id}"
    whole = {
        "review": get(path).body,
        "explanation": get(f"{path}/explanation").body,
        "operations": get(f"/v1/payments/{id}/operations").body["data"],
        "related": get(f"{path}/related").body,
    }
    return Response(pretty(whole), content_type="application/json")


@console.post("/payments/<id>/<name>")
def act(id: str, name: str) -> Response:
    """Carry out a verb; the page shows the refusal if the API refuses it."""
    verb = VERBS.get(name) or (NOTE if name == NOTE.name else None)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(verb.call(id, request.form))
    if answer.is_ok:
        return redirect(f"/console/payments/{id}" + ("#notes" if verb is NOTE else f"?{DONE}={name}"))
    return _page(id, refused=answer, name=name)


def _page(id: str, *, refused: ApiAnswer | None = None, name: str | None = None) -> Response:
    path = f"/v1/ops/payments/{id}"
    review = get(path)
    explanation = get(f"{path}/explanation").body
    operations = get(f"/v1/payments/{id}/operations").body["data"]
    shown = review.body["payment"]
    verbs = offered(VERBS, review.body["actions"], visitor())
    return render(
        "console/payment.html",
        200 if refused is None else refused.status,
        payment=shown,
        path_of_payment=f"/console/payments/{id}",
        review=review.body,
        explanation=explanation,
        headline=headline(shown, explanation),
        operations=operations,
        sums=sums(operations),
        related=get(f"{path}/related").body,
        verbs=verbs,
        curls={verb.name: verb.curl(id) for verb in verbs},
        note=NOTE if visitor().may(NOTE.scope) else None,
        note_curl=NOTE.curl(id),
        compact="compact" in request.args,
        sides=sides(review.body),
        may_act=any(visitor().may(verb.scope) for verb in VERBS.values()),
        refused=refused.body if refused else None,
        refused_verb=name if name in {NOTE.name, *(verb.name for verb in verbs)} else None,
        values=request.form.to_dict() if refused else {},
        done=VERBS[request.args[DONE]] if request.args.get(DONE) in VERBS else None,
        call=review.call,
    )


class BankComparison(NamedTuple):
    """What is known here of a payout, and what the bank said when it was asked."""

    what: str
    ours: str
    theirs: str
    differs: bool


def sides(review: dict[str, Any]) -> list[BankComparison]:
    """The bank's newest answer beside ours; empty if the bank was not asked, or has not answered."""
    answered = [inquiry for inquiry in review["inquiries"] if inquiry["answered_at"]]
    if not answered:
        return []
    newest = answered[-1]
    rows = (
        ("answer", "Answer", newest["known_answer"], newest["answer"]),
        ("bank_reference", "Reference of the bank", newest["known_bank_reference"], newest["bank_reference"]),
        ("", "Reason", (review["payout"] or {}).get("reason"), newest["answer_reason"]),
    )
    return [
        BankComparison(label, ours or "", theirs or "", name in newest["differences"])
        for name, label, ours, theirs in rows
    ]


def headline(shown: dict[str, Any], explanation: dict[str, Any]) -> str:
    """What the payment waits for, in words; when it is tried next by the clock of the database."""
    following, at = moment(explanation["next_attempt_at"]), moment(explanation["explained_at"])
    if shown["finalized_at"]:
        took = (moment(shown["finalized_at"]) - moment(shown["created_at"])).total_seconds()  # type: ignore[operator]
        return f"final, {duration(took)} after it was accepted"
    if explanation["parked_at"]:
        return f"parked after {explanation['attempts']} attempts: it waits for a person"
    if shown["paused"]:
        return "held by a pause"
    if following and at:
        seconds = (following - at).total_seconds()
        when = f"in {duration(seconds)}" if seconds > 0 else "now"
        tries = (
            f", {explanation['attempts'] + 1} of {explanation['attempts_max']}" if shown["state"] == "INITIATED" else ""
        )
        return f"next try {when}{tries}"
    return "held: its merchant or its bank is next" if shown["state"] == "AUTHORIZED" else "waits"


def sums(operations: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The sum of the operations of each currency, as decimal text: zero, or the books are broken."""
    amounts: dict[str, list[str]] = defaultdict(list)
    for row in operations:
        amounts[row["currency"]].append(row["amount"])
    return [(currency, total(of_currency)) for currency, of_currency in sorted(amounts.items())]
