"""What a command knows: a client made of options, environment or login; and how objects are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from payments_client import Client
from payments_client.model import Model

F = TypeVar("F", bound=Callable[..., Any])

COLUMNS = ("id", "type", "state", "amount", "currency", "reference", "created_at")
"""Of lists of payments; the JSON has everything."""


def as_json(command: F) -> F:
    """The option `--json` of a command."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON, an object a line.")(command)


def credentials_file() -> Path:
    """Where login keeps the URL and the token."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "payments" / "credentials.json"


class Session:
    """Where commands ask, as whom, and for how long."""

    def __init__(self, url: str | None, token: str | None, timeout: float) -> None:
        self.timeout = timeout
        self.given = url, token
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client; a usage error if nobody has said where the API is."""
        if self._client is None:
            file = credentials_file()
            kept = json.loads(file.read_text()) if file.exists() else {}
            url, token = self.given
            if not (url or kept):
                raise click.UsageError("run `payments login` first, or give --url and --token")
            self._client = Client(url or kept["url"], token or kept.get("token"), timeout=self.timeout)
        return self._client

    def close(self) -> None:
        """Close the connections."""
        if self._client:
            self._client.close()


def show(found: Model, is_json: bool) -> None:
    """Print an object: as JSON, or a line for each member that has a value."""
    if is_json:
        click.echo(json.dumps(found.raw))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in found.raw.items():
        if value is not None:
            table.add_row(name, json.dumps(value) if isinstance(value, (dict, list)) else str(value))
    Console(soft_wrap=True).print(table)


def show_all(rows: Iterable[Model], is_json: bool) -> None:
    """Print objects: as JSON, one a line, or as a table."""
    if is_json:
        for row in rows:
            click.echo(json.dumps(row.raw))
        return
    table = Table(*COLUMNS, box=None)
    for row in rows:
        table.add_row(*(str(row.raw.get(name) or "") for name in COLUMNS))
    Console(soft_wrap=True).print(table)
