"""/v1/ops/saved-views: lists of the console under names, of oneself and shared."""

from typing import Any

import marshmallow as ma
from flask import Response, current_app, g

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, JsonResponse, encode, no_content
from gateway.http.errors import ApiError, invalid
from gateway.http.found import found, path_id
from gateway.http.parsing import flatten
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.ops.saved_view_schemas import SavedViewChange, SavedViewInput, SavedViewQuery, SavedViewSchema
from gateway.services import services
from models import saved_view, user
from models.rules.saved_views import LISTS, VIEWS_MAX, read_query
from models.rules.text import TextError
from models.saved_view import NameTaken, SavedView, TooManyViews
from models.session import Connection, transaction

saved_views = Blueprint(
    "saved_views",
    __name__,
    url_prefix="/v1/ops/saved-views",
    description="Lists of the console with their filters, kept under names.",
)

SHARING = "ops:shared-views"
"""The scope without which a view is not shared, and one that is shared not changed."""


@saved_views.route("")
@requires("ops:read")
@saved_views.arguments(SavedViewQuery, location="query")
@saved_views.response(200, page_of(SavedViewSchema))
def list_saved_views(query: Body) -> JsonAnswer:
    """List your saved views and those that others share, newest first."""
    return paginated(query, saved_view.page, saved_view.body, viewer_id=g.caller.id, list=query.get("list"))


@saved_views.route("", methods=["POST"])
@requires("ops:views")
@saved_views.arguments(SavedViewInput)
@saved_views.response(201, SavedViewSchema)
@saved_views.alt_response(200, schema=SavedViewSchema, description="You had saved the same view before.")
def save_view(body: Body) -> JsonAnswer | Response:
    """Save a list with its filters under a name, for yourself or for all of ops; at most 50 of each person."""
    _check_sharing(is_shared=body["is_shared"])
    query = _checked(body["list"], body["query"])
    with transaction(services().engine) as connection:
        user.lock(connection, g.caller.id)
        try:
            view, is_new = saved_view.save(
                connection, actor(), body["list"], body["name"], query, is_shared=body["is_shared"]
            )
        except NameTaken:
            raise _name_taken() from None
        except TooManyViews:
            raise ApiError("too_many_saved_views", f"At most {VIEWS_MAX}; delete one first.") from None
    shown = saved_view.body(view)
    return (shown, {}) if is_new else JsonResponse(encode(shown), 200, content_type="application/json")


@saved_views.route("/<id>", methods=["PATCH"])
@requires("ops:views")
@saved_views.arguments(SavedViewChange)
@saved_views.response(200, SavedViewSchema)
def change_view(body: Body, id: str) -> JsonAnswer:
    """Rename a view of yours, change its query, share it, or keep it to yourself."""
    if not body:
        raise invalid([("", "required", "Send name, query or is_shared.")])
    with transaction(services().engine) as connection:
        before = _own(connection, id)
        after = before._replace(**body)
        _check_sharing(is_shared=before.is_shared or after.is_shared)
        after = after._replace(query=_checked(after.list, after.query))
        try:
            return saved_view.body(saved_view.change(connection, before, after, actor())), {}
        except NameTaken:
            raise _name_taken() from None


@saved_views.route("/<id>", methods=["DELETE"])
@requires("ops:views")
@saved_views.response(204)
def delete_view(id: str) -> Response:
    """Delete a view of yours."""
    with transaction(services().engine) as connection:
        before = _own(connection, id)
        _check_sharing(is_shared=before.is_shared)
        saved_view.delete(connection, before, actor())
    return no_content()


def _own(connection: Connection, id: str) -> SavedView:
    """The caller's view with this id, under the caller's lock; raises ApiError not_found."""
    user.lock(connection, g.caller.id)
    return found(saved_view.by_id(connection, path_id(id)), lambda view: view.user_id == g.caller.id)


def _check_sharing(*, is_shared: bool) -> None:
    if is_shared and SHARING not in g.caller.scopes:
        raise ApiError("scope_missing", f"This needs the scope {SHARING}.")


def _checked(list: str, text: str) -> str:
    """The query as it is stored; raises ApiError unless the list itself takes its filters."""
    try:
        query = read_query(list, text)
        _query_schema(LISTS[list].path).load(query.filters)
    except TextError as error:
        raise invalid([("/query", error.code, error.detail)]) from None
    except ma.ValidationError as error:
        raise invalid(_of_query(error.messages)) from None
    return query.text


def _query_schema(path: str) -> ma.Schema:
    """The schema by which the list of this path reads its query."""
    endpoint, _ = current_app.url_map.bind("").match(path)
    view: Any = current_app.view_functions[endpoint]
    schema: ma.Schema = view.query_schema
    return schema


def _of_query(messages: Any) -> list[tuple[str, str, str]]:
    return [("/query", code, f"{pointer.lstrip('/')}: {detail}") for pointer, code, detail in flatten(messages)]


def _name_taken() -> ApiError:
    return ApiError("duplicate_view", "You have another view of this list under that name.")
