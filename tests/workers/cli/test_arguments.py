"""Whatever values the commands on `flask` are given: an answer or one line of refusal, never a traceback."""

from collections.abc import Iterator
from uuid import uuid4

import click
import pytest
import redis
from click.testing import Result

from models.rules.blanks import fold_blanks
from tests.workers.books import Books
from workers import process
from workers.cli.arguments import AMOUNT, TextArgument
from workers.cli.group import WorkerGroup
from wsgi import app

NUMBERS = ["-1", "1.5", "1e309", "nan", "inf"]
"""Numbers, which are tried as texts, too."""
HOSTILE = ["", " ", "x" * 100_000, "9" * 5_000, "a\0b", "a\nb", "a\u202eb", "\u3164", "\u200b", "\ud800"]
VALID = {
    "email": "ann@example.com",
    "role": "merchant",
    "name": "Ann",
    "reason": "asked for it",
    "merchant": "shop@example.com",
    "invitation_id": str(uuid4()),
    "payment_id": str(uuid4()),
    "payment_ids": str(uuid4()),
    "batch_id": str(uuid4()),
    "breach_id": "1",
    "adjustment_id": str(uuid4()),
    "wallet_or_id": str(uuid4()),
    "direction": "credit",
    "amount": "1.00",
    "code": "EUR",
    "since": "2026-11-01",
    "until": "2026-11-02",
    "month": "2026-11",
    "before": "2000-01",
    "folder": "/",
    "category": "fee",
    "number": "1",
    "pause_id": str(uuid4()),
    "delivery_id": str(uuid4()),
    "endpoint_id": str(uuid4()),
    "assignment_id": str(uuid4()),
    "kind": "parked",
    "subject": str(uuid4()),
    "text": "They called.",
    "list_name": "payments",
    "query": "state=FAILED",
    "view_id": str(uuid4()),
    "rail": "sepa",
    "resolution_id": str(uuid4()),
    "statement_id": str(uuid4()),
    "file_id": str(uuid4()),
    "outcome": "not_paid",
    "seconds": "60",
    "limit": "10",
}
"""By the name of the parameter."""


@pytest.fixture(autouse=True)
def database_of_commands(shared_books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of the commands."""
    monkeypatch.setattr(process, "engine", lambda: shared_books.worker)
    monkeypatch.setattr(process, "owner_engine", lambda: shared_books.owner)
    monkeypatch.setattr(process, "poster", shared_books.poster)


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands of the product, by the arguments that call them."""
    for name, command in group.commands.items():
        if isinstance(command, WorkerGroup):
            yield from commands(command, *path, name)
        elif path:
            yield (*path, name), command


COMMANDS = dict(commands(app.cli))
PARAMETERS = [
    pytest.param(path, parameter, id=" ".join((*path, parameter.opts[-1])))
    for path, command in COMMANDS.items()
    for parameter in command.params
]


def run(path: tuple[str, ...], hostile: click.Parameter, value: str) -> Result:
    """The command with this value of one parameter, and with valid ones of those that it needs, and of ids."""
    arguments = list(path)
    for parameter in COMMANDS[path].params:
        chosen = value if parameter is hostile else VALID.get(parameter.name or "", "")
        if not (parameter is hostile or parameter.required or isinstance(parameter, click.Argument)):
            continue
        if isinstance(parameter, click.Argument):
            arguments.append(chosen)
        else:
            arguments.append(f"{parameter.opts[-1]}={chosen}")
    return app.test_cli_runner().invoke(args=arguments)


def refusals(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith("Error: ")]


def test_commands_are_in_five_groups() -> None:
    assert {path[0] for path in COMMANDS} == {"books", "ops", "payments", "users", "workers"}
    options = {parameter.name for command in COMMANDS.values() for parameter in command.params}
    assert VALID.keys() <= options


@pytest.mark.parametrize(("path", "parameter"), PARAMETERS)
def test_hostile_value_is_refused_in_one_line(path: tuple[str, ...], parameter: click.Parameter) -> None:
    for value in HOSTILE:
        result = run(path, parameter, value)
        assert isinstance(result.exception, SystemExit), (value[:20], result.exc_info)
        assert (result.exit_code, len(refusals(result))) == (2, 1), (value[:20], result.output)


@pytest.mark.parametrize(("path", "parameter"), PARAMETERS)
def test_number_is_accepted_as_free_text_only(path: tuple[str, ...], parameter: click.Parameter) -> None:
    for value in NUMBERS:
        result = run(path, parameter, value)
        assert result.exception is None or isinstance(result.exception, SystemExit), (value, result.exc_info)
        is_option_by_mistake = isinstance(parameter, click.Argument) and value.startswith("-")
        is_taken = isinstance(parameter.type, TextArgument) and not is_option_by_mistake
        is_taken |= parameter.type is AMOUNT and value == "1.5"
        assert (result.exit_code != 2) == is_taken, (value, result.output)


@pytest.mark.parametrize(("name", "exit_code"), [("n" * 100, 0), ("n" * 101, 2), ("e\u0301" * 100, 0)])
def test_name_length_is_that_of_the_api(name: str, exit_code: int) -> None:
    words = ["users", "create", f"bo{len(name)}@example.com", "--role=client", f"--name={name}"]
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == exit_code, result.output


def test_period_is_at_most_ten_years() -> None:
    most = 10 * 366 * 24 * 3600
    for seconds, exit_code in ((most, 0), (most + 1, 2)):
        result = app.test_cli_runner().invoke(args=["payments", "stuck", f"--older-than={seconds}"])
        assert result.exit_code == exit_code, result.output


def test_reason_is_stored_normalized(shared_books: Books) -> None:
    reason = "caf\u0065\u0301"
    commands = app.test_cli_runner()
    assert commands.invoke(args=["users", "create", "cy@example.com", "--role=client", "--name=Cy"]).exit_code == 0
    assert commands.invoke(args=["users", "deactivate", "cy@example.com", f"--reason={reason}"]).exit_code == 0
    newest = "SELECT reason FROM audit_log WHERE action = 'users.deactivate' ORDER BY id DESC LIMIT 1"
    with shared_books.as_owner() as connection:
        assert connection.exec_driver_sql(newest).scalar() == fold_blanks(reason)
