"""`flask ops payments`: payments in any state, by the filters of a retry."""

import json
from typing import Any

import click

from models import ops_payment, payment, payment_count
from models.rules.failure_codes import Failure
from models.rules.money import render
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.ops_batches import filter_of, filtered

ROWS_MAX = 1_000
"""Most payments listed by one command."""


@click.command("payments")
@click.option("--parked", is_flag=True, help="Only those set aside for a person.")
@click.option("--undecided", is_flag=True, help="Only those sent to the bank without a result yet.")
@filtered
@click.option(
    "--failure",
    type=click.Choice([one.value for one in Failure]),
    multiple=True,
    help="FAILED for this reason; several are any of them.",
)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=20, show_default=True)
@click.option("--count", "counts", is_flag=True, help="Only say how many there are, up to 10,000.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def payments(parked: bool, undecided: bool, limit: int, counts: bool, as_json: bool, **options: Any) -> None:
    """List payments in any state, newest first: by user, merchant, account, wallet, error, time and more."""
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    if parked + undecided + ("stuck" in chosen) > 1:
        raise click.UsageError("choose one of --parked, --undecided and --stuck")
    is_of_all = not parked and not undecided and "stuck" not in chosen
    which = filter_of({**chosen, "undecided": undecided, "is_of_all": is_of_all})
    if counts:
        with transaction(process.engine()) as connection:
            counted = payment_count.count(connection, which)
        number = f"{counted.number}" if counted.is_exact else f"at least {counted.number}"
        click.echo(json.dumps({"count": counted.number, "is_exact": counted.is_exact}) if as_json else number)
        return
    with transaction(process.engine()) as connection:
        found = ops_payment.page(connection, limit, which=which)
        now = payment.clock(connection)
    if as_json:
        for listed in found.rows:
            click.echo(json.dumps(ops_payment.listed_body(listed)))
    elif found.rows:
        rows = [listed.payment for listed in found.rows]
        table.show(
            ("payment", "type", "amount", "state", "accepted", "attempts", "failure or last error"),
            [
                (
                    *(row.id, row.type, f"{render(row.amount, row.digits)} {row.currency}", row.state),
                    *(table.ago((now - row.created_at).total_seconds()), str(row.attempts)),
                    row.failure_code or row.last_error or "",
                )
                for row in rows
            ],
        )
    else:
        click.echo("none")
    if found.scan_limit is not None:
        click.echo(f"older payments than {found.scan_limit.id} were not looked at: add --created-before", err=True)


COMMANDS = (payments,)
