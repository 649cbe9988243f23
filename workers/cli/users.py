"""`flask users`: lists, creates, activates and deactivates users, ends tokens, resets factors, invites owners."""

import json
from uuid import UUID

import click
from uuid_utils import compat as uuids

from bell import BrokerUnavailable, publish
from celery_config import WELCOME
from models import audit, ops_user, owner_invitation, second_factor, user
from models import token as tokens
from models.owner_invitation import DETAILS, OwnerProblem
from models.session import transaction
from models.user import NAME_LENGTH_MAX, Role
from workers import process
from workers.cli import table
from workers.cli.arguments import EmailAddress, TextArgument, reasoned
from workers.cli.dry_run import dry, show_done, tried
from workers.cli.group import WorkerGroup

ROWS_MAX = 1_000
"""Most users listed by one command."""

users_cli = WorkerGroup("users", help="Create, deactivate and activate users (with the worker's database role).")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class EmailTaken(Exception):
    """A user with this address exists."""


def create_user(email: str, role: str, name: str | None = None, *, is_welcomed: bool = True) -> dict[str, str]:
    """Create a user whose address counts as confirmed; returns {id, email, token}, the token for this once.

    Without `is_welcomed` a worker opens their wallets and pays their bonus. Raises EmailTaken, or ValueError for an
    unknown role.
    """
    id, token = str(uuids.uuid7()), tokens.new()
    with transaction(process.engine()) as connection:
        if not user.create(connection, id, email, Role(role), name or email.partition("@")[0], is_welcomed=is_welcomed):
            raise EmailTaken(email)
        tokens.keep(connection, str(uuids.uuid7()), id, token)
        audit.note(connection, audit.SHELL, "users.create", id, after={"email": email, "role": role})
    return {"id": id, "email": email, "token": token}


def issue_token(email: str) -> str | None:
    """A further token for the user with this address, or None if there is no such user."""
    token = tokens.new()
    with transaction(process.engine()) as connection:
        existing = user.by_email(connection, email)
        if existing is None:
            return None
        tokens.keep(connection, str(uuids.uuid7()), existing.id, token)
        audit.note(connection, audit.SHELL, "tokens.issue", existing.id)
    return token


@users_cli.command("create")
@click.argument("email", type=EmailAddress())
@click.option("--role", type=click.Choice([role.value for role in Role if role != Role.MEMBER]), required=True)
@click.option(
    "--name",
    type=TextArgument(NAME_LENGTH_MAX),
    help="Shown to the other side of payments; the address's first part by default.",
)
@click.option("--wallets", is_flag=True, help="For a client: a worker opens their wallets and pays their bonus.")
@click.option("--json", "as_json", is_flag=True, help="Print {id, email, token}.")
def create(email: str, role: str, name: str | None, wallets: bool, as_json: bool) -> None:
    """Create a user with a token, which is shown only once."""
    if wallets and role != Role.CLIENT:
        raise click.UsageError("--wallets is for clients")
    try:
        created = create_user(email, role, name, is_welcomed=not wallets)
    except EmailTaken:
        raise click.ClickException(f"{email} is taken") from None
    if wallets:
        _ring()
    if as_json:
        click.echo(json.dumps(created))
    else:
        click.echo(f"{role} {created['email']} has id {created['id']} and, shown this once, token {created['token']}")


@users_cli.command("list")
@click.option("--role", type=click.Choice([role.value for role in Role]))
@click.option("--email", type=EmailAddress(), help="The user with this address.")
@click.option("--inactive", is_flag=True, help="Those that are deactivated instead.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_users(role: str | None, email: str | None, inactive: bool, limit: int, as_json: bool) -> None:
    """List users, newest first; `flask ops user` shows one of them with all that is theirs."""
    with transaction(process.engine()) as connection:
        rows = user.page(connection, limit, is_active=not inactive, role=role, email=email)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row._asdict(), default=str))
    elif rows:
        cells = [(row.id, row.role, row.email, row.name, table.moment(row.created_at)) for row in rows]
        table.show(("user", "role", "e-mail", "name", "since"), cells)
    else:
        click.echo("none")


