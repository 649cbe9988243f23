"""Files: the statement of a wallet for a month, and the month of a merchant by day."""

from flask import Response, request

from gateway.pages.api_calls import ApiCall
from gateway.pages.app.pages import MERCHANT, app_pages
from gateway.pages.formats import month_now
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, render
from gateway.pages.visitors import attempt, download, visitor

FORMATS = {
    "html": ("to print", "text/html"),
    "csv": ("CSV", "text/csv"),
    "jsonl": ("JSON Lines", "application/x-ndjson"),
    "json": ("JSON", "application/json"),
}
"""By the value of the field: its label and its media type."""

CLOSING = "/v1/closing"


@app_pages.get("/wallets/<token>/statement")
def wallet_statement(token: str) -> Response:
    """The statement of the wallet, in the chosen format."""
    month = request.args.get("month") or month_now()
    return _file(f"/v1/wallets/{token}/statement", {"month": month}, f"statement-{month}")


@app_pages.get("/closing")
def closing() -> Response:
    """The merchant's month by day; with a format, as a file."""
    if visitor().role != MERCHANT:
        raise PageError(404, "There is no such page", "Only merchants have a closing.")
    asked = {"month": query().get("month") or month_now(), "timezone": query().get("timezone") or "UTC"}
    if request.args.get("format"):
        return _file(CLOSING, asked, f"closing-{asked['month']}")
    call = ApiCall("GET", CLOSING, asked)
    answer = attempt(call)
    return render(
        "app/closing.html",
        answer.status,
        closing=answer.body if answer.is_ok else None,
        problem=None if answer.is_ok else answer.body,
        asked=asked,
        formats=FORMATS,
        call=call,
    )


def _file(path: str, asked: dict[str, str], name: str) -> Response:
    """The file in the format of the query; HTML is shown, the others are saved."""
    format = request.args.get("format", "html")
    if format not in FORMATS:
        raise PageError(422, "There is no such format", f"Choose one of {', '.join(FORMATS)}.")
    response = download(path, asked, FORMATS[format][1])
    if format != "html":
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.{format}"'
    return response
