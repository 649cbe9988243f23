"""`flask payments`: lists and retries payments that did not post, with the worker's database role."""

import json
from datetime import UTC, datetime
from uuid import UUID

import click

from bell import BrokerUnavailable, publish
from models import (
    audit,
    event,
    idempotency,
    operation,
    partitions,
    payment,
    payment_action,
    payment_command,
    payment_view,
)
from models import payment_stuck as stuck_payments
from models.payment_stuck import OLDEST_FIRST, STUCK_SECONDS_MAX, StuckFilter, StuckPayment
from models.rules import ops_actions
from models.rules.money import render
from models.session import Connection, transaction
from workers import process
from workers.cli import payment_waits, table
from workers.cli.arguments import reasoned
from workers.cli.group import WorkerGroup

ROWS_MAX = 1_000
"""Most payments listed or retried by one command."""

STUCK_SECONDS = 60
"""Default age after which a payment that is not final counts as stuck."""

IDLE_SWEEPS_MAX = 5
"""Sweeps without progress, of two seconds each, after which the command gives up: a person has to look at the locks."""

payments_cli = WorkerGroup("payments", help="List and retry payments that did not post (as the worker).")
for command in payment_waits.COMMANDS:
    payments_cli.add_command(command)

limited = click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
aged = click.option(
    "--older-than",
    "seconds",
    type=click.IntRange(0, STUCK_SECONDS_MAX),
    default=STUCK_SECONDS,
    show_default=True,
    help="Seconds.",
)


@payments_cli.command("stuck")
@aged
@limited
@as_json
def stuck(seconds: int, limit: int, as_json: bool) -> None:
    """List payments still INITIATED some time after they were accepted."""
    with transaction(process.engine()) as connection:
        rows = _find(connection, seconds, limit)
    _print(rows, as_json)
    if rows and not as_json:
        click.echo("flask payments sweep posts due payments now", err=True)


@payments_cli.command("parked")
@limited
@as_json
def parked(limit: int, as_json: bool) -> None:
    """List payments parked for a person after their last attempt."""
    with transaction(process.engine()) as connection:
        _print(_find(connection, None, limit), as_json)


@payments_cli.command("undecided")
@limited
@as_json
def undecided(limit: int, as_json: bool) -> None:
    """List withdrawals about which the bank gave no final answer yet; it is asked again automatically."""
    with transaction(process.engine()) as connection:
        _print(stuck_payments.find(connection, StuckFilter(undecided=True), limit, OLDEST_FIRST), as_json)


