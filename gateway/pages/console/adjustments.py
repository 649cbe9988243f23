"""/console/adjustments: corrections of balances that ops users proposed, and proposing one."""

import secrets

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.saved_views import list_views
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import REASON, Verb, VerbField
from gateway.pages.visitors import attempt, get, visitor

API = "/v1/ops/adjustments"
STATES = ("proposed", "approved", "rejected")
FILTERS = (ListFilter("state", "State", STATES),)
PAGE_LENGTH = "50"

ACCOUNT = "account"
"""The field that takes the id of an account, or the token of a wallet."""

WALLET_PREFIX = "wal_"

PROPOSE = Verb(
    "propose",
    "Propose",
    "No money moves until another ops user approves it.",
    API,
    "ops:adjustments",
    (
        VerbField(ACCOUNT, "Account", hint="The id of an account, or the token of a wallet."),
        VerbField("direction", "Direction", [("credit", "credit: more on it"), ("debit", "debit: less on it")]),
        VerbField("amount", "Amount", hint="Such as 12.50."),
        VerbField("currency", "Currency", hint="That of the account."),
        REASON,
    ),
    is_dangerous=True,
)


@console.get("/adjustments")
def adjustments() -> Response:
    """Adjustments, newest first, and the form of a new one."""
    return _page()


@console.post("/adjustments")
def propose_adjustment() -> Response:
    """Propose an adjustment; sent twice, the form makes one."""
    answer = attempt(_call(request.form.to_dict(), request.form.get("key", "")))
    return redirect(f"/console/adjustments?done={answer.body['id']}") if answer.is_ok else _page(answer)


def _call(form: dict[str, str], key: str) -> ApiCall:
    call = PROPOSE.call("", form)
    body = dict(call.body or {})
    if str(body.get(ACCOUNT, "")).startswith(WALLET_PREFIX):
        body["wallet"] = body.pop(ACCOUNT)
    return call._replace(body=body, headers={"Idempotency-Key": key})


def _page(refused: ApiAnswer | None = None) -> Response:
    asked = query()
    answer = get(API, {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    key = request.form.get("key") or secrets.token_hex(16)
    example = {field.name: field.name.upper() for field in PROPOSE.fields}
    return render(
        "console/adjustments.html",
        200 if refused is None else refused.status,
        page=answer.body,
        call=answer.call,
        views=list_views("adjustments", FILTERS),
        chips=chips(asked, FILTERS),
        states=STATES,
        verb=PROPOSE if visitor().may(PROPOSE.scope) else None,
        key=key,
        curl_line=_call(example, key).curl(),
        problem=refused.body if refused else None,
        values=request.form.to_dict() if refused else {name: asked.get(name, "") for name in (ACCOUNT, "currency")},
        done=asked.get("done", ""),
    )
