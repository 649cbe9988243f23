"""/console/approvals: what one of ops proposed and another approves or rejects: adjustments and resolutions."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer
from gateway.pages.console.pages import console
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import DONE, REASON, Verb, VerbField, offered
from gateway.pages.visitors import attempt, get, visitor

PAGE_LENGTH = "20"
"""Of each kind; as many ids as a list of payments takes."""

PROPOSED = "proposed"

WHY = VerbField("reason", "Reason", "textarea", is_required=False, hint="Is kept in the audit log with your name.")


class Kind(NamedTuple):
    """A kind of proposals: its path in the API, and the verbs by their names."""

    path: str
    title: str
    verbs: Mapping[str, Verb]


def _kind(path: str, title: str, scope: str, approved: str, rejected: str) -> Kind:
    verbs = (
        Verb("approve", "Approve", approved, f"{path}/{{id}}/approve", scope, (WHY,), is_dangerous=True),
        Verb("reject", "Reject", rejected, f"{path}/{{id}}/reject", scope, (REASON,)),
    )
    return Kind(path, title, {verb.name: verb for verb in verbs})


KINDS = {
    "adjustments": _kind(
        "/v1/ops/adjustments",
        "Adjustments of balances",
        "ops:adjustments",
        "Its payment is ordered in your name, and posted at once.",
        "No money moves; it cannot be approved any more.",
    ),
    "resolutions": _kind(
        "/v1/ops/resolutions",
        "Resolutions of payouts",
        "ops:resolutions",
        "A worker judges it again, and records it as the answer of the bank.",
        "The payout stays as it is; another resolution may be proposed.",
    ),
}


@console.get("/approvals")
def approvals() -> Response:
    """What waits for a second person, or with `show=all` the newest proposals however they were decided."""
    return _page()


@console.post("/approvals/<kind>/<id>/<name>")
def decide(kind: str, id: str, name: str) -> Response:
    """Approve or reject a proposal; the page shows the refusal if the API refuses it."""
    verb = KINDS[kind].verbs.get(name) if kind in KINDS else None
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(verb.call(id, request.form))
    return redirect(f"/console/approvals?{DONE}={name}") if answer.is_ok else _page(answer, id, name)


def _page(refused: ApiAnswer | None = None, id: str | None = None, name: str | None = None) -> Response:
    shows_all = query().get("show") == "all"
    state = {} if shows_all else {"state": PROPOSED}
    answers = {key: get(kind.path, {"limit": PAGE_LENGTH, **state}) for key, kind in KINDS.items()}
    rows = {key: [_row(key, proposal) for proposal in answer.body["data"]] for key, answer in answers.items()}
    return render(
        "console/approvals.html",
        200 if refused is None else refused.status,
        kinds=KINDS,
        rows=rows,
        has_more={key: answer.body["has_more"] for key, answer in answers.items()},
        calls={key: answer.call for key, answer in answers.items()},
        payments=_payments([row["payment"] for row in rows["resolutions"]]),
        shows_all=shows_all,
        refused=refused.body if refused else None,
        refused_id=id,
        refused_verb=name,
        is_shown=any(row["id"] == id and name in row["curls"] for of_kind in rows.values() for row in of_kind),
        values=request.form.to_dict() if refused else {},
        done=query().get(DONE) if query().get(DONE) in ("approve", "reject") else None,
    )


def _row(key: str, proposal: dict[str, Any]) -> dict[str, Any]:
    """The proposal with the verbs that are legal for the visitor; what they proposed they may only withdraw."""
    is_own = proposal["proposed_by"] == visitor().caller.person_id
    names = ([] if is_own else ["approve"]) + ["reject"] if proposal["state"] == PROPOSED else []
    verbs = [
        verb._replace(label="Withdraw") if is_own else verb for verb in offered(KINDS[key].verbs, names, visitor())
    ]
    curls = {verb.name: verb.curl(proposal["id"]) for verb in verbs}
    return {**proposal, "is_own": is_own, "verbs": verbs, "curls": curls}


def _payments(ids: list[str]) -> dict[str, Any]:
    """The payments that resolutions are about, by id."""
    if not ids:
        return {}
    return {row["id"]: row for row in get("/v1/ops/payments", {"ids": ",".join(ids)}).body["data"]}
