"""GET /app/payments: the payments of the user by some filters of the API, newest first."""

from flask import Response

from gateway.pages.api_calls import ApiCall
from gateway.pages.app.home import PAGE_LENGTH
from gateway.pages.app.pages import app_pages
from gateway.pages.filters import ListFilter, chips, chosen, option_labels
from gateway.pages.formats import with_query
from gateway.pages.rendering import query, redirect, render
from gateway.pages.visitors import attempt

STATES = ("INITIATED", "AUTHORIZED", "COMPLETED", "FAILED")
TYPES = ("charge", "refund", "transfer", "deposit", "withdrawal", "exchange", "return", "adjustment", "bonus")

FILTERS = (
    ListFilter("state", "State", STATES),
    ListFilter("type", "Type", TYPES),
    ListFilter("currency", "Currency"),
    ListFilter("reference", "Reference"),
    ListFilter("created_at[gte]", "Created from"),
    ListFilter("created_at[lt]", "Created before"),
    ListFilter("parent", "Refunds of (payment)"),
)
"""Some of those of GET /v1/payments."""


@app_pages.get("/payments")
def payments() -> Response:
    """The payments of the filter."""
    asked = query()
    if "" in asked.values():  # a form sends its empty fields: the URL that is kept has none
        return redirect(with_query("/app/payments", asked))
    call = ApiCall("GET", "/v1/payments", {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    answer = attempt(call)
    values = chosen(asked, FILTERS)
    return render(
        "app/payments.html",
        answer.status,
        page=answer.body if answer.is_ok else {"data": [], "next_cursor": None, "prev_cursor": None},
        problem=None if answer.is_ok else answer.body,
        call=call,
        chips=chips(asked, FILTERS),
        fields=[
            (filter.name, filter.label, _kind(filter, values.get(filter.name)), values.get(filter.name, ""))
            for filter in FILTERS
        ],
    )


def _kind(filter: ListFilter, value: str | None) -> str | list[tuple[str, str]]:
    if isinstance(filter.kind, str):
        return filter.kind
    several = [(value, value.replace(",", ", "))] if value and value not in filter.kind else []
    return [("", "any"), *option_labels(filter.kind), *several]
