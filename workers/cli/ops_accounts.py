"""`flask ops operations`: the operations of an account; `flask ops balances`: balances over the last days."""

import json
from uuid import UUID

import click

from models import account_operation, balance_curve, ops_account
from models.balance_curve import ACCOUNTS_MAX, DAYS_MAX
from models.rules.money import render
from models.session import transaction
from workers import process
from workers.cli import table

ROWS_MAX = 1_000
"""Most operations listed by one command."""


@click.command("operations")
@click.argument("account_id", metavar="ACCOUNT", type=click.UUID)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def operations(account_id: UUID, limit: int, as_json: bool) -> None:
    """List the operations of an ACCOUNT, by its id, newest first; technical ones too."""
    with transaction(process.engine()) as connection:
        if not ops_account.page(connection, 1, id=str(account_id), is_active=None):
            raise click.ClickException(f"there is no account {account_id}")
        rows = account_operation.page(connection, limit, account_id=str(account_id))
    if as_json:
        for row in rows:
            click.echo(json.dumps(account_operation.body(row)))
    elif rows:
        cells = [
            (
                *(row.id, table.moment(row.created_at), row.payment_id, row.payment_type, row.kind),
                *(f"{render(row.amount, row.digits)} {row.currency}", render(row.balance_after, row.digits)),
            )
            for row in rows
        ]
        table.show(("number", "posted", "payment", "type", "kind", "amount", "balance after"), cells)
    else:
        click.echo("none")


@click.command("balances")
@click.argument("account_ids", metavar="ACCOUNT", type=click.UUID, nargs=-1, required=True)
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=30, show_default=True, help="Until now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def balances(account_ids: tuple[UUID, ...], days: int, as_json: bool) -> None:
    """Show the balances of accounts, by their ids, at times that are equally far from each other."""
    if len(account_ids) > ACCOUNTS_MAX:
        raise click.UsageError(f"at most {ACCOUNTS_MAX} accounts")
    with transaction(process.engine()) as connection:
        curves = balance_curve.curves(connection, [str(id) for id in account_ids], days)
    if unknown := {*map(str, account_ids)} - {curve.account_id for curve in curves}:
        raise click.ClickException(f"there is no account {', '.join(sorted(unknown))}")
    if as_json:
        for curve in curves:
            click.echo(json.dumps(balance_curve.body(curve)))
        return
    cells = [
        (curve.account_id, table.moment(at), f"{render(balance, curve.digits)} {curve.currency}")
        for curve in curves
        for at, balance in curve.points
    ]
    table.show(("account", "at", "balance"), cells)


COMMANDS = (operations, balances)
