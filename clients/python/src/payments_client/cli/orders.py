"""`payments charge`, `transfer`, `get` and `list`."""

from __future__ import annotations

from typing import Any

import click

from payments_client import SyncPayment
from payments_client.cli.session import Session, as_json, show, show_all

ENDS = ("AUTHORIZED", "COMPLETED", "FAILED")


def ordering(command: Any) -> Any:
    """The options that orders have in common."""
    for option in (
        click.option("--key", "idempotency_key", help="Your idempotency key: the same order again is not made twice."),
        click.option("--summary", help="What it is for; shown to both sides."),
        click.option("--currency", default="EUR", show_default=True),
        click.option("--wait/--no-wait", "is_waiting", default=True, help="Wait for the outcome, as is the default."),
        as_json,
    ):
        command = option(command)
    return command


def finish(session: Session, payment: SyncPayment, is_waiting: bool, is_json: bool) -> None:
    """Wait, print the payment, and end with its code."""
    if is_waiting:
        payment = payment.wait(session.timeout, until=ENDS)
    show(payment, is_json)
    if payment.state == "FAILED":
        raise SystemExit(1)


@click.command()
@click.argument("wallet")
@click.argument("amount")
@click.option("--reference", help="Your own name for the order, which no other order has.")
@click.option("--hold", is_flag=True, help="Hold the money; take it later by capturing the charge.")
@ordering
@click.pass_obj
def charge(
    session: Session, /, wallet: str, amount: str, hold: bool, is_waiting: bool, is_json: bool, **options: Any
) -> None:
    """Charge AMOUNT from a customer's WALLET into one of yours."""
    payment = session.client.charges.create(wallet=wallet, amount=amount, capture=False if hold else None, **options)
    finish(session, payment, is_waiting, is_json)


@click.command()
@click.argument("source")
@click.argument("target")
@click.argument("amount")
@ordering
@click.pass_obj
def transfer(
    session: Session, /, source: str, target: str, amount: str, is_waiting: bool, is_json: bool, **options: Any
) -> None:
    """Transfer AMOUNT from your wallet SOURCE to the wallet TARGET."""
    payment = session.client.transfers.create(source=source, target=target, amount=amount, **options)
    finish(session, payment, is_waiting, is_json)


@click.command()
@click.argument("id")
@as_json
@click.pass_obj
def get(session: Session, id: str, is_json: bool) -> None:
    """Show a payment by its id, or a wallet by its token."""
    client = session.client
    show(client.wallets.get(id) if id.startswith("wal_") else client.payments.get(id), is_json)


def filters(context: click.Context, parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    """`state=FAILED` and `amount[gte]=10` as the arguments of `payments.list`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, is_pair, value = pair.partition("=")
        if not is_pair:
            raise click.BadParameter(f"{pair}: write NAME=VALUE", context, parameter)
        member, is_bracketed, key = name.removesuffix("]").partition("[")
        if is_bracketed:
            found.setdefault(member, {})[key] = value
        else:
            found[member] = value
    return found


def filtering(command: Any) -> Any:
    """The argument that filters payments."""
    return click.argument("filters", nargs=-1, callback=filters, metavar="[NAME=VALUE]...")(command)


@click.command("list")
@filtering
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@as_json
@click.pass_obj
def list_payments(session: Session, filters: dict[str, Any], limit: int, is_json: bool) -> None:
    """List payments, the newest first: `payments list state=FAILED type=charge 'amount[gte]=10'`."""
    rows = iter(session.client.payments.list(**filters))
    show_all((row for _, row in zip(range(limit), rows, strict=False)), is_json)


COMMANDS = (charge, transfer, get, list_payments)
