"""The command itself: where it asks and as whom, how errors end it, and all that it can do."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from payments_client.cli import credentials, files, live, orders
from payments_client.cli.exits import ended
from payments_client.cli.session import Session


class Payments(click.Group):
    """A group whose commands end with the documented exit codes."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; errors of the API become a message and a code."""
        with ended():
            return super().invoke(ctx)


@click.group(cls=Payments, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", envvar="PAYMENTS_URL", help="Where the API is; else as at login.")
@click.option("--token", envvar="PAYMENTS_TOKEN", help="A token or API key; else that of login.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds that a command may wait for an outcome.")
@click.version_option(package_name="payments-client")
@click.pass_context
def payments(ctx: click.Context, url: str | None, token: str | None, timeout: float) -> None:
    """Charge, look and listen: the payments API on the command line.

    Exit codes: 0 done, 1 the payment FAILED, 2 wrong usage, 3 refused, 4 not signed in or not permitted, 5 no answer
    or not available, 6 still pending when the time was over.
    """
    ctx.obj = Session(url, token, timeout)
    ctx.call_on_close(ctx.obj.close)


for command in (*credentials.COMMANDS, *orders.COMMANDS, *live.COMMANDS, *files.COMMANDS):
    payments.add_command(command)


@payments.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what completes commands in your shell: `eval "$(payments completion bash)"`."""
    kind = get_completion_class(shell)
    if kind:
        click.echo(kind(payments, {}, "payments", "_PAYMENTS_COMPLETE").source())


def main() -> None:
    """The entry point."""
    sys.exit(payments(prog_name="payments"))
