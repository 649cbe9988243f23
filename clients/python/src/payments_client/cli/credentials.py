"""`payments login` and `logout`."""

from __future__ import annotations

import json
import os

import click

from payments_client import Client
from payments_client.cli.session import Session, as_json, credentials_file

LIFETIME_HOURS = 12


@click.command()
@click.option("--email", help="Your address; asked for unless an API key is given by --token.")
@click.option("--password", envvar="PAYMENTS_PASSWORD", help="Asked for, so that no history has it.")
@click.option("--code", help="The code of your second factor, if you have one.")
@as_json
@click.pass_obj
def login(session: Session, email: str | None, password: str | None, code: str | None, is_json: bool) -> None:
    """Sign in, or keep an API key: `payments --url https://… login`.

    URL and token are kept in a file that only you can read.
    """
    url, token = session.given
    url = url or click.prompt("URL of the API")
    with Client(url, token, timeout=session.timeout) as client:
        if not token:
            made = client.sessions.create(
                email=email or click.prompt("E-mail"),
                password=password or click.prompt("Password", hide_input=True),
                code=code,
                lifetime_hours=LIFETIME_HOURS,
            )
            token = made.token
        me = client.with_options(token=token).me.get()
    file = credentials_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as kept:
        json.dump({"url": url, "token": token}, kept)
    click.echo(json.dumps(me.raw) if is_json else f"signed in as {me.name}, a {me.role}")


@click.command()
@as_json
@click.pass_obj
def logout(session: Session, is_json: bool) -> None:
    """End the session of login, and forget its token; an API key stays valid."""
    if credentials_file().exists():
        try:
            session.client.sessions.delete_current()
        finally:
            credentials_file().unlink()
    click.echo(json.dumps({"signed_out": True}) if is_json else "signed out")


COMMANDS = (login, logout)
