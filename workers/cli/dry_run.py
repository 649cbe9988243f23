"""`--dry-run`: the order itself, undone before it is committed."""

import json
from contextlib import AbstractContextManager
from typing import Any

import click

from models import session
from models.session import Connection
from workers import process

dry = click.option("--dry-run", is_flag=True, help="Only say what it would do: nothing is stored, and nobody is woken.")


def tried(dry_run: bool) -> AbstractContextManager[Connection]:
    """A transaction that is committed, or of a dry run undone; the refusals of both are the same."""
    return session.tried(process.engine(), dry_run=dry_run)


def show_done(body: dict[str, Any], done: str, *, as_json: bool, dry_run: bool) -> None:
    """Print what an order made, as JSON or that it is done, and whether nothing is stored."""
    would = "dry run, nothing is stored: " if dry_run else ""
    click.echo(
        json.dumps({**body, "dry_run": True} if dry_run else body) if as_json else f"{would}{body['id']} is {done}"
    )
