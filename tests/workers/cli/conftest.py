"""Shared fixtures."""

import pytest
import redis
from click.testing import Result
from flask import Flask

from tests.workers.books import Books
from tests.workers.cli.listing import Run
from workers import process
from workers.cli.ops import ops_cli
from workers.cli.payments import payments_cli
from workers.cli.users import users_cli


@pytest.fixture
def flask(books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`flask ARGUMENTS...` in the worker's role; its result, whose exit code is 0 unless `fails`."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "poster", books.poster)
    app = Flask(__name__)
    app.cli.add_command(ops_cli)
    app.cli.add_command(payments_cli)
    app.cli.add_command(users_cli)

    def run(*arguments: str, fails: bool = False) -> Result:
        result = app.test_cli_runner().invoke(args=arguments)
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run
