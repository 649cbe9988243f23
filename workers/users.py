"""Creating users and their tokens, and `flask users` for those who run the system."""

import json

import click
from uuid_utils import compat as uuids

from models import audit, tokens, user
from models.session import transaction
from models.user import Role
from workers import runtime
from workers.group import WorkerGroup

EMAIL_LENGTH_MAX = 254
"""What SMTP can carry."""

users_cli = WorkerGroup("users", help="Create users (as the worker).")


class EmailTaken(Exception):
    """A user with this address exists."""


def create_user(email: str, role: str, name: str | None = None) -> dict[str, str]:
    """Create a user whose address counts as confirmed; returns {id, email, token}, the token for this once.

    Raises EmailTaken, or ValueError for an unknown role.
    """
    id, token = str(uuids.uuid7()), tokens.new()
    with transaction(runtime.engine()) as connection:
        if not user.create(connection, id, email, Role(role), name or email.partition("@")[0]):
            raise EmailTaken(email)
        tokens.keep(connection, str(uuids.uuid7()), id, token)
        audit.note(connection, audit.SHELL, "users.create", id, after={"email": email, "role": role})
    return {"id": id, "email": email, "token": token}


def issue_token(email: str) -> str | None:
    """A further token for the user with this address, or None if there is no such user."""
    token = tokens.new()
    with transaction(runtime.engine()) as connection:
        known = user.by_email(connection, email)
        if known is None:
            return None
        tokens.keep(connection, str(uuids.uuid7()), known.id, token)
        audit.note(connection, audit.SHELL, "tokens.issue", known.id)
    return token


@users_cli.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", help="Shown to the other side of payments; the address's first part by default.")
@click.option("--json", "as_json", is_flag=True, help="Print {id, email, token}.")
def create(email: str, role: str, name: str | None, as_json: bool) -> None:
    """Create a user with a token, which is shown this once."""
    email = email.strip()
    local, _, domain = email.partition("@")
    if not local or not domain or len(email) > EMAIL_LENGTH_MAX or not email.isprintable() or " " in email:
        raise click.BadParameter("not an e-mail address", param_hint="EMAIL")
    try:
        created = create_user(email, role, name)
    except EmailTaken:
        raise click.ClickException(f"{email} is taken") from None
    if as_json:
        click.echo(json.dumps(created))
    else:
        click.echo(f"{role} {created['email']} has id {created['id']} and, shown this once, token {created['token']}")
