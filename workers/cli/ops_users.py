"""`flask ops user`: a user with wallets, sessions, keys, newest payments and audit entries."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from models import invitation, ops_account, ops_payment, ops_user, owner_invitation, payment, user
from models.ops_account import OpsAccount
from models.ops_user import OpsUser
from models.representations import iso
from models.rules.money import render
from models.session import transaction
from models.token import TokenRecord
from models.user import EMAIL_LENGTH_MAX
from workers import process
from workers.cli import table
from workers.cli.arguments import TextArgument


@click.command("user")
@click.argument("who", type=TextArgument(EMAIL_LENGTH_MAX), metavar="ID|EMAIL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_user(who: str, as_json: bool) -> None:
    """Show a user: wallets, sessions, API keys, the newest payments, and what was done by and to them."""
    with transaction(process.engine()) as connection:
        by_email = user.by_email(connection, who)
        id = by_email.id if by_email else _id(who)
        found = ops_user.by_id(connection, id) if id else None
        now = payment.clock(connection)
    if found is None:
        raise click.ClickException(f"there is no user {who}")
    if as_json:
        click.echo(json.dumps(_body(found), indent=2, default=str))
    else:
        _show(found, now)


def _id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _body(found: OpsUser) -> dict[str, Any]:
    return {
        **found.user._asdict(),
        "is_frozen": found.is_frozen,
        "members": [member._asdict() for member in found.members],
        "invitations": [owner_invitation.body(offered) for offered in found.invitations],
        "wallets": [ops_account.body(wallet) for wallet in found.wallets],
        "sessions": [session._asdict() for session in found.sessions],
        "api_keys": [key._asdict() for key in found.api_keys],
        "payments": [ops_payment.listed_body(listed) for listed in found.payments],
        "audit": [entry._asdict() for entry in found.audit],
    }


def _show(found: OpsUser, now: datetime) -> None:
    """Print the user, and a table of each list that is not empty."""

    def ago(moment: datetime | None) -> str:
        return table.ago((now - moment).total_seconds()) if moment else "never"

    who = found.user
    marks = [word for word, is_so in (("inactive", not who.is_active), ("frozen", found.is_frozen)) if is_so]
    marks += [] if who.is_confirmed else ["unconfirmed"]
    click.echo(f"{who.role} {who.id} {who.email} {who.phone_number or ''}".rstrip())
    click.echo(f"{who.name}, since {iso(who.created_at)}{''.join(f', {mark}' for mark in marks)}")
    tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {
        ("member", "role", "since", "state", "e-mail"): [
            (one.id, one.role, ago(one.created_at), "active" if one.is_active else "inactive", one.email)
            for one in found.members
        ],
        ("invitation", "role", "made", "state", "e-mail"): [
            (one.id, one.role, ago(one.created_at), invitation.state(one), one.email) for one in found.invitations
        ],
        ("wallet", "currency", "balance", "held", "available", "limits", "state"): [
            (
                *(wallet.id, wallet.currency, *(render(amount, wallet.digits) for amount in _amounts(wallet))),
                str(len(wallet.charge_limits)),
                "frozen" if wallet.is_frozen else "active" if wallet.is_active else "inactive",
            )
            for wallet in found.wallets
        ],
        ("session", "used", "opened", "from"): [
            (one.id, ago(one.last_used_at), ago(one.created_at), one.address or "") for one in found.sessions
        ],
        ("API key", "used", "made", "scopes", "name"): [_key(one, ago) for one in found.api_keys],
        ("payment", "type", "amount", "state", "accepted"): [
            (row.id, row.type, f"{render(row.amount, row.digits)} {row.currency}", row.state, ago(row.created_at))
            for row, *_ in found.payments
        ],
        ("entry", "at", "actor", "action", "target"): [
            (entry.id, ago(entry.created_at), entry.actor, entry.action, entry.target) for entry in found.audit
        ],
    }
    for header, rows in tables.items():
        if rows:
            click.echo()
            table.show(header, rows)


def _amounts(wallet: OpsAccount) -> tuple[int, int, int]:
    return wallet.balance, wallet.held, wallet.balance - wallet.held


def _key(key: TokenRecord, ago: Any) -> tuple[str, ...]:
    scopes = "all" if key.scopes is None else ",".join(key.scopes)
    return key.id, ago(key.last_used_at), ago(key.created_at), scopes, key.name or ""


COMMANDS = (show_user,)
