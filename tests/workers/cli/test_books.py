"""`flask books check`: exit 0 with what was checked, exit 1 with the rows that break an invariant."""

import json
from collections.abc import Iterator

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models import invariants
from tests.support import Database, past_the_triggers
from tests.workers.books import Books
from workers import process
from workers.cli import books as checks

BALANCE = "an account's balance is the sum of its operations"


@pytest.fixture
def account(books: Books) -> str:
    """An account with money, of a user with one payment."""
    alice, source = books.client(10_00)
    _, target = books.client()
    books.order("transfer", alice, source, target, 4_00)
    books.poster().drain()
    return source


@pytest.fixture
def broken(books: Books, fresh_database: Database, postgres: Postgres, account: str) -> Iterator[str]:
    """The same with a balance that nothing explains, for a while."""
    name = make_url(fresh_database.owner).database
    for more in (1, -1):
        past_the_triggers(postgres, name, "UPDATE accounts SET balance = balance + %s WHERE id = %s", more, account)
        if more > 0:
            yield account


def check(books: Books, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    app = Flask(__name__)
    app.cli.add_command(checks.books_cli)
    return app.test_cli_runner().invoke(args=["books", "check", *arguments])


def test_sound_ledger_exits_with_0_and_lists_the_checks(books: Books, account: str, monkeypatch: pytest.MonkeyPatch):
    result = check(books, monkeypatch)
    count = len(invariants.INVARIANTS)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{count} of {count} invariants hold over ")
    report = json.loads(check(books, monkeypatch, "--json").output)
    assert report["is_ok"] is True
    assert report["checked"].keys() == {"payments", "operations", "accounts"}
    assert report["checked"]["payments"] >= 1
    assert [entry["invariant"] for entry in report["invariants"]] == list(invariants.INVARIANTS)
    assert all(entry["rows"] == [] for entry in report["invariants"])


def test_check_reads_one_snapshot_and_cannot_write(books: Books, monkeypatch: pytest.MonkeyPatch):
    query = (
        "SELECT current_setting('transaction_read_only') AS reads, current_setting('transaction_isolation') AS level,"
        " current_setting('statement_timeout') AS time"
    )
    with monkeypatch.context() as patch:
        patch.setattr(invariants, "INVARIANTS", {"as it is": query})
        result = check(books, patch)
    assert result.exit_code == 1
    assert "reads=on, level=repeatable read, time=1h" in result.output


def test_violations_exit_with_1_and_list_the_rows(books: Books, broken: str, monkeypatch: pytest.MonkeyPatch):
    result = check(books, monkeypatch)
    assert result.exit_code == 1
    assert f"BROKEN: {BALANCE}\n  id={broken}, balance=" in result.output
    report = json.loads(check(books, monkeypatch, "--json").output)
    assert report["is_ok"] is False
    rows = {entry["invariant"]: entry["rows"] for entry in report["invariants"] if entry["rows"]}
    assert [row["id"] for row in rows[BALANCE]] == [broken]


def test_omitted_rows_are_mentioned(books: Books, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        query = f"SELECT generate_series(0, {checks.ROWS_MAX}) AS number"
        patch.setattr(invariants, "INVARIANTS", {"many": query})
        result = check(books, patch)
    assert f"  number={checks.ROWS_MAX - 1}\n  and more than these {checks.ROWS_MAX}\n" in result.output
