"""`flask ops verify`, `breaches`, `acknowledge` and `checkpoint`."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models.checkpoint import SigningKey
from tests.support import Database, past_the_triggers
from tests.workers.books import Books
from tests.workers.cli.listing import audited
from workers import process
from workers.cli.ops import ops_cli

Ops = Callable[..., Result]
BALANCE = "UPDATE accounts SET balance = balance + %s WHERE id = %s"


@pytest.fixture
def account(books: Books) -> str:
    """An account with money, of a user with one payment."""
    alice, source = books.client(10_00)
    _, target = books.client()
    books.order("transfer", alice, source, target, 4_00)
    books.poster().drain()
    return source


@pytest.fixture
def ops(books: Books, monkeypatch: pytest.MonkeyPatch) -> Ops:
    """`flask ops WORDS...` in the worker's role; its result, whose exit code must be that."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "signing_key", lambda: SigningKey("ab" * 32))
    app = Flask(__name__)
    app.cli.add_command(ops_cli)

    def run(*words: str, exit_code: int = 0) -> Result:
        result = app.test_cli_runner().invoke(args=["ops", *words])
        assert result.exit_code == exit_code, result.output
        return result

    return run


@pytest.mark.usefixtures("account")
def test_sound_books_are_verified_and_signed_once(ops: Ops) -> None:
    signed = json.loads(ops("checkpoint", "--json").output)
    assert (signed["number"], signed["first_batch"], signed["last_batch"]) == (1, 0, 2)
    assert ops("checkpoint").output == "nothing to sign\n"
    assert ops("verify").output.startswith("0 breaches in ")
    report = json.loads(ops("verify", "--full", "--json").output)
    assert (report["is_ok"], report["batches"], report["breaches"]) == (True, 3, [])
    assert ops("breaches").output == "none\n"


def test_breach_is_listed_acknowledged_and_healed(
    ops: Ops, books: Books, fresh_database: Database, postgres: Postgres, account: str
) -> None:
    name = make_url(fresh_database.owner).database or ""
    past_the_triggers(postgres, name, BALANCE, 1, account)
    broken = ops("verify", exit_code=1).output
    assert f"BROKEN: an account's balance is that after its newest operation: {account}\n" in broken
    listed = ops("breaches", "--json").output.splitlines()
    assert {json.loads(line)["subject"] for line in listed} == {"EUR", account}
    assert account in ops("breaches").output
    ids = [json.loads(line)["id"] for line in listed]
    for id in ids:
        body = json.loads(ops("acknowledge", id, "--reason", "a test", "--json").output)
        assert (body["id"], body["reason"]) == (id, "a test")
        assert audited(books, id) == [("shell", "breaches.acknowledge", "a test")]
    assert ops("acknowledge", ids[0], "--reason", "again").output == "acknowledged before\n"
    assert ops("breaches").output == "none\n"
    assert "there is no breach 999" in ops("acknowledge", "999", "--reason", "a test", exit_code=1).output
    past_the_triggers(postgres, name, BALANCE, -1, account)
    assert f"healed: {account}\n" in ops("verify").output


def test_checkpoint_needs_a_key(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "signing_key", lambda: None)
    assert "RECEIPT_KEY is not set" in ops("checkpoint", exit_code=1).output
