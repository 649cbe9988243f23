"""`flask ops`: what ops users do about one payment, by the same functions as over HTTP, in the name of the shell."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from bell import BrokerUnavailable, publish
from celery_config import INSTRUCT, POST
from models import payment_action, payment_view, resolution
from models.audit import REASON_LENGTH_MAX, SHELL
from models.resolution import Evidence, Resolution, ResolutionOutcome, ResolutionState
from models.rules import money, ops_actions
from models.rules.money import MoneyError
from models.rules.ops_actions import DETAILS, OpsAction, PaymentFacts, Refusal
from models.session import Connection, transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import AMOUNT, TextArgument, reasoned
from workers.cli.dry_run import dry as undone
from workers.cli.dry_run import tried

BANK_REFERENCE_LENGTH_MAX = 100
"""As over HTTP."""

ROWS_MAX = 1_000
"""Most resolutions listed by one command."""

payment = click.argument("payment_id", type=click.UUID)
dry = click.option("--dry-run", is_flag=True, help="Only say whether it is possible now, by the same rule.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _acts(action: OpsAction) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: the function is the command of this action, with the options that all of them have."""

    def decorator(function: Callable[..., Any]) -> click.Command:
        return click.command(action.value)(payment(reasoned(dry(as_json(function)))))

    return decorator


@_acts(OpsAction.CANCEL)
def cancel(payment_id: UUID, **options: Any) -> None:
    """Cancel a payment that is still INITIATED, parked or not."""
    _order(OpsAction.CANCEL, payment_id, **options)


@_acts(OpsAction.FAIL)
def fail(payment_id: UUID, **options: Any) -> None:
    """Give up a payment of which no bank knows; what it holds is released."""
    _order(OpsAction.FAIL, payment_id, **options)


@_acts(OpsAction.VOID)
def void(payment_id: UUID, **options: Any) -> None:
    """Release the hold of a charge for its merchant."""
    _order(OpsAction.VOID, payment_id, **options)


@_acts(OpsAction.CAPTURE)
@click.option("--amount", type=AMOUNT, help="A decimal; the full hold by default.")
def capture(payment_id: UUID, amount: str | None, **options: Any) -> None:
    """Capture a charge for its merchant, in full or in part."""
    _order(OpsAction.CAPTURE, payment_id, amount=amount, **options)


@_acts(OpsAction.ASK)
def ask(payment_id: UUID, **options: Any) -> None:
    """Ask the bank about a payout now; GET /v1/ops/payments/{id} shows its answer."""
    _order(OpsAction.ASK, payment_id, task=INSTRUCT, **options)


