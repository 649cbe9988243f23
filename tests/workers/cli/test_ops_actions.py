"""`flask ops`, as a person on the shell calls it."""

import json

import pytest

from models import payment_command, resolution
from models.audit import Actor
from models.resolution import Evidence, Resolution
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run
from tests.workers.posting.held_charges import AMOUNT, FUNDS, HeldCharges

pytestmark = pytest.mark.shares_books

REASON = ("--reason", "mended by hand")
PAID = ("--outcome", "paid", "--bank-reference", "BANK 77", "--value-date", "2026-01-31")


@pytest.fixture
def parked(books: Books) -> str:
    """A transfer that was set aside."""
    alice, source = books.client(10_00)
    id = books.order("transfer", alice, source, books.client()[1], 4_00)
    books.park(id)
    return id


@pytest.fixture
def spent(books: Books) -> str:
    """A withdrawal that its bank never answered."""
    client, wallet = books.client(10_00)
    id = books.order("withdrawal", client, wallet, books.technical("wire"), 4_00)
    books.poster().drain()
    with books.as_owner() as connection:
        connection.exec_driver_sql(
            "UPDATE instructions SET submitted_at = now(), rail = 'r', due_at = NULL WHERE payment_id = %s", (id,)
        )
        connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (id,))
    return id


def audited(books: Books, target: str) -> list[tuple[str, str]]:
    with transaction(books.worker) as connection:
        rows = connection.exec_driver_sql(
            "SELECT action, actor FROM audit_log WHERE target = %s ORDER BY id", (target,)
        )
        return [(action, actor) for action, actor in rows]


@pytest.mark.parametrize(("action", "code"), [("cancel", "canceled_by_ops"), ("fail", "system_failure")])
def test_parked_payment_is_ended(flask: Run, books: Books, parked: str, action: str, code: str) -> None:
    possible = json.loads(flask("ops", action, parked, *REASON, "--dry-run", "--json").output)
    assert (possible["refusal"], set(possible["actions"])) == (None, {"retry", "cancel", "fail"})
    assert flask("ops", action, parked, *REASON, "--dry-run").output == f"possible: {action} of {parked}\n"
    assert (books.kept(parked).is_parked, audited(books, parked)) == (True, [])
    assert json.loads(flask("ops", action, parked, *REASON, "--json").output)["ordered"] is True
    books.poster().drain()
    assert books.kept(parked).failure_code == code
    assert audited(books, parked) == [(f"payments.{action}", "shell")]
    assert "payment_final" in flask("ops", action, parked, *REASON, fails=True).output
    assert "payment_final" in flask("ops", action, parked, *REASON, "--dry-run", fails=True).output


def test_hold_is_captured_in_part_and_voided(flask: Run, books: Books) -> None:
    charges = HeldCharges(books)
    first, second = charges.hold(), charges.hold()
    for amount in ("40.01", "0", "-1", "1.001", "x"):
        flask("ops", "capture", first, *REASON, "--amount", amount, fails=True)
    assert books.kept(first).state == "AUTHORIZED"
    flask("ops", "capture", first, *REASON, "--amount", "30.00")
    flask("ops", "void", second, *REASON)
    books.poster().drain()
    assert books.outcomes([first, second]) == ["COMPLETED", "canceled_by_ops"]
    assert charges.money == (FUNDS - 30_00, 0, 30_00)
    assert AMOUNT > 30_00


def test_question_to_the_bank_is_stored(flask: Run, books: Books, spent: str) -> None:
    flask("ops", "ask", spent, *REASON)
    with transaction(books.worker) as connection:
        assert connection.exec_driver_sql("SELECT asked_by, payment_id::text FROM inquiries").all() == [
            ("shell", spent)
        ]
    assert audited(books, spent) == [("payments.ask", "shell")]


def test_proposal_of_the_shell_is_not_approved_on_the_shell(flask: Run, books: Books, spent: str) -> None:
    assert "needs --bank-reference" in flask("ops", "resolve", spent, *PAID[:2], *REASON, fails=True).output
    assert flask("ops", "resolve", spent, *PAID, *REASON, "--dry-run").output.startswith("possible: resolve")
    told = json.loads(flask("ops", "resolve", spent, *PAID, *REASON, "--json").output)
    assert (told["state"], told["proposed_by"], told["value_date"]) == ("proposed", "shell", "2026-01-31")
    assert "own_resolution" in flask("ops", "approve", told["id"], fails=True).output
    assert "resolution_open" in flask("ops", "resolve", spent, "--outcome", "not_paid", *REASON, fails=True).output
    flask("ops", "reject", told["id"], *REASON)
    assert audited(books, told["id"]) == [("resolutions.propose", "shell"), ("resolutions.reject", "shell")]


def test_proposal_of_ops_is_approved_on_the_shell(flask: Run, books: Books, spent: str) -> None:
    with transaction(books.gateway) as connection:
        proposed = resolution.propose(connection, spent, Evidence("not_paid"), Actor(books.user("ops")), "seen")
    assert isinstance(proposed, Resolution)
    [row] = flask("ops", "resolutions", "--payment", spent, "--state", "proposed").output.splitlines()[1:]
    assert row.split()[:4] == [proposed.id, spent, "proposed", "not_paid"]
    for verb in ("approve", "reject"):
        assert "nothing is stored" in flask("ops", verb, proposed.id, *REASON, "--dry-run").output
    [listed] = flask("ops", "resolutions", "--payment", spent, "--json").output.splitlines()
    assert json.loads(listed)["state"] == "proposed"
    assert json.loads(flask("ops", "approve", proposed.id, "--json").output)["state"] == "approved"
    assert "resolution_decided" in flask("ops", "reject", proposed.id, *REASON, fails=True).output
    books.poster().drain()
    assert books.kept(spent).failure_code == "rejected_by_bank"
    with transaction(books.worker) as connection:
        kinds = [(one["kind"], one["outcome"]) for one in payment_command.about(connection, spent)]
    assert kinds == [("resolve", "done"), ("reject", "done")]


def test_unknown_payments_and_resolutions_are_named(flask: Run, books: Books) -> None:
    stranger = "01900000-0000-7000-8000-000000000000"
    assert "there is no payment" in flask("ops", "fail", stranger, *REASON, fails=True).output
    assert "there is no payment" in flask("ops", "resolve", stranger, *PAID, *REASON, fails=True).output
    assert "there is no resolution" in flask("ops", "approve", stranger, fails=True).output
    assert "Missing option '--reason'" in flask("ops", "fail", stranger, fails=True).output
