"""`flask ops saved-views`, `save-view`, `change-view` and `delete-view`: lists of the console under names."""

from uuid import UUID

import click

from models import saved_view
from models.audit import SHELL
from models.rules.saved_views import LISTS, NAME_LENGTH_MAX, QUERY_LENGTH_MAX, VIEWS_MAX, read_query
from models.rules.text import TextError
from models.saved_view import NameTaken, SavedView, TooManyViews
from models.session import Connection, transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument
from workers.cli.dry_run import dry, show_done, tried

ROWS_MAX = 1_000
"""Most views listed by one command."""

NAME, QUERY = TextArgument(NAME_LENGTH_MAX), TextArgument(QUERY_LENGTH_MAX)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("saved-views")
@click.option("--list", "list_name", type=click.Choice(list(LISTS)))
@click.option("--user", type=click.UUID, help="Those that this user sees: their own, and shared ones.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def saved_views(list_name: str | None, user: UUID | None, limit: int, as_json: bool) -> None:
    """List the saved views of all people, newest first."""
    with transaction(process.engine()) as connection:
        views = saved_view.page(connection, limit, viewer_id=str(user) if user else None, list=list_name)
    columns = ("id", "list", "is_shared", "owner", "name", "query")
    table.show_bodies(columns, [saved_view.body(view) for view in views], as_json)


@click.command("save-view")
@click.argument("list_name", metavar="LIST", type=click.Choice(list(LISTS)))
@click.argument("name", type=NAME)
@click.argument("query", type=QUERY)
@dry
@as_json
def save_view(list_name: str, name: str, query: str, dry_run: bool, as_json: bool) -> None:
    """Save a list with the query of its URL for all of ops, such as payments "Failed" state=FAILED."""
    text = _checked(list_name, query)
    try:
        with tried(dry_run) as connection:
            view, is_new = saved_view.save(connection, SHELL, list_name, name, text, is_shared=True)
    except NameTaken:
        raise _name_taken() from None
    except TooManyViews:
        raise click.ClickException(f"too_many_saved_views: at most {VIEWS_MAX}; delete one first") from None
    show_done(saved_view.body(view), "saved" if is_new else "saved already", as_json=as_json, dry_run=dry_run)


@click.command("change-view")
@click.argument("view_id", type=click.UUID)
@click.option("--name", type=NAME)
@click.option("--query", type=QUERY)
@dry
@as_json
def change_view(view_id: UUID, name: str | None, query: str | None, dry_run: bool, as_json: bool) -> None:
    """Rename a saved view of anybody, or change its query."""
    try:
        with tried(dry_run) as connection:
            before = _found(connection, view_id)
            after = before._replace(
                name=name or before.name, query=_checked(before.list, query) if query else before.query
            )
            saved_view.change(connection, before, after, SHELL)
    except NameTaken:
        raise _name_taken() from None
    show_done(saved_view.body(after), "changed", as_json=as_json, dry_run=dry_run)


@click.command("delete-view")
@click.argument("view_id", type=click.UUID)
@dry
@as_json
def delete_view(view_id: UUID, dry_run: bool, as_json: bool) -> None:
    """Delete a saved view of anybody."""
    with tried(dry_run) as connection:
        before = _found(connection, view_id)
        saved_view.delete(connection, before, SHELL)
    show_done(saved_view.body(before), "deleted", as_json=as_json, dry_run=dry_run)


def _found(connection: Connection, view_id: UUID) -> SavedView:
    view = saved_view.by_id(connection, str(view_id))
    if view is None:
        raise click.ClickException(f"there is no view {view_id}")
    return view


def _checked(list_name: str, query: str) -> str:
    try:
        return read_query(list_name, query).text
    except TextError as error:
        raise click.ClickException(f"{error.code}: {error.detail}") from None


def _name_taken() -> click.ClickException:
    return click.ClickException("duplicate_view: there is another view of this list under that name")


COMMANDS = (saved_views, save_view, change_view, delete_view)
