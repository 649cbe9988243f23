"""`flask payments explain|watch`: why a payment waits and what would help, and following it until it is final."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import click

import bell
import settings
from models import payment_explanation, payment_timeline, payment_view
from models.payment_explanation import PaymentExplanation
from models.payment_list import Viewer
from models.payment_timeline import Step, TimelineEntry
from models.payment_view import PaymentView
from models.rules.money import render
from models.rules.state import State
from models.rules.waiting import span
from models.session import statements
from workers import process
from workers.cli import table

SYSTEM = Viewer(reads_all=True)

LOOK_SECONDS = 0.5
"""Between two looks at a payment: soon enough for a person, and no load for the database."""

WATCH_SECONDS, WATCH_SECONDS_MAX = 3_600, 7 * 24 * 3_600
"""How long a payment is followed without and with --timeout: a bank may take days."""

EXIT_STATUS = {State.COMPLETED: 0, State.FAILED: 3}
NOT_FINAL_STATUS = 4
INTERRUPTED_STATUS = 130
"""As a shell reports Ctrl-C."""

payment = click.argument("payment_id", type=click.UUID)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("explain")
@payment
@as_json
def explain(payment_id: UUID, as_json: bool) -> None:
    """Say why a payment waits, and what would help: steps, errors, locks, the next try, and who is alive."""
    broker_is_up = bell.is_broker_up(settings.load().broker_url)
    with statements(process.engine()) as connection:
        explained = payment_explanation.of_payment(connection, str(payment_id), broker_is_up=broker_is_up)
    if explained is None:
        raise _unknown(payment_id)
    if as_json:
        click.echo(json.dumps(payment_explanation.body(explained, SYSTEM)))
        return
    _print(explained)


def _print(explained: PaymentExplanation) -> None:
    view, now = explained.view, explained.at
    click.echo(f"payment   {view.id}")
    click.echo(f"is a      {view.type} of {render(view.amount, view.digits)} {view.currency}, {view.state}")
    click.echo(f"accepted  {table.ago((now - view.created_at).total_seconds())}")
    if explained.next_attempt_at is not None:
        click.echo(f"next try  {table.ago((now - explained.next_attempt_at).total_seconds())}")
    if not explained.causes:
        click.echo("\nIt is final: it waits for nothing.")
    for cause in explained.causes:
        click.echo(f"\n{cause.code}: {cause.detail}\n  {cause.help}")
        if cause.command:
            click.echo(f"  {cause.command}")
    click.echo()
    if explained.locks:
        locks = [(lock.row, str(lock.pid), lock.role, lock.application) for lock in explained.locks]
        table.show(("locked", "process", "role", "application"), locks)
        click.echo()
    workers = [
        (worker.name, table.ago(worker.age_seconds), "receives messages" if worker.hears else "receives no messages")
        for worker in explained.workers
    ]
    table.show(("alive", "seen", "broker"), workers or [("nobody", "within the last hour", "")])
    click.echo()
    table.show(("time", "step", "by", "what"), [_cells(entry) for entry in explained.timeline])


@click.command("watch")
@payment
@click.option(
    "--timeout",
    "seconds",
    type=click.IntRange(0, WATCH_SECONDS_MAX),
    default=WATCH_SECONDS,
    show_default=True,
    help="Seconds after which to give up.",
)
@as_json
def watch(payment_id: UUID, seconds: int, as_json: bool) -> None:
    """Follow a payment and print each of its steps, until it is final.

    Exits with 0 if it is COMPLETED, with 3 if it FAILED, with 4 if it is not final in time, with 130 after Ctrl-C.
    """
    deadline = time.monotonic() + seconds
    try:
        view = _follow(payment_id, deadline, as_json)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED_STATUS) from None
    outcome = view.failure_code or view.state
    if as_json:
        click.echo(json.dumps({"payment": view.id, "state": view.state, "failure": view.failure_code}))
    elif State(view.state).is_final:
        click.echo(f"{view.state}: {outcome}" if view.failure_code else view.state)
    else:
        click.echo(f"{view.state} after {span(seconds)}: flask payments explain {view.id}", err=True)
    raise SystemExit(EXIT_STATUS.get(State(view.state), NOT_FINAL_STATUS))


def _follow(payment_id: UUID, deadline: float, as_json: bool) -> PaymentView:
    """Print steps as they are taken, until the payment is final or the time is over; returns it as it is then."""
    seen: set[TimelineEntry] = set()
    while True:
        with statements(process.engine()) as connection:
            view = payment_view.by_id(connection, str(payment_id))
            if view is None:
                raise _unknown(payment_id)
            entries = payment_timeline.of_payment(connection, view)
        for line in new_lines(entries, view, seen, as_json):
            click.echo(line)
        if State(view.state).is_final or time.monotonic() >= deadline:
            return view
        time.sleep(min(LOOK_SECONDS, max(deadline - time.monotonic(), 0)))


def new_lines(
    entries: list[TimelineEntry], view: PaymentView, seen: set[TimelineEntry], as_json: bool = False
) -> Iterator[str]:
    """Lines for the steps that are new; the final one waits for a payment that was read when it was final."""
    bodies: list[dict[str, Any]] = payment_timeline.bodies(entries, view, SYSTEM)
    for entry, body in zip(entries, bodies, strict=True):
        is_early = entry.step in (Step.COMPLETED, Step.FAILED) and not State(view.state).is_final
        if entry not in seen and not is_early:
            seen.add(entry)
            yield json.dumps(body) if as_json else table.line(*_cells(entry))


def _cells(entry: TimelineEntry) -> tuple[str, str, str, str]:
    what = (entry.outcome, entry.text, entry.payment_id)
    return table.moment(entry.at), entry.step, entry.actor, " ".join(filter(None, what))


def _unknown(payment_id: UUID) -> click.ClickException:
    return click.ClickException(f"there is no payment {payment_id}")


COMMANDS = (explain, watch)
