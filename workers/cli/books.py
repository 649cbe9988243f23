"""`flask books check`: checks the invariants about money over all data, with the worker's database role."""

import json
import sys
import time
from typing import NamedTuple

import click

from models import client_timeout, invariants
from models.session import transaction
from workers import process
from workers.cli.group import WorkerGroup

INVARIANT_SECONDS_MAX = 3600
"""Time limit of one invariant: it reads whole tables, so far longer than other statements of the workers may take."""

ROWS_MAX = 100
"""Rows shown of a violated invariant."""


class CheckedInvariant(NamedTuple):
    """An invariant, the duration of its query, and the first rows that violate it."""

    invariant: str
    seconds: float
    rows: list[dict[str, str | None]]
    has_more: bool


books_cli = WorkerGroup("books", help="Check the invariants about money (with the worker's database role).")


@books_cli.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(as_json: bool) -> None:
    """Check every invariant over all payments, operations and accounts; exit with 1 if one is violated.

    Reads only, from one snapshot; payments go on meanwhile.
    """
    count = len(invariants.INVARIANTS)
    report: list[CheckedInvariant] = []
    with client_timeout.at_most(INVARIANT_SECONDS_MAX + 2), transaction(process.engine()) as connection:
        invariants.read_one_moment(connection, INVARIANT_SECONDS_MAX)
        checked = invariants.sizes(connection)
        for number, name in enumerate(invariants.INVARIANTS, 1):
            _progress(f"{number} of {count}: {name}")
            began = time.monotonic()
            rows = invariants.broken(connection, name, ROWS_MAX + 1)
            seconds = round(time.monotonic() - began, 3)
            report.append(CheckedInvariant(name, seconds, rows[:ROWS_MAX], len(rows) > ROWS_MAX))
    _progress("")
    violated = [entry for entry in report if entry.rows]
    if as_json:
        entries = [entry._asdict() for entry in report]
        click.echo(json.dumps({"is_ok": not violated, "checked": checked, "invariants": entries}))
    else:
        for entry in violated:
            click.echo(f"BROKEN: {entry.invariant}")
            for row in entry.rows:
                click.echo("  " + ", ".join(f"{name}={value}" for name, value in row.items()))
            if entry.has_more:
                click.echo(f"  and more than these {ROWS_MAX}")
        sizes = ", ".join(f"{size} {name}" for name, size in checked.items())
        click.echo(f"{count - len(violated)} of {count} invariants hold over {sizes}")
    if violated:
        sys.exit(1)


def _progress(text: str) -> None:
    """Show on a terminal which invariant is being checked."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)
