"""`flask ops open-items`, `take`, `give-back`, `assignments` and `note`: what needs a person, and notes about it."""

from uuid import UUID

import click

from models import open_item, payment_note, payment_view
from models.audit import REASON_LENGTH_MAX, SHELL
from models.open_item import KINDS, Taken
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument
from workers.cli.dry_run import dry, show_done, tried

ROWS_MAX = 1_000
"""Most assignments listed by one command."""

SUBJECT = TextArgument(100)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
for_reason = click.option("--reason", type=TextArgument(REASON_LENGTH_MAX), help="Why; stored in the audit log.")


@click.command("open-items")
@click.option("--kind", type=click.Choice(list(KINDS)), multiple=True)
@as_json
def open_items(kind: tuple[str, ...], as_json: bool) -> None:
    """List what no machine goes on with, the oldest first, and who took it."""
    with transaction(process.engine()) as connection:
        bodies = [open_item.item_body(item) for item in open_item.items(connection, kind)]
    table.show_bodies(("kind", "subject", "since", "taken_by_name", "label"), bodies, as_json)


@click.command("take")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("subject", type=SUBJECT)
@for_reason
@dry
@as_json
def take(kind: str, subject: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Take an open item, so that others see that somebody is at it."""
    try:
        with tried(dry_run) as connection:
            taken = open_item.is_subject(kind, subject) and open_item.take(connection, kind, subject, SHELL, reason)
    except Taken as error:
        raise click.ClickException(f"item_taken: {error.assignment.taken_by} has it") from None
    if not taken:
        raise click.ClickException(f"there is no such item: {kind} {subject}")
    show_done(
        open_item.assignment_body(taken[0]), "taken" if taken[1] else "taken already", as_json=as_json, dry_run=dry_run
    )


@click.command("give-back")
@click.argument("assignment_id", type=click.UUID)
@for_reason
@dry
@as_json
def give_back(assignment_id: UUID, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Give an item back, one's own or that of another."""
    with tried(dry_run) as connection:
        before = open_item.by_id(connection, str(assignment_id))
        if before is None:
            raise click.ClickException(f"there is no assignment {assignment_id}")
        after = open_item.give_back(connection, before, SHELL, reason)
    show_done(open_item.assignment_body(after), "given back", as_json=as_json, dry_run=dry_run)


@click.command("assignments")
@click.option("--user", type=click.UUID, help="Of this user.")
@click.option("--all", "is_all", is_flag=True, help="Also those that were given back.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def assignments(user: UUID | None, is_all: bool, limit: int, as_json: bool) -> None:
    """List who took what, newest first."""
    with transaction(process.engine()) as connection:
        found = open_item.assignments(
            connection, limit, user_id=str(user) if user else None, is_open=None if is_all else True
        )
    bodies = [open_item.assignment_body(one) for one in found]
    table.show_bodies(("id", "kind", "subject", "taken_by", "taken_at", "given_at"), bodies, as_json)


@click.command("note")
@click.argument("payment_id", type=click.UUID)
@click.argument("text", type=TextArgument(REASON_LENGTH_MAX))
@dry
@as_json
def note(payment_id: UUID, text: str, dry_run: bool, as_json: bool) -> None:
    """Write a note about a payment; it changes nothing, and is kept in the audit log."""
    with tried(dry_run) as connection:
        if payment_view.by_id(connection, str(payment_id)) is None:
            raise click.ClickException(f"there is no payment {payment_id}")
        kept, is_new = payment_note.add(connection, str(payment_id), SHELL, text)
    show_done(
        {"id": str(payment_id), **payment_note.body(kept)},
        "noted" if is_new else "noted before",
        as_json=as_json,
        dry_run=dry_run,
    )


COMMANDS = (open_items, take, give_back, assignments, note)
