"""`payments upload` and `export`: many lines, with a bar that shows how far they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from payments_client.cli.orders import filtering
from payments_client.cli.session import Session, as_json, show


def bar() -> Progress:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def read(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of JSON Lines or, by its name, CSV."""
    with file.open(newline="") as lines:
        if file.suffix == ".csv":
            for row in csv.DictReader(lines):
                yield {name: value for name, value in row.items() if value}
        else:
            yield from (json.loads(line) for line in lines if line.strip())


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bulk", "id", help="An open bulk; else one of charges is made. Give it to go on after a failure.")
@click.option("--kind", type=click.Choice(["charges", "transfers"]), default="charges", show_default=True)
@click.option("--currency", default="EUR", show_default=True, help="Of a new bulk of charges.")
@as_json
@click.pass_obj
def upload(session: Session, file: Path, id: str | None, kind: str, currency: str, is_json: bool) -> None:
    """Upload the lines of FILE, JSON Lines or CSV, into a bulk, and close it."""
    client = session.client
    if id is None and kind == "transfers":
        raise click.UsageError("give the --bulk of transfers that you have opened")
    if id is None:
        id = client.bulk_charges.create(currency=currency, charges=[], is_open=True).id
        click.echo(f"bulk {id}", err=True)
    bulks = client.bulk_charges if kind == "charges" else client.bulk_transfers
    with bar() as progress:
        task = progress.add_task("lines", total=sum(1 for _ in read(file)))
        done = bulks.upload(id, read(file), progress=lambda count: progress.update(task, completed=count))
    show(done, is_json)


@click.command()
@click.argument("file", type=click.File("w", lazy=True))
@filtering
@click.pass_obj
def export(session: Session, file: TextIO, filters: dict[str, Any]) -> None:
    """Write the payments that fit, up to 100,000, to FILE as JSON Lines; `-` is standard output."""
    with bar() as progress:
        task = progress.add_task("payments", total=None)
        for row in session.client.payments.list(**filters).export():
            file.write(f"{json.dumps(row.raw)}\n")
            progress.advance(task)


COMMANDS = (upload, export)
