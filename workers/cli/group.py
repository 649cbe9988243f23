"""The group class of the commands that run with the worker's database role."""

from typing import Any

import click
from flask.cli import AppGroup

from models import client_timeout
from models.archive import Archived
from models.session import Contention, DatabaseUnavailable, StatementTimeout


class WorkerGroup(AppGroup):
    """A group whose commands report an unreachable or busy database in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with client_timeout.installed():
                return super().invoke(ctx)
        except DatabaseUnavailable as error:
            raise click.ClickException(f"the database is unavailable: {str(error.__cause__).strip()}") from error
        except Archived as error:
            raise click.ClickException(f"{error}: flask ops restore") from error
        except (Contention, StatementTimeout) as error:
            raise click.ClickException(f"the database is busy, try again: {str(error.__cause__).strip()}") from error
