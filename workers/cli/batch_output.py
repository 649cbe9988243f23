"""What the commands about selections and batches print: tables and a progress bar, or JSON."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from models.batch import Batch, BatchItem, BatchOutcome
from models.rules.money import render
from models.selection import Selection
from workers.cli import table

WATCH_SECONDS = 0.5
"""Between two looks at a batch: counting 10,000 payments takes a fraction of it."""

UNFINISHED = (BatchOutcome.WAITING, BatchOutcome.RETRIED)
"""Outcomes that change by themselves."""


def show_selection(found: Selection, as_json: bool) -> None:
    """Print what was selected, and the command that retries it."""
    if as_json:
        body = {
            "selection": found.id,
            "expires_at": found.expires_at,
            "count": found.number,
            "has_more": found.has_more,
            "totals": [
                {"currency": total.currency, "count": total.number, "amount": render(total.amount, total.digits)}
                for total in found.totals
            ],
            "oldest_created_at": found.oldest_created_at,
            "errors": [{"error": entry.error, "count": entry.number} for entry in found.errors],
            "payments": [row.id for row in found.payments],
        }
        click.echo(json.dumps(body, default=_iso))
        return
    click.echo(f"{found.number} payments{', and there are more' if found.has_more else ''}")
    if found.id is None or found.oldest_created_at is None or found.expires_at is None:
        return
    click.echo(f"the oldest of {_iso(found.oldest_created_at)}\n")
    totals = [(str(total.number), total.currency, render(total.amount, total.digits)) for total in found.totals]
    table.show(("payments", "currency", "amount"), totals)
    click.echo()
    errors = [(str(entry.number), entry.error or "not tried yet") for entry in found.errors]
    table.show(("payments", "last error"), errors)
    click.echo(f"\nuntil {_iso(found.expires_at)}: flask ops retry --selection {found.id} --reason WHY")


def show_batch(batch: Batch, outcomes: dict[str, int], as_json: bool) -> None:
    """Print a batch and what became of its payments."""
    if as_json:
        click.echo(json.dumps({**_body(batch), "outcomes": outcomes}, default=_iso))
        return
    lines = {
        "batch": batch.id,
        "state": batch.state,
        "ordered by": batch.user_id or "shell",
        "ordered at": _iso(batch.created_at),
        "reason": batch.reason,
        "filter": json.dumps(batch.filter),
        "stopped by": batch.stopped_at and (batch.stopped_by or "shell"),
        "stopped for": batch.stop_reason,
        "payments": str(batch.total),
        **{f"  {outcome}": str(count) for outcome, count in outcomes.items() if count},
    }
    for name, value in lines.items():
        if value:
            click.echo(f"{name:12} {value}")


def show_batches(batches: Sequence[Batch], now: datetime, as_json: bool) -> None:
    """Print a list of batches."""
    if as_json:
        for batch in batches:
            click.echo(json.dumps(_body(batch), default=_iso))
        return
    header = ("batch", "state", "payments", "waiting", "retried", "skipped", "ordered", "reason")
    cells = [
        (
            *(batch.id, batch.state, *map(str, (batch.total, batch.waiting, batch.retried, batch.skipped))),
            *(table.ago((now - batch.created_at).total_seconds()), batch.reason),
        )
        for batch in batches
    ]
    table.show(header, cells)


def show_items(items: Sequence[BatchItem], as_json: bool) -> None:
    """Print payments of a batch and their outcomes."""
    if as_json:
        for item in items:
            fields = item._asdict() | {"amount": render(item.amount, item.digits)}
            del fields["digits"]
            click.echo(json.dumps(fields, default=_iso))
        return
    header = ("payment", "type", "amount", "outcome", "why")
    cells = [
        (
            *(item.id, item.type, f"{render(item.amount, item.digits)} {item.currency}", item.outcome),
            _cause(item) or "",
        )
        for item in items
    ]
    table.show(header, cells)


def _cause(item: BatchItem) -> str | None:
    error = item.last_error if item.outcome == BatchOutcome.PARKED else None
    return item.skip_reason or item.failure_code or error


def watch(read: Callable[[], dict[str, int]], total: int) -> None:
    """Show on a terminal how many payments are final, parked or skipped, until all are; `read` counts outcomes."""
    finished = 0
    progress = click.progressbar(length=total, label="retried", show_pos=True, file=sys.stderr)
    with progress as bar:
        while finished < total:
            outcomes = read()
            before, finished = finished, total - sum(outcomes[outcome] for outcome in UNFINISHED)
            bar.update(finished - before)
            if finished < total:
                time.sleep(WATCH_SECONDS)


def _body(batch: Batch) -> dict[str, Any]:
    hidden = ("token_id", "address", "request_id", "selected_at")
    fields = {name: value for name, value in batch._asdict().items() if name not in hidden}
    return {**fields, "state": batch.state, "waiting": batch.waiting}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
