"""`flask ops retry|batch|batches|stop-batch|retry-batch`: retries of many payments: selected, ordered and watched."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from uuid_utils import uuid7

from bell import BrokerUnavailable, publish
from celery_config import CARRY_OUT
from models import audit, payment
from models import batch as batch_queries
from models import selection as selections
from models.batch import Batch, BatchOutcome, SelectionProblem
from models.payment import LAST_ERROR_LENGTH_MAX
from models.payment_stuck import RETRIES_MAX, STUCK_SECONDS_MAX, StuckFilter
from models.rules.state import State
from models.rules.types import PaymentType
from models.session import transaction
from workers import process
from workers.cli import batch_output
from workers.cli.arguments import CURRENCY, WALLET, TextArgument, reasoned
from workers.cli.dry_run import dry, tried

ROWS, ROWS_MAX = 20, 1_000
"""Batches listed by one command, without and with --limit."""

ATTEMPTS_MAX = 32_767
"""The range of the column."""

PROBLEMS = {
    SelectionProblem.UNKNOWN: "there is no such selection",
    SelectionProblem.OF_ANOTHER: "the selection was shown to a user over HTTP; select the payments here",
    SelectionProblem.USED: "the selection was used already",
    SelectionProblem.EXPIRED: "the selection has expired; select the payments again",
}

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ERROR = TextArgument(LAST_ERROR_LENGTH_MAX)
MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"])
ATTEMPTS = click.IntRange(0, ATTEMPTS_MAX)

FILTERS: dict[str, Any] = {
    "stuck": {"type": click.IntRange(0, STUCK_SECONDS_MAX), "help": "Stuck for so many seconds, instead of parked."},
    "type": {
        "type": click.Choice([one.value for one in PaymentType]),
        "multiple": True,
        "help": "Of this type; several are any of them.",
    },
    "state": {
        "type": click.Choice([one.value for one in State]),
        "multiple": True,
        "help": "In this state; several are any of them.",
    },
    "currency": {"type": CURRENCY, "help": "In this currency."},
    "created-from": {"type": MOMENT, "help": "Created at this time or later (UTC)."},
    "created-before": {"type": MOMENT, "help": "Created before this time (UTC)."},
    "attempts-min": {"type": ATTEMPTS, "help": "With at least so many attempts."},
    "attempts-max": {"type": ATTEMPTS, "help": "With at most so many attempts."},
    "error-prefix": {"type": ERROR, "help": "Whose last error begins so."},
    "error-contains": {"type": ERROR, "help": "Whose last error contains this."},
    "user": {"type": click.UUID, "help": "Ordered by this user."},
    "merchant": {"type": click.UUID, "help": "From or to an account of this user."},
    "account": {"type": click.UUID, "help": "From or to this account."},
    "wallet": {"type": WALLET, "help": "From or to the wallet of this token."},
    "bulk": {"type": click.UUID, "help": "Lines of this bulk."},
    "batch": {"type": click.UUID, "help": "In this batch."},
    "id": {"type": click.UUID, "multiple": True, "help": "This payment; several are any of them."},
}


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: the options of the filter."""
    for name, option in reversed(FILTERS.items()):
        command = click.option(f"--{name}", **option)(command)
    return command


@click.command("retry")
@filtered
@click.option("--limit", type=click.IntRange(1, RETRIES_MAX), help="Select the oldest so many.")
@click.option("--dry-run", is_flag=True, help="Only select them; without --selection that is all this command does.")
@click.option("--selection", type=click.UUID, help="Retry what was selected before.")
@click.option("--reason", type=TextArgument(audit.REASON_LENGTH_MAX), help="Why; stored in the audit log.")
@as_json
def retry(
    limit: int | None, dry_run: bool, selection: UUID | None, reason: str | None, as_json: bool, **options: Any
) -> None:
    """Select parked (or stuck) payments by a filter; with --selection and --reason retry exactly those."""
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    if selection is None:
        with transaction(process.engine()) as connection:
            found = selections.select(connection, None, filter_of(chosen), limit or RETRIES_MAX)
        batch_output.show_selection(found, as_json)
        return
    if chosen or limit or dry_run:
        raise click.UsageError("a selection is retried as it was shown: it takes no filter and no --dry-run")
    if reason is None:
        raise click.UsageError("say why, with --reason")
    id = str(uuid7())
    with transaction(process.engine()) as connection:
        problem = batch_queries.create(connection, id, str(selection), audit.SHELL, reason)
    if problem is not None:
        raise click.ClickException(PROBLEMS[problem])
    _ordered(id, as_json)


