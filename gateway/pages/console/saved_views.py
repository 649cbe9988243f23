"""/console/views: lists under names, one's own and shared ones; and the part of each list that shows them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.filters import CURSOR, ListFilter, chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import Verb, VerbField
from gateway.pages.visitors import attempt, get, visitor

API = "/v1/ops/saved-views"
PATH = "/console/views"
PAGE_LENGTH = "100"
SCOPE, SHARING = "ops:views", "ops:shared-views"


def _verb(name: str, label: str, effect: str, **members: Any) -> Verb:
    return Verb(name, label, effect, f"{API}/{{id}}", SCOPE, **{"fields": (), "method": "PATCH", **members})


VERBS = {
    verb.name: verb
    for verb in (
        _verb("rename", "Rename", "Its filters stay as they are.", fields=(VerbField("name", "Name"),)),
        _verb("share", "Share", "All of ops and the auditors see it then.", body={"is_shared": True}),
        _verb("unshare", "Keep to yourself", "Others do not see it any more.", body={"is_shared": False}),
        _verb("delete", "Delete", "The list itself stays, of course.", method="DELETE", is_dangerous=True),
    )
}
"""What one may do with one's own view."""


class ListViews(NamedTuple):
    """What a list shows of saved views: `links` are (name, path, whether it is what is shown, whose it is).

    `saved` is the query to save; empty if there is nothing to.
    """

    of: str
    links: list[tuple[str, str, bool, str]]
    saved: str
    may_share: bool
    curl: str


def list_views(list: str, filters: Iterable[ListFilter], others: Collection[str] = ()) -> ListViews:
    """The saved views of the list that is shown; `others` are its parameters besides filters."""
    shown = _shown(filters, others)
    views = get(API, {"list": list, "limit": PAGE_LENGTH}).body["data"]
    links = [
        (view["name"], _path(view), dict(parse_qsl(view["query"])) == shown, _whose(view))
        for view in sorted(views, key=lambda view: view["name"].casefold())
    ]
    saved = urlencode(shown) if visitor().may(SCOPE) else ""
    return ListViews(list, links, saved, visitor().may(SHARING), _save(list, "NAME", saved).curl())


def _shown(filters: Iterable[ListFilter], others: Collection[str]) -> dict[str, str]:
    kept = {name: value for name, value in query().items() if name in others and value}
    return {name: value for name, value in chosen(query(), filters).items() if name != CURSOR} | kept


@console.get("/views")
def views() -> Response:
    """All views that the visitor sees."""
    return _page()


@console.post("/views")
def save_view() -> Response:
    """Save a list as it is shown, and go back to it."""
    form = request.form
    call = _save(form.get("list", ""), form.get("name", "").strip(), form.get("query", ""), is_shared="shared" in form)
    answer = attempt(call)
    return redirect(_path(answer.body)) if answer.is_ok else _page(answer)


@console.post("/views/<id>/<name>")
def act_on_view(id: str, name: str) -> Response:
    """Carry out a verb on one's own view."""
    if name not in VERBS:
        raise PageError(404, "There is no such action", "")
    answer = attempt(_call(VERBS[name], id, request.form))
    return redirect(PATH) if answer.is_ok else _page(answer, id, name)


def _call(verb: Verb, id: str, form: Mapping[str, str]) -> ApiCall:
    call = verb.call(id, form)
    return call._replace(body=None) if call.method == "DELETE" else call


def _save(list: str, name: str, query: str, *, is_shared: bool = False) -> ApiCall:
    shared = {"is_shared": True} if is_shared else {}
    return ApiCall("POST", API, body={"list": list, "name": name, "query": query, **shared})


def _page(refused: ApiAnswer | None = None, id: str = "", name: str = "") -> Response:
    answer = get(API, {"limit": PAGE_LENGTH, **chosen(query(), ())})
    me = visitor()
    rows = [
        {
            **view,
            "href": _path(view),
            "filters": parse_qsl(view["query"]),
            "whose": _whose(view),
            "verbs": [
                (verb, _call(verb, view["id"], {"name": "NAME"}).curl())
                for verb in VERBS.values()
                if view["user"] == me.caller.id
                and me.may(SCOPE)
                and (me.may(SHARING) or not (view["is_shared"] or verb.name == "share"))
                and verb.name != ("share" if view["is_shared"] else "unshare")
            ],
        }
        for view in answer.body["data"]
    ]
    return render(
        "console/views.html",
        200 if refused is None else refused.status,
        rows=rows,
        page=answer.body,
        path_of_views=PATH,
        may_share=me.may(SHARING),
        refused=refused.body if refused else None,
        refused_at=(id, name),
        values=request.form.to_dict() if refused else {},
        call=answer.call,
    )


def _path(view: Mapping[str, Any]) -> str:
    return f"/console/{view['list']}?{view['query']}"


def _whose(view: Mapping[str, Any]) -> str:
    """Who shares it; empty if it is one's own."""
    return "" if view["user"] == visitor().caller.id else view["owner"] or "shell"