@payments_cli.command("show")
@click.argument("payment_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="The same JSON in one line.")
def show(payment_id: UUID, as_json: bool) -> None:
    """Print a payment with its operations, events, commands and audit entries, as JSON; and what ops may do to it."""
    with transaction(process.engine()) as connection:
        view = payment_view.by_id(connection, str(payment_id))
        if view is None:
            raise click.ClickException(f"there is no payment {payment_id}")
        body = {
            "id": view.id,
            "type": view.type,
            "state": view.state,
            "amount": render(view.amount, view.digits),
            "currency": view.currency,
            "user": view.user_id,
            **idempotency.accepted_by(connection, view.id)._asdict(),
            "source": {"account": view.source.id, "name": view.source.name},
            "target": {"account": view.target.id, "name": view.target.name},
            "failure": view.failure_code,
            "attempts": view.attempts,
            "due_at": view.due_at,
            "parked_at": view.parked_at,
            "last_error": payment.last_error(connection, view.id),
            "created_at": view.created_at,
            "finalized_at": view.finalized_at,
            "operations": [
                {
                    "line": o.line,
                    "account": o.account_id,
                    "amount": render(o.amount, o.digits),
                    "kind": o.kind,
                    "balance_after": render(o.balance_after, o.digits),
                    "account_seq": o.account_seq,
                }
                for o in operation.of_payment(connection, view.id)
            ],
            "events": [
                {"name": e.name, "version": e.version, "created_at": e.created_at}
                for e in event.of_subjects(connection, [view.id])
            ],
            "commands": payment_command.about(connection, view.id),
            "audit": audit.about(connection, view.id),
            "actions": ops_actions.possible(payment_action.facts(connection, [view.id])[view.id]),
        }
    click.echo(json.dumps(body, indent=None if as_json else 2, default=_utc_milliseconds))


@payments_cli.command("retry")
@click.argument("payment_ids", type=click.UUID, nargs=-1)
@click.option("--parked", "which", flag_value="parked", help="All that are parked.")
@click.option("--stuck", "which", flag_value="stuck", help="All that are stuck.")
@aged
@limited
@reasoned
@click.option("--dry-run", is_flag=True, help="Only list them.")
@as_json
def retry(
    payment_ids: tuple[UUID, ...],
    which: str | None,
    seconds: int,
    limit: int,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make payments due now, with their attempts reset: by id, or all --parked or --stuck."""
    if bool(payment_ids) == bool(which):
        raise click.UsageError("name payments by id, or choose --parked or --stuck")
    with transaction(process.engine()) as connection:
        if which == "parked":
            ids = [row.id for row in _find(connection, None, limit)]
        elif which == "stuck":
            ids = [row.id for row in _find(connection, seconds, limit)]
        else:
            ids = [str(id) for id in payment_ids]
            unknown = set(ids) - payment.states(connection, ids).keys()
            if unknown:
                raise click.ClickException(f"there is no payment {', '.join(sorted(unknown))}")
        if dry_run:
            chosen = stuck_payments.open_among(connection, ids)
        else:
            chosen = stuck_payments.reset_for_retry(connection, ids)
            for row in chosen:
                before = {"attempts": row.attempts, "parked_at": row.parked_at, "last_error": row.last_error}
                audit.note(connection, audit.SHELL, "payments.retry", row.id, reason, before)
    _print(chosen, as_json)
    final = f", {len(ids) - len(chosen)} are final" if len(ids) > len(chosen) else ""
    if not as_json:
        click.echo(f"{len(chosen)} {'would be' if dry_run else 'are'} due now{final}")
    if chosen and not dry_run:
        _ring()


@payments_cli.command("sweep")
def sweep() -> None:
    """Post the payments due now, in this process and without the broker; later ones are left to the workers."""
    with transaction(process.engine()) as connection:
        began = payment.clock(connection)
    total, idle, remains = 0, 0, True
    while remains:
        posted, remains = process.poster().drain()
        total += posted
        idle = 0 if posted else idle + 1
        with transaction(process.engine()) as connection:
            remains = remains and payment.is_anything_due(connection, began)
        if remains and idle == IDLE_SWEEPS_MAX:
            raise click.ClickException(f"{total} payments posted; others are due but locked by another transaction")
    click.echo(f"{total} payments posted, nothing of what was due is left")


@payments_cli.command("partitions")
def make_partitions() -> None:
    """Create the partitions of the coming months; exit with 1 if one is still missing."""
    with transaction(process.engine()) as connection:
        click.echo(f"{partitions.ensure(connection)} partitions created")
    with transaction(process.engine()) as connection:
        missing = partitions.missing(connection)
    if missing:
        months = ", ".join(missing)
        raise click.ClickException(f"{months} has no partition: check for a detached table of its name")


def _find(connection: Connection, stuck_seconds: float | None, limit: int) -> list[StuckPayment]:
    return stuck_payments.find(connection, StuckFilter(stuck_seconds), limit, OLDEST_FIRST)


def _ring() -> None:
    try:
        publish()
    except BrokerUnavailable as error:
        click.echo(f"the broker is unavailable ({error}): the next sweep posts them, or flask payments sweep", err=True)


def _print(rows: list[StuckPayment], as_json: bool) -> None:
    if as_json:
        for row in rows:
            fields = row._asdict() | {"amount": render(row.amount, row.digits)}
            del fields["digits"]
            click.echo(json.dumps(fields, default=_utc_milliseconds))
        return
    if not rows:
        click.echo("none")
        return
    with transaction(process.engine()) as connection:
        now = payment.clock(connection)

    def ago(moment: datetime | None) -> str:
        return table.ago((now - moment).total_seconds()) if moment else ""

    header = ("payment", "type", "amount", "accepted", "due", "attempts", "parked", "last error")
    cells = (
        (
            *(row.id, row.type, f"{render(row.amount, row.digits)} {row.currency}"),
            *(ago(row.created_at), ago(row.due_at), str(row.attempts), ago(row.parked_at), row.last_error or ""),
        )
        for row in rows
    )
    table.show(header, list(cells))


def _utc_milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
