"""The verbs of a payment for its merchant or maker; each is an order of the API, carried out once for each form."""

from collections.abc import Mapping
from typing import Any

from gateway.pages.api_calls import ApiCall
from gateway.pages.verbs import WAIT, Verb, VerbField
from gateway.pages.visitors import Visitor

CHARGES, TRANSFERS = "charges:write", "transfers:write"
KEY_FIELD = "key"
"""The field with the Idempotency-Key, made when the form is shown: sent twice, it is one order."""

VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "capture",
            "Capture",
            "What is held is taken; the rest of the hold is released.",
            "/v1/charges/{id}/capture",
            CHARGES,
            (VerbField("amount", "Amount", is_required=False, hint="Empty: all that is held."),),
        ),
        Verb(
            "void",
            "Void",
            "The hold is released, and nothing is taken.",
            "/v1/charges/{id}/void",
            CHARGES,
            (),
            is_dangerous=True,
        ),
        Verb(
            "refund",
            "Refund",
            "The money goes back to the customer, as a payment of its own.",
            "/v1/refunds",
            CHARGES,
            (
                VerbField("amount", "Amount", is_required=False, hint="Empty: all that is not refunded yet."),
                VerbField(
                    "reason",
                    "Reason",
                    [
                        ("requested_by_customer", "the customer asked"),
                        ("duplicate", "charged twice"),
                        ("fraudulent", "fraud"),
                    ],
                ),
            ),
            is_dangerous=True,
        ),
        Verb(
            "cancel",
            "Cancel",
            "It is not posted; no money moves.",
            "/v1/payments/{id}/cancel",
            "payments:read",
            (),
            is_dangerous=True,
        ),
    )
}
"""By name, in the order in which they are offered."""


def call_of(verb: Verb, id: str, form: Mapping[str, str], key: str) -> ApiCall:
    """The request that the form orders."""
    call = verb.call(id, form)
    body = {**(call.body or {}), **({"charge": id} if verb.name == "refund" else {})}
    return call._replace(body=body, headers={**WAIT, "Idempotency-Key": key})


def legal(payment: Mapping[str, Any], visitor: Visitor) -> list[Verb]:
    """The verbs that suit the payment's state; the API decides again whether they are the visitor's."""
    is_charge = payment["type"] == "charge"
    state = payment["state"]
    names: list[str] = []
    if is_charge and state == "AUTHORIZED":
        names = ["capture", "void"]
    elif is_charge and state == "COMPLETED" and payment["refunded_amount"] != payment["amount"]:
        names = ["refund"]
    elif (
        state == "INITIATED"
        and visitor.may(CHARGES if is_charge else TRANSFERS)
        and (is_charge or payment["source"]["wallet"])
    ):
        names = ["cancel"]
    return [VERBS[name] for name in names if visitor.may(VERBS[name].scope)]
