"""`flask users`, as ops call it."""

import json
from uuid import uuid4

import pytest
import redis

from celery_config import WELCOME
from celery_config import app as celery_app
from models import user
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited

pytestmark = pytest.mark.shares_books


def test_users_create_prints_a_token_that_is_stored_as_hash(flask: Run, books: Books) -> None:
    email = f"{uuid4()}@example.com"
    made = json.loads(flask("users", "create", email, "--role", "merchant", "--name", "Shop", "--json").output)
    assert made.keys() == {"id", "email", "token"}
    assert made["email"] == email
    with books.as_owner() as connection:
        role, name, hash, last4 = connection.exec_driver_sql(
            "SELECT role, u.name, encode(hash, 'escape'), last4 FROM users u JOIN tokens t ON t.user_id = u.id"
            " WHERE u.id = %s",
            (made["id"],),
        ).one()
    assert (role, name, last4) == ("merchant", "Shop", made["token"][-4:])
    assert made["token"] not in hash
    assert audited(books, made["id"]) == [("shell", "users.create", None)]


def test_users_create_refuses_a_taken_address_in_any_case(flask: Run) -> None:
    local = str(uuid4())
    flask("users", "create", f"{local}@example.com", "--role", "client")
    refused = flask("users", "create", f"{local.upper()}@Example.com", "--role", "client", fails=True)
    assert "is taken" in refused.output


@pytest.mark.parametrize(
    "email",
    ["nobody", "@example.com", "a@", "a b@example.com", "a\x07@example.com", "a@localhost", f"a@{'b.' * 130}com"],
)
def test_users_create_refuses_an_invalid_address(flask: Run, email: str) -> None:
    assert "not an e-mail address" in flask("users", "create", email, "--role", "client", fails=True).output


def test_users_create_with_wallets_rings_for_onboarding(flask: Run, books: Books, bells: redis.Redis) -> None:
    spelt = "\u00a0carol@example.com\u200b\u2003"
    made = json.loads(flask("users", "create", spelt, "--role", "client", "--wallets", "--json").output)
    assert made["email"] == "carol@example.com"
    assert [json.loads(bell)["headers"]["task"] for bell in bells.lrange("upkeep", 0, -1)] == [WELCOME]
    flask("users", "create", "dave@example.com", "--role", "client")
    with transaction(books.worker) as connection:
        assert [row.id for row in user.to_welcome(connection, 9)] == [made["id"]]
    assert (
        "is for clients"
        in flask("users", "create", "s@example.com", "--role", "merchant", "--wallets", fails=True).output
    )


@pytest.mark.own_books
def test_users_create_with_wallets_while_the_broker_is_unavailable(flask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis+socket:///nowhere/valkey.sock")
    monkeypatch.setattr("bell._publishing", None)
    result = flask("users", "create", "carol@example.com", "--role", "client", "--wallets", "--json")
    assert "the timetable finds the user" in result.stderr
    assert json.loads(result.stdout)["email"] == "carol@example.com"


@pytest.mark.own_books
def test_users_deactivate_and_activate(flask: Run, books: Books) -> None:
    id = json.loads(flask("users", "create", "carol@example.com", "--role", "client", "--json").output)["id"]
    dry = ("--reason", "x", "--dry-run", "--json")
    assert json.loads(flask("users", "deactivate", "carol@example.com", *dry).output) == {"id": id, "is_active": False}
    assert [json.loads(line)["id"] for line in flask("users", "list", "--json").output.splitlines()] == [id]
    assert flask("users", "list", "--inactive").output == flask("users", "list", "--role", "ops").output == "none\n"
    for command, is_active in (("deactivate", False), ("activate", True)):
        flask("users", command, "\u00a0Carol@\u200bExample.com\u2009", "--reason", "asked for it")
        with transaction(books.worker) as connection:
            assert user.by_id(connection, id).is_active is is_active
    assert audited(books, id)[1:] == [
        ("shell", "users.deactivate", "asked for it"),
        ("shell", "users.activate", "asked for it"),
    ]
    assert "--reason" in flask("users", "deactivate", "carol@example.com", fails=True).output
    refused = flask("users", "deactivate", "nobody@example.com", "--reason", "x", fails=True)
    assert "there is no user nobody@example.com" in refused.output


def test_missing_partitions_are_created_or_reported(flask: Run, books: Books) -> None:
    assert flask("payments", "partitions").output == "0 partitions created\n"
    months = "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', %s)"
    with books.as_owner() as connection:
        suffix = connection.exec_driver_sql(months, ("_YYYY_MM",)).scalar_one()
        connection.exec_driver_sql(f"DROP TABLE payments{suffix}")
    assert flask("payments", "partitions").output == "1 partitions created\n"
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"ALTER TABLE payments DETACH PARTITION payments{suffix}")
        month = connection.exec_driver_sql(months, ("YYYY-MM",)).scalar_one()
    output = flask("payments", "partitions", fails=True).output
    assert f"{month} has no partition" in output
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"DROP TABLE payments{suffix}")
        connection.exec_driver_sql("SELECT ensure_partitions()")


def test_owner_is_invited_where_none_is_active_and_not_twice(flask: Run, books: Books) -> None:
    shop = f"{uuid4()}@example.com"
    made = json.loads(flask("users", "create", shop, "--role", "merchant", "--json").output)
    heir = ("users", "invite-owner", shop, "heir@example.com", "--reason", "the papers came")
    assert "owner_active" in flask(*heir, fails=True).output
    assert "there is no merchant" in flask("users", "invite-owner", "x@example.com", *heir[3:], fails=True).output
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE users SET is_active = false WHERE id = %s", (made["id"],))
    assert "dry run, nothing is stored" in flask(*heir, "--dry-run").output
    assert audited(books, made["id"]) == [("shell", "users.create", None)]
    invited = json.loads(flask(*heir, "--json").output)
    assert (invited["state"], invited["invited_by"], invited["email"]) == ("open", None, "heir@example.com")
    with transaction(books.worker) as connection:
        mails = "SELECT count(*) FROM confirmations WHERE invitation_id = %s"
        assert connection.exec_driver_sql(mails, (invited["id"],)).scalar_one() == 1
    rows = flask("ops", "user", shop).output
    assert invited["id"] in rows
    assert "heir@example.com" in rows
    withdraw = ("users", "withdraw-owner", invited["id"], "--reason", "wrong address")
    assert json.loads(flask(*withdraw, "--json").output)["state"] == "withdrawn"
    assert "there is no open invitation" in flask(*withdraw, fails=True).output
    flask("users", "activate", shop, "--reason", "found again")
    flask("users", "deactivate", shop, "--reason", "left")
    assert "own_deactivation" in flask(*heir, fails=True).output