@click.command("batch")
@click.argument("batch_id", type=click.UUID)
@click.option("--watch", is_flag=True, help="Follow it until each of its payments is final, parked or skipped.")
@click.option(
    "--outcome",
    type=click.Choice([one.value for one in BatchOutcome]),
    multiple=True,
    help="List the payments of this outcome.",
)
@as_json
def batch(batch_id: UUID, watch: bool, outcome: tuple[str, ...], as_json: bool) -> None:
    """Show a batch: who ordered it and why, its filter, and what became of its payments."""
    found, outcomes = _read(str(batch_id))
    if watch:
        batch_output.watch(lambda: _read(found.id)[1], found.total)
        found, outcomes = _read(found.id)
    if not outcome:
        batch_output.show_batch(found, outcomes, as_json)
        return
    with transaction(process.engine()) as connection:
        rows = batch_queries.items(connection, found.total, batch_id=found.id, outcomes=outcome)
    batch_output.show_items(rows, as_json)


@click.command("batches")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=ROWS, show_default=True)
@as_json
def batches(limit: int, as_json: bool) -> None:
    """List batches, newest first."""
    with transaction(process.engine()) as connection:
        batch_output.show_batches(batch_queries.page(connection, limit), payment.clock(connection), as_json)


@click.command("stop-batch")
@click.argument("batch_id", type=click.UUID)
@reasoned
@dry
@as_json
def stop_batch(batch_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Stop a batch: the payments that are not due yet are skipped."""
    id = str(batch_id)
    _read(id)
    with tried(dry_run) as connection:
        if not batch_queries.stop(connection, id, audit.SHELL, reason):
            raise click.ClickException("it was stopped before, or each of its payments was retried or skipped")
    found, outcomes = _read(id)
    if dry_run:
        _say_possible(f"{found.waiting} payments would be skipped", as_json, skipped=found.waiting)
        return
    _ring()
    if as_json:
        batch_output.show_batch(found, outcomes, as_json)
    else:
        click.echo(f"stopped; flask ops batch {id}")


@click.command("retry-batch")
@click.argument("batch_id", type=click.UUID)
@reasoned
@dry
@as_json
def retry_batch(batch_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Make another batch of the payments of a batch that are parked: again, or still because it was stopped."""
    _read(str(batch_id))
    id = str(uuid7())
    with tried(dry_run) as connection:
        if not batch_queries.retry_parked(connection, id, str(batch_id), audit.SHELL, reason):
            raise click.ClickException("none of its payments is parked and in no other batch that waits")
        ordered = batch_queries.by_id(connection, id)
    if dry_run and ordered:
        _say_possible(f"{ordered.total} payments would be retried", as_json, total=ordered.total)
    else:
        _ordered(id, as_json)


COMMANDS = (retry, batch, batches, stop_batch, retry_batch)


MEMBERS = {"stuck": "stuck_seconds", "type": "types", "state": "states", "failure": "failures"}
"""Members of the filter by option, where their names differ."""


def filter_of(chosen: dict[str, Any]) -> StuckFilter:
    """The filter of these options."""
    members: dict[str, Any] = {}
    for name, value in chosen.items():
        if name == "id":
            members["ids"] = [str(id) for id in value]
        elif isinstance(value, UUID):
            members[f"{name}_id"] = str(value)
        elif isinstance(value, datetime):
            members[name] = value if value.tzinfo else value.replace(tzinfo=UTC)
        else:
            members[MEMBERS.get(name, name)] = value
    return StuckFilter(**members)


def _read(id: str) -> tuple[Batch, dict[str, int]]:
    """The batch, and the number of its payments by outcome."""
    with transaction(process.engine()) as connection:
        found = batch_queries.by_id(connection, id)
        if found is None:
            raise click.ClickException(f"there is no batch {id}")
        return found, batch_queries.outcomes(connection, id)


def _say_possible(text: str, as_json: bool, **members: int) -> None:
    click.echo(json.dumps({**members, "dry_run": True}) if as_json else f"dry run, nothing is stored: {text}")


def _ordered(id: str, as_json: bool) -> None:
    """Wake the worker, and show the new batch."""
    _ring()
    batch_output.show_batch(*_read(id), as_json)
    if not as_json:
        click.echo(f"flask ops batch {id} --watch shows how far it is", err=True)


def _ring() -> None:
    try:
        publish(task=CARRY_OUT)
    except BrokerUnavailable as error:
        click.echo(f"the broker is unavailable ({error}); the upkeep worker finds the batch within seconds", err=True)
