"""The commands for ops, run on the stack; in this process, for to start one for each costs seconds."""

from click.testing import Result
from flask import Flask
from pytest import MonkeyPatch
from sqlalchemy import NullPool

import settings
from embedded.stack import Stack
from models.session import open_engine
from tests.broker import ringing_at
from workers import process
from workers.cli.payments import payments_cli
from workers.cli.workers import workers_cli


def flask(stack: Stack, *arguments: str) -> str:
    """The output of `flask ARGUMENTS...` in the worker's role; it must succeed."""
    done = _run(stack, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def flask_fails(stack: Stack, *arguments: str) -> str:
    """The output of a command that must fail."""
    done = _run(stack, arguments)
    assert done.exit_code == 1, done.output
    return done.stderr


def _run(stack: Stack, arguments: tuple[str, ...]) -> Result:
    app = Flask(__name__)
    app.cli.add_command(payments_cli)
    app.cli.add_command(workers_cli)
    url = stack.role_url(settings.WORKER_ROLE)
    with MonkeyPatch.context() as patch, ringing_at(stack.broker, patch):
        for name, value in stack.processes["posting"].environ.items():
            patch.setenv(name, value)
        patch.setattr(settings, "load", settings.load.__wrapped__)
        patch.setattr(process, "engine", lambda: open_engine(url, NullPool))
        patch.setattr(process, "poster", process.poster.__wrapped__)
        return app.test_cli_runner().invoke(args=arguments)
