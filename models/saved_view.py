"""Saved views: lists of the console that people of ops and auditors keep under names, for themselves or for all."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset
from models.audit import Actor
from models.keyset import START, Cursor
from models.records import record
from models.rules.saved_views import VIEWS_MAX


class SavedView(NamedTuple):
    """A list with a query, and who saved it: None is the operator, in a shell."""

    id: str
    user_id: str | None
    owner: str | None
    list: str
    name: str
    query: str
    is_shared: bool
    created_at: datetime


VIEW = """
SELECT v.id::text, v.user_id::text, u.name AS owner, v.list, v.name, v.query, v.is_shared, v.created_at
FROM saved_views v LEFT JOIN users u ON u.id = v.user_id
"""

NAMED = f"""{VIEW}
WHERE v.user_id IS NOT DISTINCT FROM %(user)s::uuid AND v.list = %(list)s AND lower(v.name) = lower(%(name)s)
"""


class NameTaken(Exception):
    """The person has another view of this name."""


class TooManyViews(Exception):
    """The person has VIEWS_MAX views."""


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    viewer_id: str | None = None,
    list: str | None = None,
) -> list[SavedView]:
    """Views, newest first; those that this viewer sees: their own, and shared ones."""
    conditions = {"(v.user_id = %s OR v.is_shared)": viewer_id, "v.list = %s": list}
    return keyset.page(connection, SavedView, VIEW, conditions, limit, at, key="v.id")


def by_id(connection: Connection, id: str) -> SavedView | None:
    """The view, or None."""
    return record(SavedView, connection.exec_driver_sql(f"{VIEW} WHERE v.id = %s", (id,)))


def save(
    connection: Connection, actor: Actor, list: str, name: str, query: str, *, is_shared: bool
) -> tuple[SavedView, bool]:
    """Save a view; False if the actor has the same one already.

    Raises NameTaken or TooManyViews. Call `user.lock` first: of a person's twenty at once, each counts those before.
    """
    id = str(uuid7())
    parameters = {"id": id, "user": actor.user_id, "list": list, "name": name, "query": query, "is_shared": is_shared}
    connection.exec_driver_sql(
        "INSERT INTO saved_views (id, user_id, list, name, query, is_shared)"
        " SELECT %(id)s, %(user)s::uuid, %(list)s, %(name)s, %(query)s, %(is_shared)s"
        " WHERE (SELECT count(*) FROM saved_views WHERE user_id IS NOT DISTINCT FROM %(user)s::uuid) < %(max)s"
        " ON CONFLICT DO NOTHING",
        {**parameters, "max": VIEWS_MAX},
    )
    kept = record(SavedView, connection.exec_driver_sql(NAMED, parameters))
    if kept is None:
        raise TooManyViews
    if kept.id == id:
        _note(connection, actor, "create", None, kept)
    elif (kept.name, kept.query, kept.is_shared) != (name, query, is_shared):
        raise NameTaken
    return kept, kept.id == id


def change(connection: Connection, before: SavedView, after: SavedView, actor: Actor) -> SavedView:
    """Store name, query and sharing of `after`; raises NameTaken. Call `user.lock` first."""
    parameters = {**after._asdict(), "user": before.user_id}
    named = record(SavedView, connection.exec_driver_sql(NAMED, parameters))
    if named is not None and named.id != before.id:
        raise NameTaken
    if after != before:
        connection.exec_driver_sql(
            "UPDATE saved_views SET name = %(name)s, query = %(query)s, is_shared = %(is_shared)s WHERE id = %(id)s",
            parameters,
        )
        _note(connection, actor, "update", before, after)
    return after


def delete(connection: Connection, before: SavedView, actor: Actor) -> None:
    """Delete a view."""
    deleted = connection.exec_driver_sql("DELETE FROM saved_views WHERE id = %s", (before.id,))
    if deleted.rowcount:
        _note(connection, actor, "delete", before, None)


def _note(connection: Connection, actor: Actor, what: str, before: SavedView | None, after: SavedView | None) -> None:
    """Record in the audit log what changed for others: views of one's own are nobody's business."""
    states = [view and body(view) for view in (before, after)]
    shared = next((view.id for view in (before, after) if view and view.is_shared), None)
    if shared is not None:
        audit.note(connection, actor, f"saved_views.{what}", shared, None, *states)


def body(view: SavedView) -> dict[str, Any]:
    """The JSON of a view."""
    members = view._asdict()
    return {
        "id": members.pop("id"),
        "user": members.pop("user_id"),
        **members,
        "created_at": view.created_at.isoformat(),
    }
