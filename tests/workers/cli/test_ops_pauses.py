"""`flask ops freeze`, `thaw`, `pause` and `resume`, as ops call them."""

import json
from uuid import uuid4

import redis

from models import freeze, user
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited

WHY = ("--reason", "asked by the court")


def email_of(books: Books, user_id: str) -> str:
    with transaction(books.worker) as connection:
        found = user.by_id(connection, user_id)
    assert found
    return found.email


def is_frozen(books: Books, account_id: str) -> bool:
    with transaction(books.worker) as connection:
        return connection.exec_driver_sql("SELECT is_frozen FROM accounts WHERE id = %s", (account_id,)).scalar_one()


def test_ops_freezes_and_thaws_a_wallet_and_a_user(flask: Run, books: Books) -> None:
    ann, wallet = books.client(10)
    with transaction(books.worker) as connection:
        token = connection.exec_driver_sql("SELECT token FROM accounts WHERE id = %s", (wallet,)).scalar_one()
    assert "is frozen" in flask("ops", "freeze", "--wallet", token, *WHY).output
    assert "is frozen already" in flask("ops", "freeze", "--account", wallet, *WHY).output
    assert is_frozen(books, wallet)
    assert "is thawed" in flask("ops", "thaw", "--account", wallet, *WHY).output
    assert "it is not frozen" in flask("ops", "thaw", "--account", wallet, *WHY, fails=True).output
    assert not is_frozen(books, wallet)
    assert audited(books, wallet) == [("shell", "freezes.freeze", WHY[1]), ("shell", "freezes.thaw", WHY[1])]
    made = json.loads(flask("ops", "freeze", "--user", email_of(books, ann), *WHY, "--json").output)
    assert (made["user"], made["in_force"], made["frozen_by"]) == (ann, True, None)
    assert is_frozen(books, wallet)
    assert is_frozen(books, books.wallet(ann))
    [listed] = map(json.loads, flask("ops", "freezes", "--json").output.splitlines())
    assert listed == made
    assert len(flask("ops", "freezes", "--all").output.splitlines()) == 3


def test_dry_run_says_the_same_and_stores_nothing(flask: Run, books: Books, bells: redis.Redis) -> None:
    _, wallet = books.client(10)
    target = ("--account", wallet, *WHY)
    assert "is frozen" in flask("ops", "freeze", *target, "--dry-run").output
    assert not is_frozen(books, wallet)
    assert "it is not frozen" in flask("ops", "thaw", *target, "--dry-run", fails=True).output
    flask("ops", "freeze", *target)
    assert json.loads(flask("ops", "thaw", *target, "--dry-run", "--json").output)["dry_run"] is True
    assert is_frozen(books, wallet)
    assert audited(books, wallet) == [("shell", "freezes.freeze", WHY[1])]
    assert "nothing is stored" in flask("ops", "pause", "--type", "bonus", *WHY, "--dry-run").output
    assert flask("ops", "pauses").output == "none\n"
    made = json.loads(flask("ops", "pause", "--type", "bonus", *WHY, "--json").output)
    assert "is resumed" in flask("ops", "resume", made["id"], *WHY, "--dry-run").output
    assert bells.llen("payments") == 0
    assert audited(books, made["id"]) == [("shell", "pauses.pause", WHY[1])]


def test_ops_freeze_names_one_thing_that_exists(flask: Run) -> None:
    assert "name one" in flask("ops", "freeze", *WHY, fails=True).output
    two = ("--account", str(uuid4()), "--user", "ann@example.com")
    assert "name one" in flask("ops", "freeze", *two, *WHY, fails=True).output
    assert "no such wallet" in flask("ops", "freeze", "--account", str(uuid4()), *WHY, fails=True).output
    assert "there is no user" in flask("ops", "freeze", "--user", "ann@example.com", *WHY, fails=True).output


def test_technical_account_is_no_wallet(flask: Run, books: Books) -> None:
    wire = books.technical("wire")
    assert "no such wallet" in flask("ops", "freeze", "--account", wire, *WHY, fails=True).output
    with transaction(books.worker) as connection:
        assert freeze.page(connection, 10) == []


def test_ops_pauses_and_resumes(flask: Run, books: Books, bells: redis.Redis) -> None:
    shop = books.user("merchant")
    scopes = (("--type", "charge"), ("--merchant", email_of(books, shop)), ("--currency", "EUR"), ("--rail", "sepa"))
    made = [json.loads(flask("ops", "pause", *scope, *WHY, "--json").output) for scope in scopes]
    assert [(one["type"], one["merchant"], one["currency"], one["rail"]) for one in made] == [
        ("charge", None, None, None),
        (None, shop, None, None),
        (None, None, "EUR", None),
        (None, None, None, "sepa"),
    ]
    assert "is paused already" in flask("ops", "pause", "--type", "charge", *WHY).output
    assert len(flask("ops", "pauses").output.splitlines()) == 5
    assert bells.llen("payments") == 0
    assert "is resumed" in flask("ops", "resume", made[0]["id"], *WHY).output
    assert bells.llen("payments") == 1, "what it held is posted at once"
    assert "is over already" in flask("ops", "resume", made[0]["id"], *WHY).output
    assert audited(books, made[0]["id"]) == [("shell", "pauses.pause", WHY[1]), ("shell", "pauses.resume", WHY[1])]
    left = map(json.loads, flask("ops", "pauses", "--json").output.splitlines())
    assert [one["id"] for one in left] == [one["id"] for one in reversed(made[1:])]


def test_ops_pause_refuses_what_does_not_exist(flask: Run, books: Books) -> None:
    ann = email_of(books, books.user())
    for options, message in (
        ((), "name one"),
        (("--type", "charge", "--rail", "sepa"), "name one"),
        (("--merchant", ann), "is no merchant"),
        (("--currency", "XXX"), "there is no currency XXX"),
        (("--rail", "SEPA"), "name of a rail"),
        (("--type", "charge", "--until", "2020-01-01T00:00:00Z"), "in the future"),
    ):
        assert message in flask("ops", "pause", *options, *WHY, fails=True).output
    assert "there is no pause" in flask("ops", "resume", str(uuid4()), *WHY, fails=True).output
    assert flask("ops", "pauses").output == "none\n"
