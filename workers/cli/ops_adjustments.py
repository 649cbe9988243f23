"""`flask ops adjustments|adjust|approve-adjustment|reject-adjustment`: corrections of a balance by two of ops."""

import json
from uuid import UUID

import click
from uuid_utils import uuid7

from celery_config import POST
from models import account, adjustment, currency
from models.account import Wallet
from models.adjustment import Adjustment, AdjustmentState, DecidedAdjustment, Proposal
from models.audit import REASON_LENGTH_MAX, SHELL
from models.rules import money
from models.rules.money import MoneyError, render
from models.session import Connection, transaction
from workers import process
from workers.cli import table
from workers.cli.arguments import AMOUNT, CURRENCY, WALLET_OR_ID, TextArgument, reasoned
from workers.cli.dry_run import dry, tried
from workers.cli.ops_actions import ring

ROWS_MAX = 1_000
"""Most adjustments listed by one command."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("adjustments")
@click.option("--state", "states", type=click.Choice([state.value for state in AdjustmentState]), multiple=True)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def adjustments(states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List adjustments, newest first; those in the state "proposed" wait for another of ops."""
    with transaction(process.engine()) as connection:
        rows = adjustment.page(connection, limit, states=list(states))
    if as_json:
        for row in rows:
            click.echo(json.dumps(adjustment.body(row)))
    elif rows:
        header = ("adjustment", "account", "state", "direction", "amount", "proposed by", "proposed at", "reason")
        table.show(header, [_cells(row) for row in rows])
    else:
        click.echo("none")


def _cells(row: Adjustment) -> tuple[str, ...]:
    amount = f"{render(row.amount, row.digits)} {row.currency}"
    by = row.proposed_by or SHELL.name
    return row.id, row.account_id, row.state, row.direction, amount, by, table.moment(row.created_at), row.reason


@click.command("adjust")
@click.argument("wallet_or_id", metavar="WALLET", type=WALLET_OR_ID)
@click.argument("direction", type=click.Choice(["credit", "debit"]))
@click.argument("amount", type=AMOUNT)
@click.argument("code", metavar="CURRENCY", type=CURRENCY)
@reasoned
@dry
@as_json
def adjust(
    wallet_or_id: str, direction: str, amount: str, code: str, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Propose to credit or debit a WALLET, by its token or account id; an ops user approves it over HTTP."""
    with tried(dry_run) as connection:
        wallet = _wallet(connection, wallet_or_id)
        minor = _minor(connection, amount, code, wallet)
        proposal = Proposal(wallet.id, direction, minor, code, reason)
        proposed = adjustment.propose(connection, str(uuid7()), proposal, SHELL)
    _say(f"proposed: adjustment {proposed.id} waits for an ops user", proposed, dry_run, as_json)


@click.command("approve-adjustment")
@click.argument("adjustment_id", type=click.UUID)
@click.option("--reason", type=TextArgument(REASON_LENGTH_MAX), help="Why; stored in the audit log.")
@dry
@as_json
def approve(adjustment_id: UUID, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Approve an adjustment that an ops user proposed over HTTP; its payment is ordered in the proposer's name."""
    with tried(dry_run) as connection:
        proposed = _known(connection, adjustment_id)
        if proposed.proposed_by is None:
            raise click.ClickException(
                "own_adjustment: it was proposed on the shell; an ops user approves it over HTTP"
            )
        approved = _decided(adjustment.approve(connection, proposed, SHELL, reason))
    if not dry_run:
        ring(POST)
    _say(f"approved: payment {approved.payment_id} is ordered", approved, dry_run, as_json)


@click.command("reject-adjustment")
@click.argument("adjustment_id", type=click.UUID)
@reasoned
@dry
@as_json
def reject(adjustment_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Reject an adjustment, or withdraw one that was proposed on the shell."""
    with tried(dry_run) as connection:
        rejected = _decided(adjustment.reject(connection, _known(connection, adjustment_id), SHELL, reason))
    _say(f"rejected: adjustment {rejected.id}", rejected, dry_run, as_json)


COMMANDS = (adjustments, adjust, approve, reject)


def _wallet(connection: Connection, token_or_id: str) -> Wallet:
    find = account.wallet_by_token if token_or_id.startswith("wal_") else account.wallet_by_id
    found = find(connection, token_or_id)
    if found is None:
        raise click.ClickException("there is no such wallet")
    return found


def _minor(connection: Connection, amount: str, code: str, wallet: Wallet) -> int:
    """The amount in minor units of the wallet's currency, which has to be named."""
    if wallet.currency != code:
        raise click.ClickException(f"currency_mismatch: the wallet holds {wallet.currency}")
    try:
        return money.parse(amount, currency.all_by_code(connection)[code].digits)
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="AMOUNT") from error


def _known(connection: Connection, id: UUID) -> Adjustment:
    found = adjustment.by_id(connection, str(id))
    if found is None:
        raise click.ClickException(f"there is no adjustment {id}")
    return found


def _decided(decided: DecidedAdjustment | None) -> Adjustment:
    if decided is None:
        raise click.ClickException("adjustment_decided: it was approved or rejected already")
    return decided.adjustment


def _say(text: str, found: Adjustment, dry_run: bool, as_json: bool) -> None:
    would = "dry run, nothing is stored: " if dry_run else ""
    click.echo(json.dumps(adjustment.body(found)) if as_json else f"{would}{text}")
