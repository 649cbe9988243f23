"""`flask ops search`, as ops call it."""

import json
from uuid import uuid4

import pytest

from models import user
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run

pytestmark = pytest.mark.shares_books


def test_ops_search_lists_what_is_found(flask: Run, books: Books) -> None:
    ann, wallet = books.client(10)
    with transaction(books.worker) as connection:
        email = user.by_id(connection, ann).email
        token = connection.exec_driver_sql("SELECT token FROM accounts WHERE id = %s", (wallet,)).scalar_one()
    [hit] = map(json.loads, flask("ops", "search", email, "--json").output.splitlines())
    assert hit == {
        **{"kind": "user", "id": ann, "matched_by": "email", "label": "client Ann"},
        "path": f"/v1/ops/users/{ann}",
    }
    header, row = flask("ops", "search", token).output.splitlines()
    assert header.split() == ["kind", "id", "by", "what"]
    assert row.split()[:3] == ["account", wallet, "wallet"]
    assert flask("ops", "search", "nothing has this").output == "none\n"


def test_ops_payments_lists_any_state_by_filter(flask: Run, books: Books) -> None:
    ann, wallet = books.client(100)
    done, refused = (
        books.transfer(ann, wallet, books.wallet(ann), 100),
        books.transfer(ann, wallet, books.wallet(ann), 9),
    )
    books.post_payments()
    waiting = books.transfer(ann, wallet, books.wallet(ann), 1)

    def listed(*options: str) -> list[str]:
        lines = flask("ops", "payments", "--account", wallet, "--type", "transfer", *options, "--json").output
        return [json.loads(line)["id"] for line in lines.splitlines()]

    assert listed() == [waiting, refused, done]
    assert listed("--failure", "insufficient_funds") == [refused]
    assert listed("--state", "COMPLETED", "--state", "INITIATED") == [waiting, done]
    assert listed("--stuck", "0") == [waiting]
    assert listed("--parked") == listed("--undecided") == []
    _, *rows = flask("ops", "payments", "--user", ann, "--type", "transfer").output.splitlines()
    assert [row.split()[0] for row in rows] == [waiting, refused, done]
    assert rows[1].endswith("insufficient_funds")
    assert flask("ops", "payments", "--id", str(uuid4())).output == "none\n"
    assert "choose one of" in flask("ops", "payments", "--parked", "--undecided", fails=True).output


def test_ops_user_shows_what_is_theirs(flask: Run, books: Books) -> None:
    ann, wallet = books.client(100)
    email = f"{ann}@example.com"
    flask("users", "deactivate", email, "--reason", "asked for it")
    shown = json.loads(flask("ops", "user", ann, "--json").output)
    assert (shown["email"], shown["is_active"], shown["is_frozen"]) == (email, False, False)
    [row] = shown["wallets"]
    assert (row["id"], row["balance"], row["held"], row["available"]) == (wallet, "1.00", "0.00", "1.00")
    assert [one["type"] for one in shown["payments"]] == ["deposit"]
    assert [one["action"] for one in shown["audit"]] == ["users.deactivate"]
    text = flask("ops", "user", email).output
    assert text.startswith(f"client {ann} {email}\n")
    assert ", inactive" in text
    for part in (wallet, shown["payments"][0]["id"], "users.deactivate"):
        assert part in text
    assert "wal_" not in text + json.dumps(shown)
    assert "there is no user" in flask("ops", "user", "nobody@example.com", fails=True).output
