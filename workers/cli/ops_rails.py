"""`flask ops rails`: the connections to banks; `flask ops rail-files`: the files exchanged with them."""

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
    table.show_bodies(("noted_at", "state", "items", "name"), bodies, as_json)


COMMANDS = (rails_command, rail_files)
