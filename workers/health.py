"""`flask workers alive`: whether the workers take and end their tasks, for health checks. Runs in the worker's role."""

import socket

import click

from models import heartbeat
from models.session import transaction
from workers import runtime
from workers.group import WorkerGroup

workers_cli = WorkerGroup("workers", help="See whether the workers work (as the worker).")


@workers_cli.command("alive")
@click.argument("name", required=False)
def alive(name: str | None) -> None:
    """Exit with 0 if worker NAME has a fresh heartbeat, or any worker if no NAME is given; else with 1.

    NAME is posting or upkeep for that worker on this host, or a whole name such as posting@host.
    """
    with transaction(runtime.engine()) as connection:
        workers = heartbeat.everyone(connection)
    if name is not None:
        wanted = name if "@" in name else f"{name}@{socket.gethostname()}"
        workers = [worker for worker in workers if worker.name == wanted]
    for worker in workers:
        click.echo(f"{worker.name} was seen {worker.age_seconds:.0f} s ago")
    if not any(worker.is_fresh for worker in workers):
        raise click.ClickException(f"no heartbeat of {name or 'any worker'} within {heartbeat.STALE_SECONDS:.0f} s")
