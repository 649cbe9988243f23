"""`flask workers alive`: what is wrong with the workers, and with what they do. Runs in the worker's role."""

import socket

import click

import celery_config
import settings
from models import health, heartbeat
from models.health import KINDS
from models.session import transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import Words
from workers.cli.group import WorkerGroup

NAME_LENGTH_MAX = 255
"""Of a worker, as the column of its heartbeats has it."""

workers_cli = WorkerGroup("workers", help="See whether the workers work (as the worker).")


@workers_cli.command("alive")
@click.argument("name", type=Words(NAME_LENGTH_MAX), required=False)
def alive(name: str | None) -> None:
    """Exit with 1 if worker NAME has no fresh heartbeat; without NAME, if anything is wrong, and say what helps.

    NAME is posting, upkeep, rails or webhooks for that worker on this host, a whole name such as posting@host, or beat.
    """
    if name is None:
        _tell_all()
    else:
        _tell_one(name)


def _tell_all() -> None:
    broker_is_up = celery_config.is_broker_up(settings.load().redis_url)
    with transaction(process.engine()) as connection:
        report = health.report(connection, broker_is_up=broker_is_up)
    for worker in report.workers:
        heard = (
            "never heard a message" if worker.heard_seconds is None else f"heard one {table.ago(worker.heard_seconds)}"
        )
        click.echo(f"{worker.name} was seen {table.ago(worker.age_seconds)}, {heard}")
    for problem in report.problems:
        click.echo(f"{problem.code}: {problem.detail}; {problem.command}", err=True)
    if report.problems:
        raise click.ClickException(f"{report.status}: {', '.join(problem.code for problem in report.problems)}")


def _tell_one(name: str) -> None:
    wanted = name if "@" in name or name == heartbeat.BEAT else f"{name}@{socket.gethostname()}"
    with transaction(process.engine()) as connection:
        seen = next((one for one in heartbeat.everyone(connection) if one.name == wanted), None)
    if seen is not None:
        click.echo(f"{seen.name} was seen {table.ago(seen.age_seconds)}")
    if seen is None or not seen.is_fresh:
        kind = heartbeat.kind_of(wanted)
        code = "beat_silent" if kind == heartbeat.BEAT else f"{kind}_stale"
        helps = f"; {code}: {KINDS[code].command}" if code in KINDS else ""
        raise click.ClickException(f"no heartbeat of {name} within {heartbeat.STALE_SECONDS:.0f} s{helps}")
