"""`flask ops search`: what has a text as its id, key, reference, token, address or number."""

import json

import click

from models import ops_search
from models.ops_search import QUERY_LENGTH_MAX
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument


@click.command("search")
@click.argument("text", type=TextArgument(QUERY_LENGTH_MAX))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def search(text: str, as_json: bool) -> None:
    """Find payments, wallets, users and more by exactly this TEXT.

    It is an id, an idempotency key, a reference, a bank's reference, a wallet's token or its last four characters, an
    e-mail address, a phone number, a webhook's id, or the id of a request.
    """
    with transaction(process.engine()) as connection:
        found = ops_search.search(connection, text)
    if as_json:
        for hit in found.hits:
            click.echo(json.dumps(ops_search.body(hit)))
    elif found.hits:
        table.show(("kind", "id", "by", "what"), [(hit.kind, hit.id, hit.matched_by, hit.label) for hit in found.hits])
    else:
        click.echo("none")
    if found.has_more:
        click.echo("there are more; search for something more exact", err=True)


COMMANDS = (search,)
