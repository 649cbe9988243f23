"""`flask ops closing`: the books of a month, or a merchant's own month by day."""

import json
from datetime import datetime
from typing import Any

import click

from models import closing, closing_body, closing_month, currency, merchant_closing, user
from models.rules.spreadsheet import cell, written
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import EmailAddress, PatternArgument, TextArgument

TIMEZONE_LENGTH_MAX = 64
"""Longer than any name of the time zone database."""

MONTH = PatternArgument("month", "20[0-9]{2}-(0[1-9]|1[0-2])")


@click.command("closing")
@click.argument("month", type=MONTH)
@click.option("--timezone", type=TextArgument(TIMEZONE_LENGTH_MAX), default="UTC", help="Such as Europe/Berlin.")
@click.option("--merchant", "email", type=EmailAddress(), help="The month of this merchant, by day.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a header; the first column names the list.")
@click.option("--json", "form", flag_value="json", help="One JSON object.")
def closing_command(month: str, timezone: str, email: str | None, form: str | None) -> None:
    """Close a MONTH such as 2026-11: trial balance, payments, commission, what was open, returns, adjustments."""
    with transaction(process.engine()) as connection:
        closing.read_one_snapshot(connection)
        of = closing_month.month_of(connection, datetime.fromisoformat(f"{month}-01T00:00:00Z"), timezone)
        if of is None:
            raise click.ClickException(f"there is no time zone {timezone}")
        digits = {code: known.digits for code, known in currency.all_by_code(connection).items()}.__getitem__
        if email is None:
            body = closing_body.body(closing.close(connection, of), month, timezone, of, digits)
        else:
            merchant = user.by_email(connection, email)
            if merchant is None:
                raise click.ClickException(f"there is no user {email}")
            days = merchant_closing.by_day(connection, merchant.id, of, timezone)
            body = {
                **closing_body.head(month, timezone, of),
                "days": [closing_body.day_body(day, digits) for day in days],
            }
    if form == "json":
        click.echo(json.dumps(body))
    elif form == "csv":
        columns = closing_body.COLUMNS if email is None else closing_body.DAY_COLUMNS
        rows = closing_body.rows(body) if email is None else body["days"]
        click.echo(written([columns, *([cell(row[column]) for column in columns] for row in rows)]), nl=False)
    else:
        _print(body)


def _print(body: dict[str, Any]) -> None:
    """The lists of the closing as tables."""
    over = "" if body["is_over"] else ", which is not over"
    click.echo(f"{body['month']}, time zone {body['timezone']}{over}")
    for name in ("days",) if "days" in body else closing_body.SECTIONS:
        click.echo(f"\n{name.replace('_', ' ')}")
        rows = body[name]
        if rows:
            header = [column.replace("_", " ") for column in rows[0]]
            table.show(header, [["" if cell is None else str(cell) for cell in row.values()] for row in rows])
        else:
            click.echo("none" if rows is not None else "not known: too much has happened since")


COMMANDS = (closing_command,)
