"""Verdicts of the lines of a bank statement."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from models import payout, reconciliation
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import (
    PATH,
    answered,
    judged,
    paid,
    returned,
    row,
    table,
    today,
    upload,
    verdicts,
    withdraw,
)
from tests.support import Database, costing

LATER = {"missing_there": 0, "dismissed": 0}
"""The other counts of a statement of today: what the bank answered today it books tomorrow."""


def test_lines_get_each_verdict(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    same, other, waiting, refused = (withdraw(api, client, customer_wallet) for _ in range(4))
    for id in (same, other):
        answered(api, id)
    answered(api, refused, is_confirmed=False)
    missing = paid(api, client, customer_wallet, "7.00", "B7")
    rows = [row(same), row(other, "9.99"), row(waiting), row(refused), row(same), row(same, direction="credit"), row()]
    id, lines = judged(ops, table(*rows, row(str(uuid4())), day=today(api)))
    assert verdicts(lines)[:8] == [
        ("matched", None, same),
        ("mismatched", "amount", other),
        ("mismatched", "state", waiting),
        ("mismatched", "state", refused),
        ("mismatched", "duplicate", same),
        ("mismatched", "direction", same),
        ("missing_here", None, None),
        ("missing_here", None, None),
    ]
    [there] = [line for line in lines if line["payment"] == missing]
    assert (there["verdict"], {line["verdict"] for line in lines[8:]}) == ("expected", {"expected"})
    assert (there["amount"], there["direction"], there["bank_reference"]) == ("7.00", "debit", "B7")
    assert there["end_to_end_id"] == UUID(missing).hex
    counts = ops.get(f"{PATH}/{id}").get_json()["counts"]
    assert counts == {"matched": 1, "mismatched": 5, "missing_here": 2, **LATER, "expected": len(lines) - 8}


def test_reconciliation_moves_no_money(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    id = paid(api, client, customer_wallet)
    kept = ("payments", "operations", "accounts", "commands", "events")
    before = {table: digest for table, digest in api.tables().items() if table in kept}
    judged(ops, table(row(id), row(id, "1.00"), row(), day=today(api)))
    api.post_payments()
    assert before == {table: digest for table, digest in api.tables().items() if table in kept}


def test_withdrawal_is_compared_without_its_commission(fresh_database: Database, postgres: Any) -> None:
    api = ApiHarness(fresh_database)
    costing(
        postgres, fresh_database.owner.rpartition("/")[2].partition("?")[0], "withdrawal", currency="EUR", fixed=100
    )
    ops, client = api.person("ops"), api.person("client")
    id = paid(api, client, client.wallet("100.00"))
    assert client.payment(id)["commission"] == "1.00"
    _, lines = judged(ops, table(row(id, "9.00")))
    assert verdicts(lines) == [("matched", None, id)]


def test_line_without_end_to_end_id_matches_by_bank_reference(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet, reference='B"{1,\\')
    lines = judged(ops, table(row(bank_reference='B"{1,\\'), row(str(uuid4()), bank_reference="B2")))[1]
    assert verdicts(lines)[:2] == [("matched", None, id), ("missing_here", None, None)]


def test_payout_without_payment_is_missing_here(api: ApiHarness, ops: ApiUser) -> None:
    detached = str(uuid4())
    whom = payout.Counterparty("DE89370400440532013000", "Bob")
    with transaction(api.gateway) as connection:
        payout.keep(connection, {detached: whom})
    _, lines = judged(ops, table(row(detached)))
    assert verdicts(lines) == [("missing_here", None, None)]


def test_returns_are_reconciled(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    id = paid(api, client, customer_wallet)
    part, rest = returned(api, id, 400, "R1"), returned(api, id, 600, "R2")
    late = returned(api, paid(api, client, customer_wallet, "3.00", "B3"), 300, "R3")
    data = table(
        row(id),
        row(id, "6.00", "credit"),
        row(id, "4.00", "credit"),
        row(direction="credit", amount="3.00", bank_reference="R3"),
        day=today(api),
    )
    lines = judged(ops, data)[1]
    assert verdicts(lines)[:4] == [("matched", None, p) for p in (id, rest, part, late)]
    assert {line["verdict"] for line in lines[4:]} <= {"expected"}


def test_unbooked_return_is_expected(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    id = paid(api, client, customer_wallet)
    back = returned(api, id, 1000, uuid4().hex)
    lines = judged(ops, table(row(id), day=today(api)))[1]
    assert ("expected", None, back) in verdicts(lines)


def test_payment_in_earlier_statement_is_not_missing(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet)
    judged(ops, table(row(id, bank_reference="B1"), day="2026-01-31"))
    lines = judged(ops, table(row(), day=today(api)))[1]
    assert id not in {line["payment"] for line in lines}


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [("B1", ("matched", None)), ("", ("matched", None)), ("B2", ("mismatched", "duplicate"))],
)
def test_second_booking_gets_verdict_by_bank_reference(
    api: ApiHarness,
    ops: ApiUser,
    client: ApiUser,
    customer_wallet: str,
    reference: str,
    verdict: tuple[str, str | None],
) -> None:
    id = paid(api, client, customer_wallet)
    judged(ops, table(row(id, bank_reference="B1")))
    lines = judged(ops, table(row(id, bank_reference=reference)))[1]
    assert verdicts(lines)[0] == (*verdict, id)


@pytest.mark.parametrize("days", [-1, 1])
def test_payment_of_other_days_is_not_missing(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, days: int
) -> None:
    id = paid(api, client, customer_wallet)
    [day] = api.execute("SELECT ((now() AT TIME ZONE 'UTC')::date + %s)::text", days)
    assert id not in {line["payment"] for line in judged(ops, table(row(), day=day))[1]}


def test_payment_in_other_currency_is_not_missing(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet)
    assert id not in {line["payment"] for line in judged(ops, table(row(currency="USD"), day=today(api)))[1]}
    assert id in {line["payment"] for line in judged(ops, table(row(), day=today(api)))[1]}


def test_many_lines_are_compared_in_batches(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "ROWS_AT_ONCE", 2)
    ids = [paid(api, client, customer_wallet, "1.00") for _ in range(4)]
    missing = [paid(api, client, customer_wallet, "1.00") for _ in range(5)]
    lines = judged(ops, table(*(row(id, "1.00") for id in ids), row(ids[0], "1.00"), day=today(api)))[1]
    assert verdicts(lines)[:5] == [*(("matched", None, id) for id in ids), ("mismatched", "duplicate", ids[0])]
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["payment"] for line in lines[5:]][-5:] == missing, "in the order of the bank's answers"


def test_statement_with_too_many_missing_payments_is_refused(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "MISSING_THERE_MAX", 1)
    for _ in range(2):
        paid(api, client, customer_wallet, "1.00")
    with api.unchanged():
        answer = upload(ops, table(row(), day=today(api)))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")
