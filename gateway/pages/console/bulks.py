"""/console/bulks: bulks with the states of their lines, and what failed in them as a file."""

from typing import Any

from flask import Response

from gateway.pages.console.pages import console
from gateway.pages.console.saved_views import list_views
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, render
from gateway.pages.visitors import download, get

PAGE_LENGTH = "50"
KINDS = {"transfers": "/v1/bulk-transfers", "charges": "/v1/bulk-charges"}
"""The path of the API by the kind of bulks."""

STATES = ("INITIATED", "COMPLETED", "PARTIALLY_COMPLETED", "FAILED")
FILTERS = (ListFilter("state", "State", STATES),)
LINE_FILTERS = (ListFilter("state", "State", ("INITIATED", "AUTHORIZED", "COMPLETED", "FAILED")),)

LINE_STATES = ("completed", "authorized", "initiated", "failed")
"""The counts of a bulk in the order of its bar; each is the class of its colour too."""


@console.get("/bulks")
def bulks() -> Response:
    """The bulks of one kind, newest first."""
    asked = query()
    kind = asked["kind"] if asked.get("kind") in KINDS else next(iter(KINDS))
    answer = get(KINDS[kind], {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    return render(
        "console/bulks.html",
        page=answer.body,
        call=answer.call,
        kind=kind,
        kinds=KINDS,
        views=list_views("bulks", FILTERS, ("kind",)),
        chips=chips(asked, FILTERS),
        states=STATES,
        parts=[parts(row["counts"]) for row in answer.body["data"]],
    )


@console.get("/bulks/<kind>/<id>")
def bulk(kind: str, id: str) -> Response:
    """One bulk and its lines."""
    path, asked = f"{_path(kind)}/{id}", query()
    answer = get(path)
    lines = get(f"{path}/lines", {"limit": PAGE_LENGTH, **chosen(asked, LINE_FILTERS)})
    return render(
        "console/bulk.html",
        bulk=answer.body,
        path_of_bulk=f"/console/bulks/{kind}/{id}",
        parts=parts(answer.body["counts"]),
        line_states=LINE_STATES,
        state=asked.get("state", ""),
        chips=chips(asked, LINE_FILTERS),
        lines=lines.body,
        call=lines.call,
    )


@console.get("/bulks/<kind>/<id>/lines.csv")
def bulk_lines(kind: str, id: str) -> Response:
    """The lines as a file, with `state` those in it."""
    wanted = {name: value for name, value in chosen(query(), LINE_FILTERS).items() if name == "state"}
    return download(f"{_path(kind)}/{id}/lines", wanted, "text/csv")


def parts(counts: dict[str, Any]) -> list[tuple[str, int, str]]:
    """The lines by state, as a bar shows them."""
    return [(name, counts[name], name) for name in LINE_STATES]


def _path(kind: str) -> str:
    if kind not in KINDS:
        raise PageError(404, "There is no such page", "Bulks are of transfers or of charges.")
    return KINDS[kind]
