"""`python -m embedded`: starts, demonstrates and stops the stack of this checkout."""

import errno

import click

from embedded import supervisor
from embedded.demo import NotCompletedError
from embedded.home import CHECKOUT, StackError

CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC}
"""Errors of writing that a person must correct: permissions, a read-only or full disk."""


@click.group()
def cli() -> None:
    """Real PostgreSQL, real Valkey, gateway, workers and beat, on this machine alone."""


@cli.command()
@click.option("--background", is_flag=True, help="Without the demonstration.")
def run(background: bool) -> None:
    """Start everything, show a payment, stay until Ctrl-C."""
    supervisor.run(with_demo=not background)


@cli.command()
def up() -> None:
    """Start everything in the background; return when it is ready."""
    supervisor.up()


@cli.command()
def down() -> None:
    """Stop what `up` or `run` started; the data stays."""
    supervisor.down()


@cli.command()
def demo() -> None:
    """Show a payment; exit 0 only if it completed."""
    supervisor.demonstrate()


@cli.command()
def status() -> None:
    """Show whether it runs; exit 1 if not."""
    if not supervisor.status():
        raise SystemExit(1)


def main() -> None:
    try:
        cli(prog_name="python -m embedded")
    except (StackError, NotCompletedError) as error:
        raise SystemExit(f"embedded: {error}") from None
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise SystemExit(f"embedded: {error.filename or CHECKOUT}: {error.strerror}") from None


if __name__ == "__main__":
    main()
