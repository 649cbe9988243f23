"""`flask ops adjustments|adjust|approve-adjustment|reject-adjustment`, as a person on the shell calls them."""

import json

from uuid_utils import uuid7

from models import adjustment
from models.adjustment import Adjustment, Proposal
from models.audit import Actor
from models.session import transaction
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited

WHY = ("--reason", "Lost in the post")


def by_ops(books: Books, person: str, account: str) -> Adjustment:
    """A proposal of an ops user over HTTP."""
    with transaction(books.gateway) as connection:
        return adjustment.propose(
            connection, str(uuid7()), Proposal(account, "credit", 400, "EUR", "Lost"), Actor(person)
        )


def test_shell_proposes_and_an_ops_user_approves(flask: Run, books: Books) -> None:
    account, chief = books.wallet(books.user("client")), books.user("ops")
    act = ("ops", "adjust", account, "credit", "4.00", "EUR", *WHY)
    assert "dry run, nothing is stored" in flask(*act, "--dry-run").output
    assert flask("ops", "adjustments").output == "none\n"
    body = json.loads(flask(*act, "--json").output)
    assert (body["state"], body["proposed_by"], body["amount"]) == ("proposed", None, "4.00")
    assert audited(books, body["id"]) == [("shell", "adjustments.propose", "Lost in the post")]
    assert "own_adjustment" in flask("ops", "approve-adjustment", body["id"], fails=True).output
    with transaction(books.gateway) as connection:
        proposed = adjustment.by_id(connection, body["id"])
        assert proposed is not None
        assert adjustment.approve(connection, proposed, Actor(chief), None)
    books.poster().drain()
    assert books.balance(account) == 400
    [row] = flask("ops", "adjustments", "--state", "approved").output.splitlines()[1:]
    assert row.split()[:2] == [body["id"], account]
    assert "adjustment_decided" in flask("ops", "reject-adjustment", body["id"], *WHY, fails=True).output


def test_shell_decides_what_an_ops_user_proposed(flask: Run, books: Books) -> None:
    account, person = books.wallet(books.user("client")), books.user("ops")
    wanted, unwanted = by_ops(books, person, account), by_ops(books, person, account)
    assert "dry run" in flask("ops", "approve-adjustment", wanted.id, "--dry-run").output
    first = json.loads(flask("ops", "approve-adjustment", wanted.id, "--json").output)
    again = json.loads(flask("ops", "approve-adjustment", wanted.id, "--json").output)
    assert (first["state"], first["approved_by"]) == ("approved", None)
    assert first == again, "twice has one effect"
    assert "rejected" in flask("ops", "reject-adjustment", unwanted.id, *WHY).output
    books.poster().drain()
    assert books.balance(account) == 400
    assert [action for _, action, _ in audited(books, wanted.id)] == ["adjustments.propose", "adjustments.approve"]
    assert [action for _, action, _ in audited(books, unwanted.id)] == ["adjustments.propose", "adjustments.reject"]
    assert books.violations() == []


def test_what_is_wrong_is_said_in_a_line(flask: Run, books: Books) -> None:
    account = books.wallet(books.user("client"))
    for arguments, text in (
        ((account, "credit", "4.00", "USD"), "currency_mismatch"),
        ((account, "credit", "4.001", "EUR"), "AMOUNT"),
        ((new_id(), "credit", "4.00", "EUR"), "there is no such wallet"),
        (("wal_" + "x" * 32, "credit", "4.00", "EUR"), "there is no such wallet"),
    ):
        assert text in flask("ops", "adjust", *arguments, *WHY, fails=True).output
    assert "there is no adjustment" in flask("ops", "reject-adjustment", new_id(), *WHY, fails=True).output
