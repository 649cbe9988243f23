"""`flask ops overview`: the state of everything; `flask ops related`: what belongs to a payment."""

import json
from typing import Any
from uuid import UUID

import click

from models import overview, overview_body, payment_related, payment_view
from models.overview import SPANS
from models.session import transaction
from workers import process
from workers.cli import table

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.command("overview")
@click.option("--span", type=click.Choice(list(SPANS)), default=next(iter(SPANS)), show_default=True)
@as_json
def overview_command(span: str, as_json: bool) -> None:
    """Show how many payments were accepted and what became of them, and what waits for whom."""
    with transaction(process.engine()) as connection:
        body = overview_body.body(overview.overview(connection, span), span)
    if as_json:
        click.echo(json.dumps(body))
        return
    columns = ("seconds", "accepted", "initiated", "authorized", "completed", "failed", "p50_seconds", "p99_seconds")
    table.show([name.replace("_", " ") for name in columns], [_cells(window, columns) for window in body["windows"]])
    click.echo()
    table.show(
        ("waits", "count", "oldest"), [_cells(count, ("name", "count", "oldest_at")) for count in body["counts"]]
    )
    click.echo()
    sums = [_cells(sum, ("currency", "amount", "looked_at")) for sum in body["imbalances"]]
    table.show(("currency", "imbalance", "looked at"), sums)


def _cells(row: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    return ["" if row[name] is None else str(row[name]) for name in names]


@click.command("related")
@click.argument("payment_id", type=click.UUID)
@as_json
def related(payment_id: UUID, as_json: bool) -> None:
    """Print refunds and returns of a payment, its bulk and quote, batches, lines of statements, and webhooks."""
    with transaction(process.engine()) as connection:
        view = payment_view.by_id(connection, str(payment_id))
        if view is None:
            raise click.ClickException(f"there is no payment {payment_id}")
        body = payment_related.body(view, payment_related.of_payment(connection, view))
    click.echo(json.dumps(body, indent=None if as_json else 2))


COMMANDS = (overview_command, related)
