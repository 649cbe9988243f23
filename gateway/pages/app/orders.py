"""/app/transfers and /app/charges: forms for a new transfer and a new charge."""

import secrets

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.pages import app_pages
from gateway.pages.app.payment_verbs import CHARGES, KEY_FIELD
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import WAIT, Verb, VerbField
from gateway.pages.visitors import attempt, get, visitor

HOLD = "hold"
"""The choice of the field `take` that leaves the capture for later."""

AMOUNT = VerbField("amount", "Amount", hint="Such as 12.50.")
SUMMARY = VerbField("summary", "Summary", is_required=False, hint="Both sides see it.")

ORDERS = {
    verb.name: verb
    for verb in (
        Verb(
            "transfers",
            "Transfer",
            "The money goes from your wallet to the other one.",
            "/v1/transfers",
            "transfers:write",
            (
                VerbField("source", "From"),
                VerbField("target", "To (token of a wallet)"),
                AMOUNT,
                VerbField("currency", "Currency"),
                SUMMARY,
            ),
        ),
        Verb(
            "charges",
            "Charge",
            "The money comes from the customer's wallet to yours, now or when you capture it.",
            "/v1/charges",
            CHARGES,
            (
                VerbField("wallet", "Customer's wallet (its token)"),
                AMOUNT,
                VerbField("currency", "Currency"),
                VerbField("take", "Take it", [("now", "now"), (HOLD, "hold it now, capture it later")]),
                VerbField("reference", "Reference", is_required=False, hint="Your own name for the order."),
                SUMMARY,
            ),
        ),
    )
}
"""By the end of their path."""


@app_pages.get("/transfers/new", defaults={"kind": "transfers"})
@app_pages.get("/charges/new", defaults={"kind": "charges"})
def order_form(kind: str) -> Response:
    """The empty form."""
    return _page(ORDERS[kind])


@app_pages.post("/transfers/new", defaults={"kind": "transfers"})
@app_pages.post("/charges/new", defaults={"kind": "charges"})
def order(kind: str) -> Response:
    """Order it; leads to the page of the payment, and of the same one if the form is sent twice."""
    verb = ORDERS[kind]
    answer = attempt(call_of(verb, request.form.to_dict(), request.form.get(KEY_FIELD, "")))
    return redirect(f"/app/payments/{answer.body['id']}") if answer.is_ok else _page(verb, answer)


def call_of(verb: Verb, form: dict[str, str], key: str) -> ApiCall:
    """The request that the form orders."""
    call = verb.call("", form)
    body = dict(call.body or {})
    if body.pop("take", None) == HOLD:
        body["capture"] = False
    return call._replace(body=body, headers={**WAIT, "Idempotency-Key": key})


def _page(verb: Verb, refused: ApiAnswer | None = None) -> Response:
    if not visitor().may(verb.scope):
        raise PageError(403, "Not for your role", "Nothing was done.")
    wallets = get("/v1/wallets", {"limit": "100", "is_active": "true"}).body["data"]
    choices = {
        "source": [
            (wallet["token"], f"{wallet['label'] or wallet['currency']}: {wallet['available']} {wallet['currency']}")
            for wallet in wallets
        ],
        "currency": [(code, code) for code in sorted({wallet["currency"] for wallet in wallets})],
    }
    key = request.form.get(KEY_FIELD) or secrets.token_hex(16)
    example = {field.name: field.name.upper() for field in verb.fields if field.is_required}
    return render(
        "app/order.html",
        200 if refused is None else refused.status,
        verb=verb,
        fields=[field._replace(kind=choices.get(field.name, field.kind)) for field in verb.fields],
        problem=refused.body if refused else None,
        values=request.form.to_dict(),
        key=key,
        curl_line=call_of(verb, example, key).curl(),
    )
