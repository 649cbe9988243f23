"""`flask payments`: what ops do about payments that did not post by themselves. Runs in the worker's role."""

import json
from datetime import UTC, datetime
from uuid import UUID

import click

from celery_config import BrokerAway, publish
from models import audit, event, operation, partitions, payment, payment_command, payment_view
from models import payment_stuck as stuck_payments
from models.payment_stuck import OLDEST_FIRST, STUCK_SECONDS_MAX, StuckFilter, StuckPayment
from models.rules.money import render
from models.session import Connection, transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import reasoned
from workers.cli.group import WorkerGroup

ROWS_MAX = 1_000
"""Payments listed or retried by one command."""

STUCK_SECONDS = 60
"""A payment not final so long after its acceptance is worth a look."""

SWEEPS_IN_VAIN_MAX = 5
"""Each takes two seconds: locks that last longer are for a person to look at."""

payments_cli = WorkerGroup("payments", help="Look after payments that did not post by themselves (as the worker).")
limited = click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
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
    """Payments still INITIATED so long after they were accepted."""
    with transaction(process.engine()) as connection:
        rows = _find(connection, seconds, limit)
    _print(rows, as_json)
    if rows and not as_json:
        click.echo("flask payments sweep posts here and now what is due", err=True)


@payments_cli.command("parked")
@limited
@as_json
def parked(limit: int, as_json: bool) -> None:
    """Payments set aside for a person after their last attempt."""
    with transaction(process.engine()) as connection:
        _print(_find(connection, None, limit), as_json)


@payments_cli.command("undecided")
@limited
@as_json
def undecided(limit: int, as_json: bool) -> None:
    """Withdrawals that the bank has not ended yet, from its first answer that is none; it is asked again by itself."""
    with transaction(process.engine()) as connection:
        _print(stuck_payments.find(connection, StuckFilter(undecided=True), limit, after=OLDEST_FIRST), as_json)


@payments_cli.command("show")
@click.argument("payment_id", type=click.UUID)
def show(payment_id: UUID) -> None:
    """One payment with its operations, events and what was done about it, as JSON."""
    with transaction(process.engine()) as connection:
        view = payment_view.by_id(connection, str(payment_id))
        if view is None:
            raise click.ClickException(f"there is no payment {payment_id}")
        story = {
            "id": view.id,
            "type": view.type,
            "state": view.state,
            "amount": render(view.amount, view.digits),
            "currency": view.currency,
            "user": view.user_id,
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
        }
    click.echo(json.dumps(story, indent=2, default=_text))


@payments_cli.command("retry")
@click.argument("payment_ids", type=click.UUID, nargs=-1)
@click.option("--parked", "which", flag_value="parked", help="All that are parked.")
@click.option("--stuck", "which", flag_value="stuck", help="All that are stuck.")
@aged
@limited
@reasoned
@click.option("--dry-run", is_flag=True, help="Only say which.")
def retry(
    payment_ids: tuple[UUID, ...], which: str | None, seconds: int, limit: int, reason: str, dry_run: bool
) -> None:
    """Make payments due now, with all attempts before them again: by id, or all --parked or --stuck."""
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
    _print(chosen, as_json=False)
    final = len(ids) - len(chosen)
    click.echo(f"{len(chosen)} {'would be' if dry_run else 'are'} due now" + (f", {final} are final" if final else ""))
    if chosen and not dry_run:
        _ring()


@payments_cli.command("sweep")
def sweep() -> None:
    """Post what is due now, here and without the broker; what becomes due meanwhile is left to others."""
    with transaction(process.engine()) as connection:
        began = payment.clock(connection)
    total, in_vain, remains = 0, 0, True
    while remains:
        posted, remains = process.poster().drain()
        total += posted
        in_vain = 0 if posted else in_vain + 1
        with transaction(process.engine()) as connection:
            remains = remains and payment.is_anything_due(connection, began)
        if remains and in_vain == SWEEPS_IN_VAIN_MAX:
            raise click.ClickException(f"{total} payments posted; others are due that somebody else holds locked")
    click.echo(f"{total} payments posted, nothing of what was due is left")


@payments_cli.command("partitions")
def make_partitions() -> None:
    """Make the partitions of the coming months; exits with 1 if one is missing all the same."""
    with transaction(process.engine()) as connection:
        click.echo(f"{partitions.ensure(connection)} partitions made")
    with transaction(process.engine()) as connection:
        missing = partitions.missing(connection)
    if missing:
        months = ", ".join(missing)
        raise click.ClickException(f"{months} has no partition: see that no table of its name is detached")


def _find(connection: Connection, stuck_seconds: float | None, limit: int) -> list[StuckPayment]:
    return stuck_payments.find(connection, StuckFilter(stuck_seconds), limit, after=OLDEST_FIRST)


def _ring() -> None:
    try:
        publish()
    except BrokerAway as error:
        click.echo(f"the broker is away ({error}); the next sweep finds them, or: flask payments sweep", err=True)


def _print(rows: list[StuckPayment], as_json: bool) -> None:
    if as_json:
        for row in rows:
            told = row._asdict() | {"amount": render(row.amount, row.digits)}
            del told["digits"]
            click.echo(json.dumps(told, default=_text))
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


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
