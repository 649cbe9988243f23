"""`flask ops replica`: which replica reads go to, and how far it is behind."""

import json

import click

import settings
from models import replica
from models.session import transaction
from workers import process

CATCH_UP_SECONDS = 5.0
"""How long the command waits for the replica to replay what the primary has written."""


@click.command("replica")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_replica(as_json: bool) -> None:
    """Show the replica of DATABASE_REPLICA_URL, and after how many seconds it has what is written now; exits with 1 if
    it is away or more than 5 s behind.
    """
    url = settings.load().database_replica_url
    if url is None:
        raise click.ClickException("DATABASE_REPLICA_URL is not set")
    with transaction(process.engine()) as connection:
        state = replica.look(connection, url, CATCH_UP_SECONDS)
    if as_json:
        click.echo(json.dumps(state._asdict()))
    elif not state.fault:
        click.echo(f"{state.name} has all that the primary had {state.lag_seconds:.3f} s ago")
    if state.fault:
        behind = "" if state.bytes_behind is None else f", {state.bytes_behind} bytes"
        raise click.ClickException(state.fault + behind)


COMMANDS = (show_replica,)
