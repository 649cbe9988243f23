"""`flask workers alive`: reports problems of the workers and their queues, with the worker's database role."""

import json
import socket
from typing import Any

import click

import bell
import settings
from celery_config import QUEUE_OF_KIND
from models import health, heartbeat, worker_view
from models.health import KINDS
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument
from workers.cli.group import WorkerGroup

NAME_LENGTH_MAX = 255
"""Length of a worker's name, as in the column of its heartbeats."""

workers_cli = WorkerGroup("workers", help="Check the workers (with the worker's database role).")


@workers_cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_workers(as_json: bool) -> None:
    """List the workers and their queues, who posts now, and the newest posted batches."""
    depths = bell.depths(settings.load().broker_url)
    with transaction(process.engine()) as connection:
        body = worker_view.body(worker_view.view(connection), depths, QUEUE_OF_KIND)
    if as_json:
        click.echo(json.dumps(body))
        return
    for name in ("workers", "queues", "posters", "batches"):
        rows: list[dict[str, Any]] = body[name]
        if rows:
            columns = list(rows[0])
            cells = [["" if row[column] is None else str(row[column]) for column in columns] for row in rows]
            table.show([column.replace("_", " ") for column in columns], cells)
            click.echo()


@workers_cli.command("alive")
@click.argument("name", type=TextArgument(NAME_LENGTH_MAX), required=False)
def alive(name: str | None) -> None:
    """Exit with 1 if worker NAME has no recent heartbeat; without NAME, if there is any problem, and print its remedy.

    NAME is posting, upkeep, rails or webhooks for that worker on this host, a full name such as posting@host, or beat.
    """
    if name is None:
        _check_all()
    else:
        _check_one(name)


def _check_all() -> None:
    broker_is_up = bell.is_broker_up(settings.load().broker_url)
    with transaction(process.engine()) as connection:
        report = health.report(connection, broker_is_up=broker_is_up)
    for worker in report.workers:
        received = (
            "never received a message"
            if worker.heard_seconds is None
            else f"received one {table.ago(worker.heard_seconds)}"
        )
        click.echo(f"{worker.name} was seen {table.ago(worker.age_seconds)}, {received}")
    for pause in report.pauses:
        scope = pause.type or pause.merchant_id or pause.currency or pause.rail
        click.echo(f"{scope} is paused: {pause.reason}; flask ops pauses")
    for problem in report.problems:
        click.echo(f"{problem.code}: {problem.detail}; {problem.command}", err=True)
    if report.problems:
        raise click.ClickException(f"{report.status}: {', '.join(problem.code for problem in report.problems)}")


def _check_one(name: str) -> None:
    full_name = name if "@" in name or name == heartbeat.BEAT else f"{name}@{socket.gethostname()}"
    with transaction(process.engine()) as connection:
        seen = next((beat for beat in heartbeat.recent(connection) if beat.name == full_name), None)
    if seen is not None:
        click.echo(f"{seen.name} was seen {table.ago(seen.age_seconds)}")
    if seen is None or not seen.is_fresh:
        kind = heartbeat.kind_of(full_name)
        code = "beat_silent" if kind == heartbeat.BEAT else f"{kind}_stale"
        helps = f"; {code}: {KINDS[code].command}" if code in KINDS else ""
        raise click.ClickException(f"no heartbeat of {name} within {heartbeat.STALE_SECONDS:.0f} s{helps}")
