"""`payments watch`, `listen` and `trigger`: what happens, as it happens."""

from __future__ import annotations

import base64
import json
import secrets

import click
import httpx
from rich.console import Console

from payments_client import Client, StillPending
from payments_client.cli.session import Session, as_json
from payments_client.feed import FeedEvent
from payments_client.models import Event
from payments_client.testing.signing import sign

IBAN = "DE89370400440532013000"
MORE_THAN_ANYONE_HAS = "9999999.00"
FORWARD_SECONDS_MAX = 15.0
COLORS = {"completed": "green", "failed": "red", "authorized": "yellow", "parked": "red"}


def tell(console: Console, event: Event, is_json: bool, after: str = "") -> None:
    """Print an event."""
    if is_json:
        click.echo(json.dumps(event.raw))
        return
    color = COLORS.get(event.type.rpartition(".")[2], "default")
    amount = " ".join(event.data.raw.get(name) or "" for name in ("amount", "currency"))
    at, subject = f"{event.timestamp:%H:%M:%S}", event.data.raw.get("id")
    console.print(f"{at}  [{color}]{event.type:20}[/]  {subject}  {amount}{after}")


@click.command()
@click.argument("id")
@as_json
@click.pass_obj
def watch(session: Session, id: str, is_json: bool) -> None:
    """Show the events of the payment ID, those that were and those that come, until its final one."""
    console = Console(highlight=False, soft_wrap=True)
    with Console(stderr=True).status("waiting for what comes next"):
        for event in session.client.payments.stream_events(id):
            tell(console, event, is_json)
    payment = session.client.payments.get(id)
    if payment.finalized_at is None:
        raise StillPending(payment)
    if payment.state == "FAILED":
        raise SystemExit(1)


@click.command()
@click.option("--forward-to", "url", help="POST each event, signed, to this URL of your machine.")
@click.option("--secret", help="With which they are signed; else one is made and shown.")
@click.option("--after", help="A cursor: first what has happened since.")
@click.option("--type", "types", help="Only these, such as payment.failed or payment.*, with commas between.")
@click.option("--count", type=int, help="End after this many.")
@as_json
@click.pass_obj
def listen(
    session: Session,
    url: str | None,
    secret: str | None,
    after: str | None,
    types: str | None,
    count: int | None,
    is_json: bool,
) -> None:
    """Listen to the events that concern you, for ever, and hand them to a receiver of webhooks that you develop."""
    console = Console(highlight=False, soft_wrap=True)
    secret = secret or f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    if url:
        click.echo(f"signed with {secret}", err=True)
    followed = session.client.events.follow(after, **({"type": types} if types else {}))
    with httpx.Client(timeout=FORWARD_SECONDS_MAX) as receiver:
        for number, event in enumerate(followed, 1):
            tell(console, event, is_json, f"  -> {forwarded(receiver, url, event, secret)}" if url else "")
            if number == count:
                return


def forwarded(receiver: httpx.Client, url: str, event: FeedEvent, secret: str) -> str:
    """What the receiver answered."""
    body, headers = sign(event, secret, id=f"evt_{event.id}")
    try:
        return str(receiver.post(url, content=body, headers=headers).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def pay_in(client: Client, wallet: str, currency: str) -> str:
    """The id of a small deposit."""
    return client.deposits.create(wallet=wallet, amount="1.00", currency=currency, source="wire").id


def pay_out(client: Client, wallet: str, currency: str, amount: str) -> str:
    """The id of a withdrawal by wire."""
    paid = client.withdrawals.create(wallet=wallet, amount=amount, currency=currency, iban=IBAN, name="A Test")
    return paid.id


TRIGGERS = ("payment.initiated", "payment.completed", "payment.authorized", "payment.failed")


@click.command()
@click.argument("event", type=click.Choice(TRIGGERS))
@click.option("--wallet", help="One of your wallets; else the oldest.")
@as_json
@click.pass_obj
def trigger(session: Session, event: str, wallet: str | None, is_json: bool) -> None:
    """Let an EVENT happen, by a real payment in a wallet of yours; for development, where deposits are open.

    A deposit of 1.00 is initiated and completed; a withdrawal of it is authorized; one of more than you have fails.
    """
    client = session.client
    own = client.wallets.get(wallet) if wallet else [*client.wallets.list()][-1]
    if event == "payment.failed":
        id = pay_out(client, own.token, own.currency, MORE_THAN_ANYONE_HAS)
    else:
        id = pay_in(client, own.token, own.currency)
        if event == "payment.authorized":
            client.payments.get(id).wait(session.timeout)
            id = pay_out(client, own.token, own.currency, "1.00")
    click.echo(json.dumps({"event": event, "payment": id}) if is_json else f"{event} will happen to payment {id}")


COMMANDS = (watch, listen, trigger)
