"""`flask ops archive|restore|months`: old months go into files and come back, with the owner's database role."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

from models import archiving
from models.archiving import NotArchivable, PaymentMonth
from models.session import Engine, transaction
from workers import archiver, process
from workers.cli import table
from workers.cli.arguments import FolderArgument, PatternArgument, reasoned

MONTH = PatternArgument("month, such as 2026-01", r"[0-9]{4}-(0[1-9]|1[0-2])")

folder_of = click.option(
    "--folder",
    type=FolderArgument(),
    required=True,
    envvar="ARCHIVE_FOLDER",
    help="Where the months are, each a folder.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


@contextmanager
def _owner() -> Iterator[Engine]:
    """Connections in the owner's role; what cannot be archived or restored ends the command."""
    engine = process.owner_engine()
    try:
        yield engine
    except NotArchivable as error:
        raise click.ClickException(str(error)) from error
    finally:
        engine.dispose()


def _day(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


@click.command("archive")
@click.option("--before", type=MONTH, required=True, help="The first month that stays.")
@folder_of
@reasoned
@click.option("--keep", is_flag=True, help="Only write and verify the files; nothing leaves the database.")
@click.option("--dry-run", is_flag=True, help="Only say which months, and what is in their way.")
@as_json
def archive(before: str, folder: Path, reason: str, keep: bool, dry_run: bool, as_json: bool) -> None:
    """Archive the months before one: write and verify files, detach the months, verify again, drop the tables.

    A run that was ended goes on where it was. Payments go on meanwhile.
    """
    with _owner() as engine:
        with transaction(engine) as connection:
            known = archiving.months(connection)
            wanted = [month for month in known if month.month < _day(before) and not month.dropped]
            if dry_run:
                for month in wanted:
                    found = [] if month.detached else archiving.obstacles(connection, month)
                    _say(month, "; ".join(found) or "may be archived", as_json)
                return
        for month in wanted:
            archiver.archive(engine, folder, month, reason, lambda month, done: _say(month, done, as_json), keep=keep)


@click.command("restore")
@click.argument("month", type=MONTH)
@folder_of
@reasoned
@click.option("--dry-run", is_flag=True, help="Only say which months would be restored.")
@as_json
def restore(month: str, folder: Path, reason: str, dry_run: bool, as_json: bool) -> None:
    """Bring MONTH back into the database, and all archived months after it."""
    with _owner() as engine:
        with transaction(engine) as connection:
            known = archiving.months(connection)
        wanted = [one for one in reversed(known) if one.month >= _day(month) and one.detached]
        for one in wanted:
            if dry_run:
                _say(one, "would be restored", as_json)
            else:
                archiver.restore(engine, folder, one, reason, lambda month, done: _say(month, done, as_json))


@click.command("months")
@as_json
def months(as_json: bool) -> None:
    """List the months of payments, and which are archived."""
    with _owner() as engine, transaction(engine) as connection:
        bodies = [archiving.body(month) for month in archiving.months(connection)]
    table.show_bodies(("month", "is_detached", "is_dropped"), bodies, as_json)


def _say(month: PaymentMonth, done: str, as_json: bool) -> None:
    click.echo(json.dumps({"month": month.name, "done": done}) if as_json else f"{month.name}: {done}")


COMMANDS = (archive, restore, months)
