"""/console/audit: the audit log by actor, target, action, request and time, and as a file."""

from flask import Response

from gateway.pages.console.pages import console
from gateway.pages.console.users import list_page
from gateway.pages.filters import CURSOR, ListFilter, chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query
from gateway.pages.visitors import download

AUDIT = "/v1/ops/audit"
FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
"""The media type of a file, by its suffix."""

FILTERS = (
    ListFilter("actor", "Actor (user's id, shell, worker)"),
    ListFilter("target", "Target (id)"),
    ListFilter("action", "Action"),
    ListFilter("request_id", "Request id"),
    ListFilter("created_from", "From"),
    ListFilter("created_before", "Before"),
)
"""Those of GET /v1/ops/audit."""


@console.get("/audit")
def audit() -> Response:
    """The entries of the filter, newest first."""
    return list_page("audit", AUDIT, FILTERS)


@console.get("/audit.<suffix>")
def audit_file(suffix: str) -> Response:
    """All entries of the filter as a file."""
    if suffix not in FORMATS:
        raise PageError(404, "There is no such file", "It is offered as CSV and as JSON Lines.")
    values = chosen(query(), FILTERS)
    values.pop(CURSOR, None)
    return download(AUDIT, values, FORMATS[suffix])
