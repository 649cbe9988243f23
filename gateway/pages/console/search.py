"""GET /console/search and /console/api: what has a text as one of its names, and any answer of the API as it is."""

from urllib.parse import parse_qsl, quote

from flask import Response, request

from gateway.pages.api_calls import ApiCall
from gateway.pages.console.pages import console
from gateway.pages.page_errors import PageError
from gateway.pages.page_security import split_url
from gateway.pages.rendering import redirect, render
from gateway.pages.visitors import attempt, get

PAGES = {
    "payment": "/console/payments/{id}",
    "batch": "/console/batches/{id}",
    "reconciliation": "/console/reconciliation/{id}",
    "webhook_delivery": "/console/webhooks/deliveries/{id}",
    "user": "/console/users/{id}",
    "account": "/console/accounts/{id}",
}
"""Where the console shows a hit of a kind; others are shown as the API has them."""

API_PREFIX = "/v1/"


def page_of_hit(hit: dict[str, str]) -> str:
    """The path of the page that shows a hit."""
    if hit["kind"] == "bulk":
        kind = hit["path"].removeprefix("/v1/bulk-").partition("/")[0]
        return f"/console/bulks/{kind}/{quote(hit['id'], safe='')}"
    if hit["kind"] in PAGES:
        return PAGES[hit["kind"]].format(id=quote(hit["id"], safe=""))
    return f"/console/api?path={quote(hit['path'])}"


@console.get("/search")
def search() -> Response:
    """Open what the text names; with several hits, list them."""
    text = request.args.get("q", "").strip()
    if not text:
        return render("console/search.html", text="", hits=[], has_more=False, call=None)
    answer = get("/v1/ops/search", {"q": text})
    hits = [{**hit, "href": page_of_hit(hit)} for hit in answer.body["data"]]
    if len(hits) == 1:
        return redirect(hits[0]["href"])
    return render("console/search.html", text=text, hits=hits, has_more=answer.body["has_more"], call=answer.call)


@console.get("/api")
def api() -> Response:
    """The answer of the API to a GET, as JSON."""
    parts = split_url(request.args.get("path", ""))
    if not parts.path.startswith(API_PREFIX) or parts.netloc:
        raise PageError(404, "There is no such page", f"A path of the API begins with {API_PREFIX}.")
    call = ApiCall("GET", parts.path, dict(parse_qsl(parts.query)))
    return render("console/api.html", answer=attempt(call), call=call)