@_acts(OpsAction.RESOLVE)
@click.option("--outcome", type=click.Choice([outcome.value for outcome in ResolutionOutcome]), required=True)
@click.option("--bank-reference", type=TextArgument(BANK_REFERENCE_LENGTH_MAX), help="Required for paid.")
@click.option("--value-date", type=click.DateTime(["%Y-%m-%d"]), help="Required for paid.")
def resolve(
    payment_id: UUID,
    outcome: str,
    bank_reference: str | None,
    value_date: datetime | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Propose what the bank did with a parked payout; an ops user approves it over HTTP."""
    if outcome == ResolutionOutcome.PAID and not (bank_reference and value_date):
        raise click.UsageError("paid needs --bank-reference and --value-date")
    with transaction(process.engine()) as connection:
        facts = _facts(connection, payment_id)
        if dry_run:
            _say_possible(OpsAction.RESOLVE, payment_id, facts, as_json)
            return
        evidence = Evidence(outcome, bank_reference, value_date and value_date.date())
        proposed = resolution.propose(connection, str(payment_id), evidence, SHELL, reason)
    if isinstance(proposed, Refusal):
        raise _refused(proposed)
    _say(as_json, f"proposed: resolution {proposed.id} waits for another ops user", **_plain(proposed))


@click.command("approve")
@click.argument("resolution_id", type=click.UUID)
@click.option("--reason", type=TextArgument(REASON_LENGTH_MAX), help="Why; stored in the audit log.")
@undone
@as_json
def approve(resolution_id: UUID, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Approve a resolution that an ops user proposed over HTTP; a worker judges it again and executes it."""
    with tried(dry_run) as connection:
        proposed = _resolution(connection, resolution_id)
        if proposed.proposed_by == SHELL.name:
            raise click.ClickException(
                "own_resolution: it was proposed on the shell; an ops user approves it over HTTP"
            )
        decided = resolution.approve(connection, proposed, SHELL, reason)
    if decided is None:
        raise click.ClickException("resolution_decided: it was approved or rejected already")
    if not dry_run:
        ring(POST)
    _say(as_json, f"{_would(dry_run)}approved: a worker executes {resolution_id}", **_plain(decided.resolution))


@click.command("reject")
@click.argument("resolution_id", type=click.UUID)
@reasoned
@undone
@as_json
def reject(resolution_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Reject a resolution, or withdraw one that was proposed on the shell."""
    with tried(dry_run) as connection:
        decided = resolution.reject(connection, _resolution(connection, resolution_id), SHELL, reason)
    if decided is None:
        raise click.ClickException("resolution_decided: it was approved or rejected already")
    _say(as_json, f"{_would(dry_run)}rejected: {resolution_id}", **_plain(decided.resolution))


@click.command("resolutions")
@click.option("--state", "states", type=click.Choice([state.value for state in ResolutionState]), multiple=True)
@click.option("--payment", "payment_id", type=click.UUID, help="Those of this payment.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def resolutions(states: tuple[str, ...], payment_id: UUID | None, limit: int, as_json: bool) -> None:
    """List resolutions, newest first; those in the state "proposed" wait for another ops user."""
    of_payment = None if payment_id is None else str(payment_id)
    with transaction(process.engine()) as connection:
        rows = resolution.page(connection, limit, states=states or None, payment_id=of_payment)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_plain(row), default=str))
    elif rows:
        header = ("resolution", "payment", "state", "outcome", "proposed by", "proposed at", "reason")
        names = ("id", "payment_id", "state", "outcome", "proposed_by")
        cells = [(*(getattr(row, name) for name in names), table.moment(row.created_at), row.reason) for row in rows]
        table.show(header, cells)
    else:
        click.echo("none")


COMMANDS = (cancel, fail, capture, void, ask, resolve, approve, reject, resolutions)


def _order(
    action: OpsAction,
    payment_id: UUID,
    reason: str,
    dry_run: bool,
    as_json: bool,
    amount: str | None = None,
    task: str = POST,
) -> None:
    with transaction(process.engine()) as connection:
        facts = _facts(connection, payment_id)
        minor = None if amount is None else _minor(connection, str(payment_id), amount)
        if dry_run:
            _say_possible(action, payment_id, facts, as_json)
            return
        refused = payment_action.order(connection, action, str(payment_id), SHELL, reason, minor)
    if refused is not None:
        raise _refused(refused)
    ring(task)
    _say(as_json, f"ordered: {action} of {payment_id}", payment=str(payment_id), action=action, ordered=True)


def _facts(connection: Connection, payment_id: UUID) -> PaymentFacts:
    facts = payment_action.facts(connection, [str(payment_id)]).get(str(payment_id))
    if facts is None:
        raise click.ClickException(f"there is no payment {payment_id}")
    return facts


def _minor(connection: Connection, payment_id: str, amount: str) -> int:
    """The amount in minor units of the payment's currency, at most what is held."""
    view = payment_view.by_id(connection, payment_id)
    try:
        minor = money.parse(amount, view.digits) if view else 0
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from error
    if view and not 0 < minor <= view.amount:
        raise click.BadParameter("more than nothing, and at most what is held", param_hint="--amount")
    return minor


def _say_possible(action: OpsAction, payment_id: UUID, facts: PaymentFacts, as_json: bool) -> None:
    """Say what the call would do; exit with 1 if it would be refused."""
    refused = ops_actions.refusal(action, facts)
    others = ops_actions.possible(facts)
    text = f"possible: {action} of {payment_id}" if refused is None else f"{refused}: {DETAILS[refused]}"
    _say(as_json, text, payment=str(payment_id), action=action, refusal=refused, actions=others)
    if refused is not None:
        raise SystemExit(1)


def _refused(refused: Refusal) -> click.ClickException:
    return click.ClickException(f"{refused}: {DETAILS[refused]}")


def _resolution(connection: Connection, id: UUID) -> Resolution:
    found = resolution.by_id(connection, str(id))
    if found is None:
        raise click.ClickException(f"there is no resolution {id}")
    return found


def _plain(found: Resolution) -> dict[str, Any]:
    return {**found._asdict(), "is_contradicted": found.is_contradicted}


def _would(dry_run: bool) -> str:
    return "dry run, nothing is stored: " if dry_run else ""


def _say(as_json: bool, text: str, **members: Any) -> None:
    click.echo(json.dumps(members, default=str) if as_json else text)


def ring(task: str) -> None:
    """Wake the workers of the task; without a broker the timetable finds the order."""
    try:
        publish(task=task)
    except BrokerUnavailable as error:
        click.echo(f"the broker is away ({error}); the timetable finds it", err=True)
