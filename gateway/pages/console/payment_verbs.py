"""The verbs of a payment: each is a POST of /v1/ops/payments/{id}, offered only while it is legal."""

from gateway.pages.verbs import REASON, WAIT, Verb, VerbField

PAYMENT = "/v1/ops/payments/{id}"
OPS_PAYMENTS = "ops:payments"

VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "retry",
            "Retry now",
            "It is posted again at once, with a full set of attempts.",
            f"{PAYMENT}/retry",
            "ops:retry",
            headers=WAIT,
        ),
        Verb(
            "ask",
            "Ask the bank",
            "The bank is asked now; its answer is shown beside what is known, and a final one ends the payment.",
            f"{PAYMENT}/ask",
            OPS_PAYMENTS,
            headers=WAIT,
        ),
        Verb(
            "capture",
            "Capture",
            "What is held is taken for the merchant; the rest of the hold is released.",
            f"{PAYMENT}/capture",
            OPS_PAYMENTS,
            (VerbField("amount", "Amount", is_required=False, hint="Empty: all that is held."), REASON),
            headers=WAIT,
        ),
        Verb(
            "void",
            "Void",
            "The hold is released; the payment fails as canceled by ops.",
            f"{PAYMENT}/void",
            OPS_PAYMENTS,
            is_dangerous=True,
            headers=WAIT,
        ),
        Verb(
            "cancel",
            "Cancel",
            "It is not posted at all; it fails as canceled by ops.",
            f"{PAYMENT}/cancel",
            OPS_PAYMENTS,
            is_dangerous=True,
            headers=WAIT,
        ),
        Verb(
            "fail",
            "Fail",
            "It is given up, as no bank knows of it; what it holds is released.",
            f"{PAYMENT}/fail",
            OPS_PAYMENTS,
            is_dangerous=True,
            headers=WAIT,
        ),
        Verb(
            "resolve",
            "Resolve",
            "You say, with evidence, what the bank did; nothing moves until another ops user approves it.",
            f"{PAYMENT}/resolve",
            "ops:resolutions",
            (
                VerbField("outcome", "The bank", [("paid", "paid it"), ("not_paid", "did not pay it")]),
                VerbField("bank_reference", "Reference of the bank", is_required=False, hint="Required if it paid."),
                VerbField("value_date", "Value date", "date", is_required=False, hint="Required if it paid."),
                REASON,
            ),
            is_dangerous=True,
        ),
    )
}
"""By name, in the order in which they are offered."""

NOTE = Verb(
    "notes",
    "Note",
    "It is shown here to all of ops, and kept in the audit log. It changes nothing.",
    f"{PAYMENT}/notes",
    "ops:notes",
    (VerbField("text", "Note", "textarea"),),
)
