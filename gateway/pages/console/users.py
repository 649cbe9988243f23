"""/console/users: the users by role, address and state."""

from flask import Response

from gateway.pages.api_calls import ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.saved_views import list_views
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.rendering import query, render
from gateway.pages.visitors import attempt

PAGE_LENGTH = "50"
ROLES = ("client", "merchant", "ops", "auditor", "member")
YES_OR_NO = ("true", "false")

FILTERS = (
    ListFilter("email", "E-mail", "text"),
    ListFilter("role", "Role", ROLES),
    ListFilter("is_active", "Active", YES_OR_NO),
)
"""Those of GET /v1/ops/users."""


@console.get("/users")
def users() -> Response:
    """The users, newest first."""
    return list_page("users", "/v1/ops/users", FILTERS)


def list_page(name: str, path: str, filters: tuple[ListFilter, ...], **defaults: str) -> Response:
    """The page of a list of the API with these filters; a filter that the API refuses is shown with the reason."""
    values = chosen(query(), filters)
    call = ApiCall("GET", path, {"limit": PAGE_LENGTH, **defaults, **values})
    answer = attempt(call)
    return render(
        f"console/{name}.html",
        answer.status,
        page=answer.body if answer.is_ok else {"data": [], "next_cursor": None, "prev_cursor": None},
        problem=None if answer.is_ok else answer.body,
        call=call,
        views=list_views(name, filters),
        filters=filters,
        filter_values=values,
        chips=chips(query(), filters),
    )
