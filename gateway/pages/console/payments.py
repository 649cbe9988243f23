"""GET /console/payments: payments by any filter of the API, with the columns that the reader chose."""

from collections.abc import Mapping

from flask import Response, request

from gateway.pages.api_calls import ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.payment_verbs import VERBS
from gateway.pages.console.saved_views import list_views
from gateway.pages.filters import COLUMNS, CURSOR, ListFilter, chips, chosen, shown_columns
from gateway.pages.formats import with_query
from gateway.pages.rendering import query, redirect, render
from gateway.pages.visitors import attempt, visitor

PAGE_LENGTH = "50"

STATES = ("INITIATED", "AUTHORIZED", "COMPLETED", "FAILED")
TYPES = ("deposit", "withdrawal", "transfer", "charge", "exchange", "refund", "adjustment", "return", "bonus")

FILTERS = (
    ListFilter("state", "State", STATES),
    ListFilter("type", "Type", TYPES),
    ListFilter("currency", "Currency"),
    ListFilter("failure", "Failure"),
    ListFilter("error_contains", "Error contains"),
    ListFilter("parked", "Parked", ("true",)),
    ListFilter("undecided", "Undecided at the bank", ("true",)),
    ListFilter("stuck", "Waits for seconds", "number"),
    ListFilter("created_from", "Created from"),
    ListFilter("created_before", "Created before"),
    ListFilter("user", "Ordered by (user)"),
    ListFilter("merchant", "Owner of a side (user)"),
    ListFilter("account", "Account"),
    ListFilter("wallet", "Wallet"),
    ListFilter("bulk", "Bulk"),
    ListFilter("batch", "Batch"),
    ListFilter("attempts_min", "Attempts from", "number"),
    ListFilter("attempts_max", "Attempts to", "number"),
    ListFilter("error_prefix", "Error begins with"),
    ListFilter("ids", "Ids"),
)
"""Those of GET /v1/ops/payments; the first ones are shown, the others are behind "More"."""

SHOWN_FILTERS = 8

CRITERIA = ("parked", "undecided", "stuck")
"""Payments that wait: by one of these a filter selects payments to retry."""

LIST_COLUMNS = {
    "state": "State",
    "type": "Type",
    "amount": "Amount",
    "parties": "From → to",
    "reference": "Reference",
    "reason": "Failure or last error",
    "attempts": "Attempts",
    "created_at": "Created",
    "due_at": "Due",
    "user": "Ordered by",
    "summary": "Summary",
}
DEFAULT_COLUMNS = ("state", "type", "amount", "parties", "reference", "reason", "attempts", "created_at")


COUNT = "/v1/ops/payments/count"


def filter_of(asked: Mapping[str, str]) -> dict[str, str]:
    """The filter of the URL, without the place in the list."""
    return {name: value for name, value in chosen(asked, FILTERS).items() if name != CURSOR}


@console.get("/payments")
def payments() -> Response:
    """The payments of the filter, newest first."""
    asked = query()  # a form sends its empty fields, and each box: the URL that is kept has neither
    if "" in asked.values() or len(request.args) < len(list(request.args.items(multi=True))):
        return redirect(with_query("/console/payments", asked))
    call = ApiCall("GET", "/v1/ops/payments", {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    answer = attempt(call)
    page = answer.body if answer.is_ok else {"data": [], "next_cursor": None, "prev_cursor": None}
    counted = attempt(ApiCall("GET", COUNT, filter_of(asked))) if answer.is_ok else None
    columns = shown_columns(asked, LIST_COLUMNS, DEFAULT_COLUMNS)
    return render(
        "console/payments.html",
        200 if answer.is_ok else answer.status,
        page=page,
        problem=None if answer.is_ok else answer.body,
        call=call,
        chips=chips(asked, FILTERS),
        filters=FILTERS,
        shown_filters=SHOWN_FILTERS,
        count=counted.body if counted and counted.is_ok else None,
        filter_values=chosen(asked, FILTERS),
        views=list_views("payments", FILTERS, (COLUMNS,)),
        columns=columns,
        all_columns=LIST_COLUMNS,
        column_parameter=COLUMNS,
        verbs=[verb for verb in VERBS.values() if visitor().may(verb.scope)],
        is_retryable=visitor().may("ops:retry") and not set(CRITERIA).isdisjoint(asked),
    )
