"""`flask ops rails`: the connections to banks; `flask ops rail-files|rail-file`: the files exchanged with them."""

import json
import os
from pathlib import Path
from uuid import UUID

import click

from models import rail as rails
from models.audit import SHELL
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import FolderArgument, TextArgument

ROWS_MAX = 1_000
"""Most files listed by one command."""

COLUMNS = ("rail", "to_tell", "told", "received", "undecided", "asked", "oldest_at", "pause")

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


@click.command("rails")
@as_json
def rails_command(as_json: bool) -> None:
    """List the connections to banks, with their payouts that have no final answer."""
    with transaction(process.engine()) as connection:
        bodies = [rails.body(rail) for rail in rails.rails(connection)]
    table.show_bodies(COLUMNS, bodies, as_json)


@click.command("rail-files")
@click.argument("rail", type=TextArgument(30))
@click.option("--state", type=click.Choice(rails.FILE_STATES), multiple=True)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def rail_files(rail: str, state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the files that a RAIL wrote for its bank and read of what it sent, newest first."""
    with transaction(process.engine()) as connection:
        bodies = [rails.file_body(file) for file in rails.files(connection, limit, rail=rail, states=[*state])]
    table.show_bodies(("id", "noted_at", "state", "items", "bytes", "name"), bodies, as_json)


@click.command("rail-file")
@click.argument("file_id", type=click.UUID)
@click.option("--folder", type=FolderArgument(), help="Write it there, readable by you alone, instead of to stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --folder: print what is known of it as JSON.")
def rail_file(file_id: UUID, folder: Path | None, as_json: bool) -> None:
    """Download what is in a file of a rail, which has names and account numbers: the audit log says that you did."""
    if as_json and folder is None:
        raise click.UsageError("--json needs --folder: stdout has the file")
    with transaction(process.engine()) as connection:
        kept = rails.file(connection, str(file_id))
        if kept is None:
            raise click.ClickException(f"there is no content of a file {file_id}")
        content = rails.download(connection, SHELL, kept)
    if folder is None:
        click.echo(content, nl=False)
        return
    path = folder / rails.saved_name(kept)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(json.dumps(rails.file_body(kept)) if as_json else f"{path}: {kept.bytes} bytes")


COMMANDS = (rails_command, rail_files, rail_file)
