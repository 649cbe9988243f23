"""`flask ops verify|checkpoint|breaches|acknowledge`: the books are verified and signed, breaches are acknowledged."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from models import audit, breach
from models.breach import Breach, KeptBreach
from models.session import transaction
from workers import auditor, process
from workers.auditor import Verified
from workers.cli import table
from workers.cli.arguments import reasoned
from workers.cli.dry_run import dry, tried
from workers.cli.payments import as_json, limited

VERIFY_SECONDS_MAX = 24 * 3600.0
"""Longer than what is new can take: a run by hand goes on until nothing remains."""


@click.command("verify")
@click.option("--full", is_flag=True, help="Everything, not only what is new since the last run.")
@as_json
def verify(full: bool, as_json: bool) -> None:
    """Verify the books as the auditor does every minute; exit with 1 if a row breaks an invariant.

    What is broken is recorded as a breach, and its wallets are frozen if AUDITOR_FREEZES_MAX is set. Payments go on
    meanwhile.
    """
    if not full:
        _report(auditor.run(process.engine(), VERIFY_SECONDS_MAX, freezes_max=process.freezes_max()), as_json)
        return
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        step = bar.add_task("")

        def progress(done: int, count: int, name: str) -> None:
            bar.update(step, completed=done, total=count, description=name)

        verified = auditor.run_full(process.engine(), progress, freezes_max=process.freezes_max())
    _report(verified, as_json)


@click.command("checkpoint")
@as_json
def sign(as_json: bool) -> None:
    """Verify what is new, and sign a checkpoint over the batches since the last one."""
    key = process.signing_key()
    if key is None:
        raise click.ClickException("RECEIPT_KEY is not set")
    verified = auditor.run(process.engine(), VERIFY_SECONDS_MAX, freezes_max=process.freezes_max())
    signed = auditor.sign(process.engine(), key)
    for one in signed:
        members = ("number", "first_batch", "last_batch", "key_id")
        text = f"checkpoint {one.number}: batches {one.first_batch} to {one.last_batch}, key {one.key_id}"
        click.echo(json.dumps({name: getattr(one, name) for name in members}) if as_json else text)
    if not signed and not as_json:
        click.echo("nothing to sign")
    if verified.found:
        raise click.ClickException(f"{len(verified.found)} breaches: flask ops breaches")


def _report(verified: Verified, as_json: bool) -> None:
    if as_json:
        body = {
            "is_ok": not verified.found,
            "events": verified.events,
            "batches": verified.batches,
            "payments": verified.payments,
            "breaches": [_found(one) for one in verified.found],
            "new": len(verified.new),
            "healed": verified.healed,
        }
        click.echo(json.dumps(body))
    else:
        for one in verified.found:
            click.echo(f"BROKEN: {one.invariant}: {one.subject}")
        for subject in verified.healed:
            click.echo(f"healed: {subject}")
        click.echo(
            f"{len(verified.found)} breaches in {verified.payments} payments, {verified.batches} batches,"
            f" {verified.events} events"
        )
    if verified.found:
        sys.exit(1)


def _found(one: Breach) -> dict[str, Any]:
    return {"invariant": one.invariant, "subject": one.subject, "details": one.details}


@click.command("breaches")
@click.option("--all", "every", is_flag=True, help="Also those that are healed or acknowledged.")
@limited
@as_json
def breaches(every: bool, limit: int, as_json: bool) -> None:
    """List the breaches that are neither healed nor acknowledged, newest first."""
    with transaction(process.engine()) as connection:
        rows = breach.page(connection, limit, is_open=None if every else True)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row._asdict(), default=_iso))
        return
    if not rows:
        click.echo("none")
        return
    header = ("breach", "found", "healed", "acknowledged by", "subject", "invariant")
    table.show(header, [_cells(row) for row in rows])


def _cells(row: KeptBreach) -> tuple[str, ...]:
    healed = _iso(row.healed_at) if row.healed_at else ""
    return (row.id, _iso(row.found_at), healed, row.acknowledged_by or "", row.subject, row.invariant)


@click.command("acknowledge")
@click.argument("breach_id", type=int)
@reasoned
@dry
@as_json
def acknowledge(breach_id: int, reason: str, dry_run: bool, as_json: bool) -> None:
    """Acknowledge a breach: it is known, and /status does not report it any more."""
    with tried(dry_run) as connection:
        is_new = breach.acknowledge(connection, str(breach_id), audit.SHELL, reason)
        known = breach.by_id(connection, str(breach_id))
        if known is None:
            raise click.ClickException(f"there is no breach {breach_id}")
    if as_json:
        click.echo(json.dumps(known._asdict(), default=_iso))
    elif not is_new:
        click.echo("acknowledged before")
    elif dry_run:
        click.echo("dry run, nothing is stored: acknowledged")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


COMMANDS = (verify, sign, breaches, acknowledge)
