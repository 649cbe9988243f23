"""`flask ops accounts`: balances now and at a time; `flask ops audit`: the audit log, as a table, CSV or JSON Lines."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click

from models import audit, ops_account
from models.audit import AuditEntry
from models.keyset import START, Cursor
from models.ops_account import CODES
from models.rules.money import render
from models.rules.spreadsheet import cell, written
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import CURRENCY, TextArgument
from workers.cli.ops_batches import MOMENT

ROWS_MAX = 1_000
"""Most accounts listed by one command."""

ENTRIES_MAX = 100_000
"""Most entries of one file, as over HTTP; --created-before continues."""

PAGE_ROWS = 500
"""Entries read at once: a file is written while it is read."""

TEXT = TextArgument(255)
RESOLUTION = timedelta(microseconds=1)


@click.command("accounts")
@click.option("--code", type=click.Choice(CODES), multiple=True, help="Technical accounts of this code; default: all.")
@click.option("--owner", type=click.UUID, help="The wallets of this user instead.")
@click.option("--currency", type=CURRENCY, help="In this currency.")
@click.option("--at", "moment", type=MOMENT, help="Also the balance at this time (UTC).")
@click.option("--moved", "has_moved", is_flag=True, help="Only accounts that something moved on.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def accounts(
    code: tuple[str, ...],
    owner: UUID | None,
    currency: str | None,
    moment: datetime | None,
    has_moved: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List technical accounts, or the wallets of a user, with balance, held and available."""
    if owner and code:
        raise click.UsageError("a technical account has no owner")
    owner_id = str(owner) if owner else None
    codes = None if owner else list(code or CODES)
    before = None if moment is None else _utc(moment) + RESOLUTION
    with transaction(process.engine()) as connection:
        rows = ops_account.page(
            connection,
            limit,
            codes=codes,
            currency=currency,
            is_active=None,
            before=before,
            owner_id=owner_id,
            has_moved=has_moved,
        )
    if as_json:
        for row in rows:
            click.echo(json.dumps(ops_account.body(row)))
    elif rows:
        header = ("account", "of", "currency", "balance", "held", "available", "balance then")
        table.show(header[: None if moment else -1], [_cells(row)[: None if moment else -1] for row in rows])
    else:
        click.echo("none")


def _cells(row: ops_account.OpsAccount) -> tuple[str, ...]:
    amounts = (row.balance, row.held, row.balance - row.held, row.balance_before or 0)
    return row.id, row.code or f"...{row.last4}", row.currency, *(render(amount, row.digits) for amount in amounts)


@click.command("audit")
@click.option("--actor", type=TEXT, help="A user's id, shell or worker.")
@click.option("--target", type=TEXT, help="The id of what it was done to.")
@click.option("--action", type=TEXT, help="What was done, such as payments.retry.")
@click.option("--request-id", type=TEXT, help="The id of the request.")
@click.option("--created-from", type=MOMENT, help="At this time or later (UTC).")
@click.option("--created-before", type=MOMENT, help="Before this time (UTC).")
@click.option("--limit", type=click.IntRange(1, ENTRIES_MAX), help="At most so many; default: 20, of a file all.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
@click.option("--json", "form", flag_value="json", help="Print one JSON object per line.")
def list_audit(form: str | None, limit: int | None, **options: str | datetime | None) -> None:
    """List the audit log, newest first; or print it as a file of at most 100,000 entries."""
    filters = {name: _utc(value) if isinstance(value, datetime) else value for name, value in options.items()}
    pages = _pages(filters, limit or (ENTRIES_MAX if form else 20))
    if form == "csv":
        click.echo(written([AuditEntry._fields]), nl=False)
        for page in pages:
            click.echo(written([cell(value) for value in audit.body(row).values()] for row in page), nl=False)
    elif form == "json":
        for page in pages:
            for row in page:
                click.echo(json.dumps(audit.body(row)))
    else:
        rows = [row for page in pages for row in page]
        header = ("entry", "at", "actor", "action", "target", "reason")
        cells = [(row.id, _second(row.created_at), row.actor, row.action, row.target, row.reason or "") for row in rows]
        table.show(header, cells) if rows else click.echo("none")


def _pages(filters: dict[str, str | datetime | None], left: int) -> Iterator[list[AuditEntry]]:
    """The entries, each page read in a transaction of its own."""
    at = START
    while left:
        wanted = min(PAGE_ROWS, left)
        with transaction(process.engine()) as connection:
            rows = audit.page(connection, wanted, at, **filters)  # type: ignore[arg-type]
        yield rows
        if len(rows) < wanted:
            return
        left, at = left - wanted, Cursor(before=rows[-1].id)


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


COMMANDS = (accounts, list_audit)
