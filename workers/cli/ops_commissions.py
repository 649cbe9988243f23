"""`flask ops commission-terms|commissions`: the terms of commission, and what was taken by day."""

from datetime import datetime
from uuid import UUID

import click

from models import commission_report, commission_terms
from models.commission_body import day_body, record_body
from models.rules.types import PaymentType
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import CURRENCY

ROWS_MAX = 1_000
"""Most terms listed by one command."""

DAYS_MAX = 366
"""As over HTTP."""

DAY = click.DateTime(["%Y-%m-%d"])

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
in_currency = click.option("--currency", "code", type=CURRENCY, help="In this currency.")


@click.command("commission-terms")
@click.option(
    "--type", "type_", type=click.Choice([type.value for type in PaymentType]), help="Of this type of payment."
)
@in_currency
@click.option("--merchant", "merchant_id", type=click.UUID, help="Of this merchant alone.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def terms(type_: str | None, code: str | None, merchant_id: UUID | None, limit: int, as_json: bool) -> None:
    """List the terms of commission, newest first: current, past and future ones."""
    of = None if merchant_id is None else str(merchant_id)
    with transaction(process.engine()) as connection:
        rows = commission_terms.page(connection, limit, type=type_, currency=code, merchant_id=of)
    header = ("id", "type", "currency", "merchant", "percent", "fixed", "minimum", "maximum", "valid_from")
    table.show_bodies(header, [record_body(row) for row in rows], as_json)


@click.command("commissions")
@click.argument("since", metavar="FROM", type=DAY)
@click.argument("until", metavar="TO", type=DAY)
@in_currency
@as_json
def commissions(since: datetime, until: datetime, code: str | None, as_json: bool) -> None:
    """Report the commission taken and given back, by day (UTC) and currency; both days are included."""
    if not 0 <= (until - since).days < DAYS_MAX:
        raise click.UsageError(f"TO must not be before FROM; a report covers at most {DAYS_MAX} days")
    with transaction(process.engine()) as connection:
        days = commission_report.by_day(connection, since.date(), until.date(), code)
    table.show_bodies(
        ("date", "currency", "taken", "given_back", "net", "payments"), [day_body(day) for day in days], as_json
    )


COMMANDS = (terms, commissions)