@users_cli.command("deactivate")
@click.argument("email", type=EmailAddress())
@reasoned
@dry
@as_json
def deactivate(email: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Deactivate a user: within a second none of their tokens is accepted."""
    _set_active(email, reason, dry_run, as_json, is_active=False)


@users_cli.command("activate")
@click.argument("email", type=EmailAddress())
@reasoned
@dry
@as_json
def activate(email: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Activate a user again."""
    _set_active(email, reason, dry_run, as_json, is_active=True)


@users_cli.command("reset-second-factor")
@click.argument("email", type=EmailAddress())
@reasoned
@dry
@as_json
def reset_second_factor(email: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Remove a user's second factor and end their sessions: they sign in by password, and set up a new one."""
    with tried(dry_run) as connection:
        existing = user.by_email(connection, email)
        if existing is None:
            raise click.ClickException(f"there is no user {email}")
        is_reset = second_factor.reset(connection, existing, audit.SHELL, reason)
    text = f"{existing.email} {'must set up a new second factor' if is_reset else 'has no second factor'}"
    text = f"dry run, nothing is stored: {text}" if dry_run else text
    click.echo(json.dumps({"id": existing.id, "is_reset": is_reset}) if as_json else text)


@users_cli.command("end-sessions")
@click.argument("email", type=EmailAddress())
@click.option("--session", "token_id", type=click.UUID, help="Only the session with this id.")
@reasoned
@dry
@as_json
def end_sessions(email: str, token_id: UUID | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Sign a user out everywhere, or end one session; API keys stay valid."""
    _end_tokens(email, tokens.SESSION, token_id, reason, dry_run, as_json)


@users_cli.command("end-api-keys")
@click.argument("email", type=EmailAddress())
@click.option("--api-key", "token_id", type=click.UUID, help="Only the key with this id.")
@reasoned
@dry
@as_json
def end_api_keys(email: str, token_id: UUID | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """End all API keys of a user, or one."""
    _end_tokens(email, tokens.API_KEY, token_id, reason, dry_run, as_json)


@users_cli.command("invite-owner")
@click.argument("merchant", type=EmailAddress(), metavar="MERCHANT")
@click.argument("email", type=EmailAddress())
@reasoned
@dry
@as_json
def invite_owner(merchant: str, email: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Invite EMAIL as an owner of a MERCHANT (its address) who has no owner that is active; a worker sends the mail."""
    with tried(dry_run) as connection:
        existing = user.by_email(connection, merchant)
        offered = owner_invitation.invite(connection, existing, email, audit.SHELL, reason) if existing else None
    if offered is None:
        raise click.ClickException(f"there is no merchant {merchant}")
    if isinstance(offered, OwnerProblem):
        raise click.ClickException(f"{offered}: {DETAILS[offered]}")
    show_done(owner_invitation.body(offered), f"the invitation of {email}", as_json=as_json, dry_run=dry_run)


@users_cli.command("withdraw-owner")
@click.argument("invitation_id", metavar="INVITATION", type=click.UUID)
@reasoned
@dry
@as_json
def withdraw_owner(invitation_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Withdraw an open INVITATION that ops made; `flask ops user` shows those of a merchant."""
    with tried(dry_run) as connection:
        withdrawn = owner_invitation.withdraw(connection, str(invitation_id), audit.SHELL, reason)
    if withdrawn is None:
        raise click.ClickException(f"there is no open invitation {invitation_id} of ops")
    show_done(owner_invitation.body(withdrawn), "withdrawn", as_json=as_json, dry_run=dry_run)


def _end_tokens(email: str, kind: str, token_id: UUID | None, reason: str, dry_run: bool, as_json: bool) -> None:
    with tried(dry_run) as connection:
        existing = user.by_email(connection, email)
        if existing is None:
            raise click.ClickException(f"there is no user {email}")
        id = str(token_id) if token_id else None
        try:
            ended = ops_user.end_tokens(connection, existing.id, kind, audit.SHELL, reason, id)
        except KeyError:
            raise click.ClickException(f"{existing.email} has no {kind} {id}") from None
    text = f"{'dry run, nothing is stored: ' if dry_run else ''}{len(ended)} of {existing.email} ended"
    click.echo(json.dumps({"ended": ended}) if as_json else text)


def _set_active(email: str, reason: str, dry_run: bool, as_json: bool, *, is_active: bool) -> None:
    with tried(dry_run) as connection:
        existing = user.by_email(connection, email)
        if existing is None:
            raise click.ClickException(f"there is no user {email}")
        user.set_active(connection, existing.id, is_active)
        action = "users.activate" if is_active else "users.deactivate"
        before, after = {"is_active": existing.is_active}, {"is_active": is_active}
        audit.note(connection, audit.SHELL, action, existing.id, reason, before, after)
    text = f"{'dry run, nothing is stored: ' if dry_run else ''}{existing.email} is {'in' * (not is_active)}active"
    click.echo(json.dumps({"id": existing.id, "is_active": is_active}) if as_json else text)


def _ring() -> None:
    try:
        publish(task=WELCOME)
    except BrokerUnavailable as error:
        click.echo(f"the broker is unavailable ({error}); the timetable finds the user", err=True)
