"""`flask ops accounts` and `flask ops audit`, as ops call them."""

import csv
import io
import json

import pytest

from models import audit
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run

pytestmark = pytest.mark.shares_books


def test_ops_accounts_lists_technical_accounts_and_wallets(flask: Run, books: Books) -> None:
    ann, wallet = books.client(100)
    [wire] = map(
        json.loads, flask("ops", "accounts", "--code", "wire", "--currency", "EUR", "--json").output.splitlines()
    )
    assert (wire["id"], wire["balance"], wire["balance_at"]) == (books.technical("wire"), "-1.00", None)
    then = ("--at", "2001-01-01T00:00:00Z")
    of_wire = ("ops", "accounts", "--code", "wire", "--limit", "1000", "--json")
    wires, moved = (
        {json.loads(line)["id"] for line in flask(*of_wire, *only).output.splitlines()} for only in ((), ("--moved",))
    )
    assert {wire["id"]} <= moved < wires
    [mine] = map(json.loads, flask("ops", "accounts", "--owner", ann, *then, "--json").output.splitlines())
    assert (mine["id"], mine["balance"], mine["balance_at"]) == (wallet, "1.00", "0.00")
    header, row = flask("ops", "accounts", "--owner", ann, *then).output.splitlines()
    assert header.split() == ["account", "of", "currency", "balance", "held", "available", "balance", "then"]
    assert row.split()[2:] == ["EUR", "1.00", "0.00", "1.00", "0.00"]
    codes = {json.loads(line)["code"] for line in flask("ops", "accounts", "--json").output.splitlines()}
    assert codes == {"internal", "commission", "wire", "wallet", "crypto", "exchange"}
    assert "no owner" in flask("ops", "accounts", "--owner", ann, "--code", "wire", fails=True).output


def test_ops_audit_is_a_table_or_a_file(flask: Run, books: Books) -> None:
    with transaction(books.worker) as connection:
        for number in range(3):
            audit.note(connection, audit.SHELL, "test.file", f"t{number}", "=1+1", after={"n": number})
    chosen = ("ops", "audit", "--action", "test.file", "--created-from", "2001-01-01")
    lines = [json.loads(line) for line in flask(*chosen, "--json").output.splitlines()]
    assert [line["target"] for line in lines] == ["t2", "t1", "t0"]
    rows = list(csv.DictReader(io.StringIO(flask(*chosen, "--csv").output, newline="")))
    assert [(row["target"], row["reason"], row["after"]) for row in rows] == [
        ("t2", "'=1+1", '{"n": 2}'),
        ("t1", "'=1+1", '{"n": 1}'),
        ("t0", "'=1+1", '{"n": 0}'),
    ]
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert len(flask(*chosen, "--limit", "2").output.splitlines()) == 3
    assert flask(*chosen, "--created-before", "2001-01-01").output == "none\n"
