"""`flask ops rails`: the connections to banks; `flask ops rail-files`: the files exchanged with them."""

import json
from typing import Any

import click

from models import rail as rails
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument

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
    _show(bodies, COLUMNS, as_json)


@click.command("rail-files")
@click.argument("rail", type=TextArgument(30))
@click.option("--state", type=click.Choice(rails.FILE_STATES), multiple=True)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def rail_files(rail: str, state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List the files that a RAIL wrote for its bank and read of what it sent, newest first."""
    with transaction(process.engine()) as connection:
        bodies = [rails.file_body(file) for file in rails.files(connection, limit, rail=rail, states=[*state])]
    _show(bodies, ("noted_at", "state", "items", "name"), as_json)


COMMANDS = (rails_command, rail_files)


def _show(bodies: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        for body in bodies:
            click.echo(json.dumps(body))
    elif bodies:
        cells = [["" if body[name] is None else str(body[name]) for name in columns] for body in bodies]
        table.show([name.replace("_", " ") for name in columns], cells)
    else:
        click.echo("none")
