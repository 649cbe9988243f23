"""Saved views: which lists of the console can be saved, and which queries of theirs."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from models.rules.text import TextError, free_text

NAME_LENGTH_MAX = 60
QUERY_LENGTH_MAX = 2000
"""As long as browsers and proxies take a URL."""

VIEWS_MAX = 50
"""Views of one person: more are no longer found by looking."""


class ViewedList(NamedTuple):
    """A list of the console: the list of the API behind it, its filters, and values of what the page alone knows."""

    path: str
    filters: frozenset[str]
    page_values: Mapping[str, frozenset[str]] = {}


LISTS: Mapping[str, ViewedList] = {
    "payments": ViewedList(
        "/v1/ops/payments",
        frozenset(
            (
                *("state", "type", "currency", "failure", "error_contains", "error_prefix", "parked", "undecided"),
                *("stuck", "created_from", "created_before", "user", "merchant", "account", "wallet", "bulk", "batch"),
                *("attempts_min", "attempts_max", "ids"),
            )
        ),
        {
            "columns": frozenset(
                (
                    *("state", "type", "amount", "parties", "reference", "reason", "attempts", "created_at", "due_at"),
                    *("user", "summary"),
                )
            )
        },
    ),
    "users": ViewedList("/v1/ops/users", frozenset(("email", "role", "is_active"))),
    "accounts": ViewedList(
        "/v1/ops/accounts",
        frozenset(("code", "owner", "currency", "at", "is_active")),
        {"show": frozenset(("wallets",))},
    ),
    "audit": ViewedList(
        "/v1/ops/audit",
        frozenset(("actor", "target", "action", "request_id", "created_from", "created_before")),
    ),
    "webhooks": ViewedList("/v1/ops/webhook-endpoints", frozenset(("state", "user"))),
    "bulks": ViewedList("/v1/bulk-transfers", frozenset(("state",)), {"kind": frozenset(("transfers", "charges"))}),
    "adjustments": ViewedList("/v1/ops/adjustments", frozenset(("state",))),
}
"""By the name of the list: its path in the console."""


class ViewQuery(NamedTuple):
    """A query as it is stored, and its filters as the API takes them."""

    text: str
    filters: dict[str, str]


def read_query(list: str, text: str) -> ViewQuery:
    """The query of a view of this list; raises TextError for one that is not of its URLs."""
    known, values = LISTS[list], dict[str, str]()
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        pairs = []
    if not pairs:
        raise TextError("invalid_value", "The query of a list, such as state=FAILED&type=charge.")
    for name, value in pairs:
        if name in values:
            raise TextError("repeated_parameter", f"{name} is given twice.")
        if name not in known.filters and name not in known.page_values:
            raise TextError("unknown_parameter", f"The list has no filter {name[:NAME_LENGTH_MAX]!r}.")
        if name in known.page_values and not known.page_values[name].issuperset(value.split(",")):
            raise TextError("invalid_value", f"{name}: some of {', '.join(sorted(known.page_values[name]))}.")
        values[name] = free_text(value, QUERY_LENGTH_MAX)
    encoded = urlencode(values)
    if len(encoded) > QUERY_LENGTH_MAX:
        raise TextError("text_too_long", f"At most {QUERY_LENGTH_MAX} characters, encoded.")
    return ViewQuery(encoded, {name: value for name, value in values.items() if name in known.filters})
