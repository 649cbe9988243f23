"""`flask books check`: whether the invariants about money hold over everything. Runs in the worker's role."""

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
"""An invariant reads whole tables: far longer than a statement of the workers may take, but not for ever."""

ROWS_MAX = 100
"""Rows shown of a broken invariant."""


class CheckedInvariant(NamedTuple):
    """An invariant, how long its query took, and the first rows that break it."""

    invariant: str
    seconds: float
    rows: list[dict[str, str | None]]
    has_more: bool


books_cli = WorkerGroup("books", help="See whether the books are in order (as the worker).")


@books_cli.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(as_json: bool) -> None:
    """Check every invariant over all payments, operations and accounts; exit with 1 if one is broken.

    Reads only, all from one moment; payments go on meanwhile.
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
    found = [one for one in report if one.rows]
    if as_json:
        told = [one._asdict() for one in report]
        click.echo(json.dumps({"is_ok": not found, "checked": checked, "invariants": told}))
    else:
        for one in found:
            click.echo(f"BROKEN: {one.invariant}")
            for row in one.rows:
                click.echo("  " + ", ".join(f"{name}={value}" for name, value in row.items()))
            if one.has_more:
                click.echo(f"  and more than these {ROWS_MAX}")
        sizes = ", ".join(f"{size} {name}" for name, size in checked.items())
        click.echo(f"{count - len(found)} of {count} invariants hold over {sizes}")
    if found:
        sys.exit(1)


def _progress(text: str) -> None:
    """Which invariant is being checked, on one line of a terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)
