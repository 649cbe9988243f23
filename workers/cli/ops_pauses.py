"""`flask ops freeze`, `thaw`, `freezes`, `pause`, `resume` and `pauses`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from bell import BrokerUnavailable, publish
from models import account, currency, freeze, pause, user
from models.audit import SHELL
from models.freeze import FreezeTarget
from models.pause import RAIL, Ending, Pause, Scope
from models.rules.types import PaymentType
from models.session import Connection, transaction
from models.user import User
from workers import process
from workers.cli import table
from workers.cli.arguments import EmailAddress, TextArgument, reasoned
from workers.cli.dry_run import dry, show_done, tried

ROWS_MAX = 1_000
"""Most freezes or pauses listed by one command."""

TOKEN_LENGTH_MAX = 68
"""Length of a wallet token."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
limited = click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
all_of_them = click.option("--all", "is_all", is_flag=True, help="Also those that have ended.")


def targeted(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the options that name what is frozen."""
    for option in (
        click.option("--user", "email", type=EmailAddress(), help="A user: all wallets, also those opened later."),
        click.option("--wallet", type=TextArgument(TOKEN_LENGTH_MAX), help="A wallet by its token."),
        click.option("--account", "account_id", type=click.UUID, help="A wallet by the id of its account."),
    ):
        command = option(command)
    return command


@click.command("freeze")
@targeted
@reasoned
@dry
@as_json
def freeze_command(
    account_id: UUID | None, wallet: str | None, email: str | None, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Freeze a wallet or a user: payments from and to it FAIL with account_frozen, until it is thawed."""
    with tried(dry_run) as connection:
        kept, is_new = freeze.freeze(connection, _target(connection, account_id, wallet, email), reason, SHELL)
    show_done(freeze.body(kept), "frozen" if is_new else "frozen already", as_json=as_json, dry_run=dry_run)


@click.command("thaw")
@targeted
@reasoned
@dry
@as_json
def thaw_command(
    account_id: UUID | None, wallet: str | None, email: str | None, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Thaw a wallet or a user; a wallet stays frozen while its owner is."""
    with tried(dry_run) as connection:
        record = freeze.newest(connection, _target(connection, account_id, wallet, email))
        if record is None or record.thawed_at is not None:
            raise click.ClickException("it is not frozen by itself; flask ops freezes lists what is")
        thawed = freeze.thaw(connection, record, reason, SHELL)
    show_done(freeze.body(thawed), "thawed", as_json=as_json, dry_run=dry_run)


@click.command("freezes")
@all_of_them
@limited
@as_json
def freezes_command(is_all: bool, limit: int, as_json: bool) -> None:
    """List freezes, newest first."""
    with transaction(process.engine()) as connection:
        rows = [freeze.body(row) for row in freeze.page(connection, limit, is_open=None if is_all else True)]
    table.show_bodies(("id", "account", "user", "frozen_at", "thawed_at", "reason"), rows, as_json)


@click.command("pause")
@click.option("--type", "type_", type=click.Choice([type.value for type in PaymentType]), help="A type of payments.")
@click.option("--merchant", type=EmailAddress(), help="What this merchant orders.")
@click.option("--currency", "code", type=TextArgument(12), help="What is paid or received in this currency.")
@click.option("--rail", type=TextArgument(30), help="What is sent over this rail, such as sepa.")
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Its end, such as 2026-01-31T12:00:00Z.")
@reasoned
@dry
@as_json
def pause_command(
    type_: str | None,
    merchant: str | None,
    code: str | None,
    rail: str | None,
    until: datetime | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Pause posting of a type, a merchant or a currency, or sending over a rail, until it is resumed."""
    if sum(option is not None for option in (type_, merchant, code, rail)) != 1:
        raise click.ClickException("name one: --type, --merchant, --currency or --rail")
    if rail is not None and not RAIL.fullmatch(rail):
        raise click.ClickException("--rail is the name of a rail, such as sepa")
    with tried(dry_run) as connection:
        merchant_id = None if merchant is None else _user(connection, merchant).id
        if merchant_id is not None and not user.merchants_among(connection, [merchant_id]):
            raise click.ClickException(f"{merchant} is no merchant")
        if code is not None and code not in currency.all_by_code(connection):
            raise click.ClickException(f"there is no currency {code}")
        try:
            kept = pause.pause(connection, Scope(type_, merchant_id, code, rail), reason, until, SHELL)
        except Ending:
            raise click.ClickException("the pause before is over and being ended: try again in seconds") from None
    if kept is None:
        raise click.ClickException("--until must be in the future")
    show_done(pause.body(kept[0]), "paused" if kept[1] else "paused already", as_json=as_json, dry_run=dry_run)


@click.command("resume")
@click.argument("pause_id", type=click.UUID)
@reasoned
@dry
@as_json
def resume_command(pause_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """End a pause: its payments are posted in the order they had."""
    with tried(dry_run) as connection:
        record = pause.by_id(connection, str(pause_id))
        if record is None:
            raise click.ClickException(f"there is no pause {pause_id}")
        after, is_new = pause.resume(connection, record, reason, SHELL)
    if is_new and not dry_run:
        _ring()
    show_done(pause.body(after), "resumed" if is_new else "over already", as_json=as_json, dry_run=dry_run)


@click.command("pauses")
@all_of_them
@limited
@as_json
def pauses_command(is_all: bool, limit: int, as_json: bool) -> None:
    """List pauses, newest first."""
    with transaction(process.engine()) as connection:
        rows = [_row(row) for row in pause.page(connection, limit, is_open=None if is_all else True)]
    table.show_bodies(("id", "paused", "paused_at", "until", "resumed_at", "reason"), rows, as_json)


COMMANDS = (freeze_command, thaw_command, freezes_command, pause_command, resume_command, pauses_command)


def _target(connection: Connection, account_id: UUID | None, wallet: str | None, email: str | None) -> FreezeTarget:
    if sum(option is not None for option in (account_id, wallet, email)) != 1:
        raise click.ClickException("name one: --account, --wallet or --user")
    if email is not None:
        return FreezeTarget(user_id=_user(connection, email).id)
    found = (
        account.wallet_by_id(connection, str(account_id))
        if wallet is None
        else account.wallet_by_token(connection, wallet)
    )
    if found is None:
        raise click.ClickException("there is no such wallet")
    return FreezeTarget(account_id=found.id)


def _user(connection: Connection, email: str) -> User:
    existing = user.by_email(connection, email)
    if existing is None:
        raise click.ClickException(f"there is no user {email}")
    return existing


def _row(record: Pause) -> dict[str, Any]:
    """The JSON of a pause, and what it pauses in one word."""
    shown = pause.body(record)
    return {"paused": next(shown[name] for name in ("type", "merchant", "currency", "rail") if shown[name]), **shown}


def _ring() -> None:
    try:
        publish()
    except BrokerUnavailable as error:
        click.echo(f"the broker is away ({error}); the next sweep posts them, or: flask payments sweep", err=True)
