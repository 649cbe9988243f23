"""Statements of banks over HTTP: each verdict, matching by hand, and what is refused with nothing stored."""

import csv
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import TestResponse

from gateway.reconciliation import statement_files
from models import bank_return, payout, reconciliation
from models.bank_return import Return
from models.payout import BankResult
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.iso20022_messages import CAMT, RETURNED, STRANGE, camt, entry, strange
from tests.support import Database, costing

PATH = "/v1/ops/reconciliations"
COLUMNS = ("booked_on", "direction", "amount", "currency", "end_to_end_id", "bank_reference", "description")
PAYEE = {"iban": "DE89370400440532013000", "name": "Bob", "target": "wire"}
AT_ONCE = 5


@pytest.fixture(scope="module")
def ops(house: ApiHarness) -> ApiUser:
    """Who uploads."""
    return house.person("ops", "Ops")


@pytest.fixture
def purse(client: ApiUser) -> str:
    """A wallet of the client's with 100.00 EUR."""
    return client.wallet("100.00")


def withdraw(house: ApiHarness, client: ApiUser, purse: str, amount: str = "10.00", currency: str = "EUR") -> str:
    """The id of a withdrawal that waits for the bank."""
    order = {"wallet": purse, "amount": amount, "currency": currency, **PAYEE}
    id = client.order("/v1/withdrawals", order).get_json()["id"]
    house.post_payments()
    return id


def answered(house: ApiHarness, id: str, reference: str | None = None, *, is_confirmed: bool = True) -> str:
    """The same, after the bank's answer."""
    with transaction(house.worker) as connection:
        assert payout.answer(connection, [BankResult(id, is_confirmed, None, reference)])
    house.post_payments()
    return id


def paid(house: ApiHarness, client: ApiUser, purse: str, amount: str = "10.00", reference: str | None = None) -> str:
    """The id of a withdrawal that the bank has paid out."""
    return answered(house, withdraw(house, client, purse, amount), reference)


def returned(house: ApiHarness, id: str, amount: int, number: str) -> str:
    """The id of the payment by which so much of it came back."""
    with transaction(house.worker) as connection:
        bank_return.keep(connection, "sepa", [Return(number, id, amount)])
        bank_return.give_back(connection, 10)
    house.post_payments()
    [payment] = house.execute("SELECT payment_id::text FROM returns WHERE bank_id = %s", number)
    return payment


def today(house: ApiHarness) -> str:
    return str(house.execute("SELECT (now() AT TIME ZONE 'UTC')::date")[0])


def row(id: str = "", amount: str = "10.00", direction: str = "debit", **others: str) -> dict[str, str]:
    """A line of a CSV; unless it names its day, that is told later."""
    key = UUID(id).hex if id else ""
    return {"direction": direction, "amount": amount, "currency": "EUR", "end_to_end_id": key, **others}


def table(*rows: dict[str, str], day: str = "2026-11-20", columns: tuple[str, ...] = COLUMNS) -> bytes:
    """A CSV of these lines, no two files alike."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({"booked_on": day, "description": uuid4().hex, **given} for given in rows)
    return text.getvalue().encode()


def upload(person: ApiUser, data: bytes, media_type: str = "text/csv") -> TestResponse:
    return person.call("POST", PATH, data=data, content_type=media_type)


def judged(ops: ApiUser, data: bytes, media_type: str = "text/csv") -> tuple[str, list[dict[str, Any]]]:
    """The id of the statement, and its lines."""
    answer = upload(ops, data, media_type)
    assert answer.status_code == 201, answer.get_json()
    id = answer.get_json()["id"]
    return id, ops.get(f"{PATH}/{id}/lines?limit=100").get_json()["data"]


def verdicts(lines: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(line["verdict"], line["difference"], line["payment"]) for line in lines]


def match(person: ApiUser, id: str, line: object, payment: str, reason: str = "Seen the receipt") -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/lines/{line}/match", json={"payment": payment, "reason": reason})


# Verdicts


def test_lines_get_each_verdict(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    same, other, waiting, refused = (withdraw(house, client, purse) for _ in range(4))
    for id in (same, other):
        answered(house, id)
    answered(house, refused, is_confirmed=False)
    missing = paid(house, client, purse, "7.00", "B7")
    rows = [row(same), row(other, "9.99"), row(waiting), row(refused), row(same), row(same, direction="credit"), row()]
    id, lines = judged(ops, table(*rows, row(str(uuid4())), day=today(house)))
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
    assert (there["verdict"], {line["verdict"] for line in lines[8:]}) == ("missing_there", {"missing_there"})
    assert (there["amount"], there["direction"], there["bank_reference"]) == ("7.00", "debit", "B7")
    assert there["end_to_end_id"] == UUID(missing).hex
    counts = ops.get(f"{PATH}/{id}").get_json()["counts"]
    assert counts == {"matched": 1, "mismatched": 5, "missing_here": 2, "missing_there": len(lines) - 8}


def test_reconciliation_moves_no_money(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id = paid(house, client, purse)
    kept = ("payments", "operations", "accounts", "commands", "events")
    before = {table: digest for table, digest in house.tables().items() if table in kept}
    judged(ops, table(row(id), row(id, "1.00"), row(), day=today(house)))
    house.post_payments()
    assert before == {table: digest for table, digest in house.tables().items() if table in kept}


def test_withdrawal_is_compared_without_its_commission(fresh_database: Database, postgres: Any) -> None:
    house = ApiHarness(fresh_database)
    costing(
        postgres, fresh_database.owner.rpartition("/")[2].partition("?")[0], "withdrawal", currency="EUR", fixed=100
    )
    ops, client = house.person("ops"), house.person("client")
    id = paid(house, client, client.wallet("100.00"))
    assert client.get(f"/v1/payments/{id}").get_json()["commission"] == "1.00"
    _, lines = judged(ops, table(row(id, "9.00")))
    assert verdicts(lines) == [("matched", None, id)]


def test_line_without_end_to_end_id_matches_by_bank_reference(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    id = paid(house, client, purse, reference='B"{1,\\')
    lines = judged(ops, table(row(bank_reference='B"{1,\\'), row(str(uuid4()), bank_reference="B2")))[1]
    assert verdicts(lines)[:2] == [("matched", None, id), ("missing_here", None, None)]


def test_payout_without_payment_is_missing_here(house: ApiHarness, ops: ApiUser) -> None:
    detached = str(uuid4())
    whom = payout.Counterparty("DE89370400440532013000", "Bob")
    with transaction(house.gateway) as connection:
        payout.keep(connection, {detached: whom})
    _, lines = judged(ops, table(row(detached)))
    assert verdicts(lines) == [("missing_here", None, None)]


def test_returns_are_reconciled(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id = paid(house, client, purse)
    part, rest = returned(house, id, 400, "R1"), returned(house, id, 600, "R2")
    late = returned(house, paid(house, client, purse, "3.00", "B3"), 300, "R3")
    data = table(
        row(id),
        row(id, "6.00", "credit"),
        row(id, "4.00", "credit"),
        row(direction="credit", amount="3.00", bank_reference="R3"),
        day=today(house),
    )
    lines = judged(ops, data)[1]
    assert verdicts(lines)[:4] == [("matched", None, p) for p in (id, rest, part, late)]
    assert {line["verdict"] for line in lines[4:]} <= {"missing_there"}


def test_unbooked_return_is_missing_there(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id = paid(house, client, purse)
    back = returned(house, id, 1000, uuid4().hex)
    lines = judged(ops, table(row(id), day=today(house)))[1]
    assert ("missing_there", None, back) in verdicts(lines)


def test_payment_in_earlier_statement_is_not_missing(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    id = paid(house, client, purse)
    judged(ops, table(row(id, bank_reference="B1"), day="2026-01-31"))
    lines = judged(ops, table(row(), day=today(house)))[1]
    assert id not in {line["payment"] for line in lines}


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [("B1", ("matched", None)), ("", ("matched", None)), ("B2", ("mismatched", "duplicate"))],
)
def test_second_booking_gets_verdict_by_bank_reference(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str, reference: str, verdict: tuple[str, str | None]
) -> None:
    id = paid(house, client, purse)
    judged(ops, table(row(id, bank_reference="B1")))
    lines = judged(ops, table(row(id, bank_reference=reference)))[1]
    assert verdicts(lines)[0] == (*verdict, id)


@pytest.mark.parametrize("days", [-1, 1])
def test_payment_of_other_days_is_not_missing(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str, days: int
) -> None:
    id = paid(house, client, purse)
    [day] = house.execute("SELECT ((now() AT TIME ZONE 'UTC')::date + %s)::text", days)
    assert id not in {line["payment"] for line in judged(ops, table(row(), day=day))[1]}


def test_payment_in_other_currency_is_not_missing(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id = paid(house, client, purse)
    assert id not in {line["payment"] for line in judged(ops, table(row(currency="USD"), day=today(house)))[1]}
    assert id in {line["payment"] for line in judged(ops, table(row(), day=today(house)))[1]}


def test_many_lines_are_compared_in_batches(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "ROWS_AT_ONCE", 2)
    ids = [paid(house, client, purse, "1.00") for _ in range(4)]
    missing = [paid(house, client, purse, "1.00") for _ in range(5)]
    lines = judged(ops, table(*(row(id, "1.00") for id in ids), row(ids[0], "1.00"), day=today(house)))[1]
    assert verdicts(lines)[:5] == [*(("matched", None, id) for id in ids), ("mismatched", "duplicate", ids[0])]
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["payment"] for line in lines[5:]][-5:] == missing, "in the order of the bank's answers"


def test_statement_with_too_many_missing_payments_is_refused(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "MISSING_THERE_MAX", 1)
    for _ in range(2):
        paid(house, client, purse, "1.00")
    with house.unchanged():
        answer = upload(ops, table(row(), day=today(house)))
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")


# camt.053


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml", "application/xml; charset=utf-8"])
def test_camt053_is_parsed(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str, media_type: str) -> None:
    id, other = paid(house, client, purse, "10.00"), paid(house, client, purse, "5.50")
    back = returned(house, other, 550, uuid4().hex)
    entries = [
        entry("DBIT", "10.00", UUID(id).hex, "B1", detail="<RmtInf><Ustrd>Rent\u202e</Ustrd></RmtInf>"),
        entry("DBIT", "5.5", UUID(other).hex),
        entry("CRDT", "5.50", UUID(other).hex, detail=RETURNED),
        entry("DBIT", "3.00"),
    ]
    days = "<FrToDt><FrDtTm>2026-11-18T00:00:00</FrDtTm><ToDtTm>2026-11-20T23:59:59</ToDtTm></FrToDt>"
    statement, lines = judged(ops, camt(*entries, days=days), media_type)
    assert verdicts(lines)[:4] == [*(("matched", None, p) for p in (id, other, back)), ("missing_here", None, None)]
    assert lines[0]["description"] == "Rent"
    told = ops.get(f"{PATH}/{statement}").get_json()
    assert [told[name] for name in ("form", "account", "begins_on", "ends_on", "uploaded_by")] == [
        *("camt.053", "DE89370400440532013000", "2026-11-18", "2026-11-20", ops.id),
    ]


def test_statement_of_empty_day_shows_missing_payments(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    id, day = paid(house, client, purse), today(house)
    days = f"<FrToDt><FrDtTm>{day}T00:00:00</FrDtTm><ToDtTm>{day}T23:59:59</ToDtTm></FrToDt>"
    assert ("missing_there", None, id) in verdicts(judged(ops, camt(days=days), "application/xml")[1])


def test_invalid_entry_is_set_aside_with_its_pointer(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    id = paid(house, client, purse)
    odd = [entry(amount="1.005"), entry(day="2026-02-30"), entry(day="0001-01-01"), entry(currency="XXX")]
    answer = upload(ops, camt(*odd, entry("DBIT", "10.00", UUID(id).hex.upper())), "application/xml")
    told = answer.get_json()
    assert (answer.status_code, told["counts"]["matched"]) == (201, 1)
    assert [(flaw["pointer"], flaw["code"]) for flaw in told["set_aside"]] == [
        ("/Stmt/1/Ntry/2/BookgDt", "invalid_value"),
        ("/Stmt/1/Ntry/1/amount", "amount_precision"),
        ("/Stmt/1/Ntry/3/booked_on", "invalid_value"),
        ("/Stmt/1/Ntry/4/currency", "currency_unknown"),
    ]


def parts(*ids: str, amount: str = "") -> str:
    """Transactions of an entry, of which the bank tells no amount, or each the same."""
    told = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return "".join(f"<TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs>{told}</TxDtls>" for id in ids)


def batch(amount: str, transactions: str) -> str:
    return entry("DBIT", amount).replace("<TxDtls><Refs></Refs></TxDtls>", transactions)


def test_amount_above_the_parts_is_missing_here(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id = paid(house, client, purse, "15.00")
    _, lines = judged(ops, camt(batch("15.26", parts(UUID(id).hex, amount="15.00"))), "application/xml")
    assert verdicts(lines)[:2] == [("matched", None, id), ("missing_here", None, None)]
    assert [line["amount"] for line in lines[:2]] == ["15.00", "0.26"]


def test_parts_without_amount_take_it_from_their_payments(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    ids = [paid(house, client, purse, amount) for amount in ("1.00", "2.00", "3.00")]
    keys = [UUID(id).hex for id in ids]
    _, lines = judged(ops, camt(batch("6.00", parts(*keys))), "application/xml")
    assert verdicts(lines)[:3] == [("matched", None, id) for id in ids]
    ids = [paid(house, client, purse, amount) for amount in ("1.00", "2.00")]
    keys = [*(UUID(id).hex for id in ids), "theirs", "others"]
    _, lines = judged(ops, camt(batch("9.00", parts(*keys))), "application/xml")
    assert verdicts(lines)[:3] == [*(("matched", None, id) for id in ids), ("missing_here", None, None)]
    assert (lines[2]["amount"], lines[2]["description"]) == ("6.00", "theirs, others")
    [id] = [paid(house, client, purse, "1.00")]
    _, lines = judged(ops, camt(batch("9.00", parts(UUID(id).hex, "theirs"))), "application/xml")
    assert [(line["amount"], line["end_to_end_id"]) for line in lines[:2]] == [
        ("1.00", UUID(id).hex),
        ("8.00", "theirs"),
    ]


def test_accounts_are_compared_by_own_days_and_currency(
    house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str
) -> None:
    id, day = paid(house, client, purse), today(house)
    dollars = (
        f"<Stmt><Acct><Id><Othr><Id>8</Id></Othr></Id><Ccy>USD</Ccy></Acct>{entry(currency='USD', day=day)}</Stmt>"
    )
    both = camt(entry()).replace(b"</BkToCstmrStmt>", f"{dollars}</BkToCstmrStmt>".encode())
    statement, lines = judged(ops, both, "application/xml")
    assert id not in {line["payment"] for line in lines}, "today is the dollars' day alone"
    assert [line["account"] for line in lines[:2]] == ["DE89370400440532013000", "8"]
    assert ops.get(f"{PATH}/{statement}").get_json()["account"] is None
    euros = dollars.replace("USD", "EUR")
    same = camt(entry(amount="2.00", day=day)).replace(b"</BkToCstmrStmt>", f"{euros}</BkToCstmrStmt>".encode())
    lines = judged(ops, same, "application/xml")[1]
    assert [line["payment"] for line in lines].count(id) == 1, "missing in both, it is told once"


def test_statement_without_entries_covers_its_day(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id, day = paid(house, client, purse), today(house)
    closing = f"<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Dt><Dt>{day}</Dt></Dt></Bal>"
    statement, lines = judged(ops, camt(days=closing), "application/xml")
    assert ("missing_there", None, id) in verdicts(lines)
    told = ops.get(f"{PATH}/{statement}").get_json()
    assert (told["begins_on"], told["ends_on"]) == (day, day)


# The same file


def test_same_file_again_is_replayed(house: ApiHarness, ops: ApiUser) -> None:
    data = table(row())
    first, another = upload(ops, data), house.person("ops")
    with house.unchanged():
        again = upload(another, data)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert (first.headers.get("Idempotent-Replayed"), again.headers.get("Idempotent-Replayed")) == (None, "true")


def test_concurrent_uploads_of_one_file_create_one_statement(house: ApiHarness, ops: ApiUser) -> None:
    data, together = table(row()), threading.Barrier(AT_ONCE)

    def race(_: int) -> TestResponse:
        together.wait()
        return upload(ops, data)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(race, range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count(None) == 1
    assert house.execute("SELECT count(*) FROM audit_log WHERE target = %s", answers[0].get_json()["id"]) == [1]


# Lists


def test_lines_are_listed_in_order_in_pages(ops: ApiUser) -> None:
    id, _ = judged(ops, table(*(row(amount=f"{n}.00") for n in range(1, 8))))
    first = ops.get(f"{PATH}/{id}/lines?limit=3").get_json()
    second = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={first['next_cursor']}").get_json()
    third = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={second['next_cursor']}").get_json()
    assert [[line["line"] for line in page["data"]] for page in (first, second, third)] == [[1, 2, 3], [4, 5, 6], [7]]
    assert (third["has_more"], first["prev_cursor"]) == (False, None)
    back = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={third['prev_cursor']}").get_json()
    assert back["data"] == second["data"]


def test_lines_are_filtered_by_verdict(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    one = paid(house, client, purse)
    id, _ = judged(ops, table(row(one), row(one), row()))
    found = {
        query: [line["line"] for line in ops.get(f"{PATH}/{id}/lines?verdict={query}").get_json()["data"]]
        for query in ("matched", "mismatched", "missing_here", "matched,missing_here")
    }
    assert found == {"matched": [1], "mismatched": [2], "missing_here": [3], "matched,missing_here": [1, 3]}
    assert ops.get(f"{PATH}/{id}/lines?verdict=lost").get_json()["code"] == "invalid_value"
    assert ops.get(f"{PATH}/{id}/lines?cursor=x").get_json()["code"] == "bad_cursor"


def test_auditor_reads_but_cannot_match(house: ApiHarness, ops: ApiUser) -> None:
    id, _ = judged(ops, table(row()))
    auditor = house.person("auditor")
    assert auditor.get(f"{PATH}/{id}").get_json()["id"] == id
    assert len(auditor.get(f"{PATH}/{id}/lines").get_json()["data"]) == 1
    with house.unchanged():
        assert match(auditor, id, 1, str(uuid4())).get_json()["code"] == "scope_missing"
        assert upload(auditor, table(row())).get_json()["code"] == "scope_missing"


# By hand


def test_line_is_matched_manually_once(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    payment = paid(house, client, purse)
    id, lines = judged(ops, table(row(amount="10.00"), day=today(house)))
    assert ("missing_there", None, payment) in verdicts(lines)
    before = ops.get(f"{PATH}/{id}").get_json()["counts"]
    answer = match(ops, id, 1, payment)
    told = answer.get_json()
    assert (answer.status_code, told["verdict"], told["payment"]) == (200, "matched", None)
    assert (told["match"]["payment"], told["match"]["reason"]) == (payment, "Seen the receipt")
    assert told["match"]["matched_by"] == ops.id
    after = ops.get(f"{PATH}/{id}").get_json()["counts"]
    assert after["matched"] == before["matched"] + 2, "the line, and the payment that was missing there"
    assert (after["missing_here"], after["missing_there"]) == (0, before["missing_there"] - 1)
    audit = ops.get(f"/v1/ops/audit?target={id}/1").get_json()["data"]
    assert [(line["action"], line["actor"], line["reason"]) for line in audit] == [
        ("reconciliations.match", ops.id, "Seen the receipt")
    ]
    assert (audit[0]["before"]["verdict"], audit[0]["after"]["match"]["payment"]) == ("missing_here", payment)
    another = house.person("ops")
    with house.unchanged():
        late = match(another, id, 1, payment)
    assert (late.status_code, late.get_json()["code"]) == (409, "line_matched")
    assert payment not in {line["payment"] for line in judged(ops, table(row(), day=today(house)))[1]}


def test_concurrent_matches_one_succeeds(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    payment, together = paid(house, client, purse), threading.Barrier(AT_ONCE)
    id, _ = judged(ops, table(row(amount="1.00")))

    def race(_: int) -> int:
        together.wait()
        return match(ops, id, 1, payment).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(race, range(AT_ONCE))) == [200] + [409] * (AT_ONCE - 1)
    assert house.execute("SELECT count(*) FROM audit_log WHERE target = %s", f"{id}/1") == [1]


def test_missing_payment_is_accepted_as_missing(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    payment, other = paid(house, client, purse), paid(house, client, purse)
    id, lines = judged(ops, table(row(other), day=today(house)))
    [number] = [line["line"] for line in lines if line["payment"] == payment]
    with house.unchanged():
        assert match(ops, id, number, other).get_json()["errors"][0]["pointer"] == "/payment"
    assert match(ops, id, number, payment, "Booked tomorrow").get_json()["verdict"] == "matched"


def test_invalid_match_is_refused(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    payment = paid(house, client, purse)
    id, _ = judged(ops, table(row(payment), row()))
    with house.unchanged():
        assert match(ops, id, 1, payment).get_json()["code"] == "line_matched"
        assert match(ops, id, 2, str(uuid4())).get_json()["errors"][0]["pointer"] == "/payment"
        for strange_line in (0, 999, "01", "x", "1e1", "-1", "9" * 40):
            assert match(ops, id, strange_line, payment).status_code == 404
        for strange_id in (str(uuid4()), "x", id.upper(), "%00"):
            assert match(ops, strange_id, 2, payment).status_code == 404
            assert ops.get(f"{PATH}/{strange_id}").status_code == 404
            assert ops.get(f"{PATH}/{strange_id}/lines").status_code == 404
        said = {"payment": payment, "reason": "Seen"}
        for wrong, code in [
            ({"payment": "x"}, "invalid_value"),
            ({"payment": None}, "null_not_allowed"),
            ({"reason": " "}, "invalid_value"),
            ({"reason": "a\u202eb"}, "text_invalid"),
            ({"reason": "x" * 501}, "text_too_long"),
            ({"verdict": "matched"}, "unknown_field"),
        ]:
            answer = ops.call("POST", f"{PATH}/{id}/lines/2/match", json={**said, **wrong})
            assert (answer.status_code, answer.get_json()["code"]) == (422, code)


# What is refused


@pytest.mark.parametrize(
    ("line", "pointer", "code"),
    [
        ({"amount": "1.005"}, "amount", "amount_precision"),
        ({"amount": "0.00"}, "amount", "amount_not_positive"),
        ({"amount": "-1.00"}, "amount", "amount_invalid"),
        ({"amount": "1e5"}, "amount", "amount_invalid"),
        ({"amount": "NaN"}, "amount", "amount_invalid"),
        ({"amount": " 1.00"}, "amount", "amount_invalid"),
        ({"amount": "\u0661\u0660"}, "amount", "amount_invalid"),
        ({"amount": "1_000"}, "amount", "amount_invalid"),
        ({"amount": "9" * 400}, "amount", "amount_too_large"),
        ({"amount": "9" * 39}, "amount", "amount_too_large"),
        ({"amount": ""}, "amount", "amount_invalid"),
        ({"currency": "XXX"}, "currency", "currency_unknown"),
        ({"currency": "eur"}, "currency", "currency_unknown"),
        ({"direction": "both"}, "direction", "invalid_value"),
        ({"booked_on": "20.11.2026"}, "booked_on", "invalid_value"),
        ({"booked_on": "2026-02-30"}, "booked_on", "invalid_value"),
        ({"booked_on": "0001-01-01"}, "booked_on", "invalid_value"),
        ({"booked_on": "9999-12-31"}, "booked_on", "invalid_value"),
        ({"description": "a\x00b"}, "description", "text_invalid"),
        ({"description": "a\u202eb"}, "description", "text_invalid"),
        ({"description": "x" * 141}, "description", "text_too_long"),
        ({"end_to_end_id": "x" * 141}, "end_to_end_id", "text_too_long"),
        ({"bank_reference": "x" * 141}, "bank_reference", "text_too_long"),
        ({"description": "a\nb"}, "description", "text_invalid"),
    ],
)
def test_invalid_line_is_set_aside_alone(ops: ApiUser, line: dict[str, str], pointer: str, code: str) -> None:
    answer = upload(ops, table(row(), {**row(), **line}, row()))
    [flaw] = answer.get_json()["set_aside"]
    assert (answer.status_code, flaw["pointer"], flaw["code"]) == (201, f"/lines/2/{pointer}", code)
    shown = ops.get(f"{PATH}/{answer.get_json()['id']}").get_json()
    assert (shown["set_aside"], shown["counts"]["missing_here"]) == ([flaw], 2)
    kept = ops.get(f"{PATH}/{shown['id']}/lines").get_json()["data"]
    assert [one["line"] for one in kept[:2]] == [1, 3], "lines keep the numbers that they have in the file"


def test_file_without_valid_line_is_refused(house: ApiHarness, ops: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    with house.unchanged():
        answer = upload(ops, table(row(amount="0"), row(amount="x"))).get_json()
        assert [flaw["pointer"] for flaw in answer["errors"]] == ["/lines/1/amount", "/lines/2/amount"]
        assert len(upload(ops, table(*[row(amount="0")] * 1000)).get_json()["errors"]) == 20
        monkeypatch.setattr(statement_files, "SET_ASIDE_MAX", 1)
        assert upload(ops, table(row(), row(amount="0"), row(amount="x"))).status_code == 422


HEADER = b"booked_on,direction,amount,currency\n"
LINE = b"2026-11-20,debit,1.00,EUR\n"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "required"),
        (HEADER, 422, "invalid_value"),
        (HEADER + LINE + b"2026-11-20,debit\n", 201, ""),
        (HEADER + LINE + b'2026-11-20,"debit\n', 201, ""),
        (HEADER + b'2026-11-20,"debit\n', 400, "malformed_csv"),
        (HEADER + LINE + b"\xff\xfe\n", 400, "malformed_csv"),
        (HEADER + b"x" * 140_000, 400, "malformed_csv"),
        (HEADER.replace(b"currency", b"id") + LINE, 422, "unknown_field"),
        (HEADER.replace(b"currency", b"amount") + LINE, 422, "unknown_field"),
        (HEADER.replace(b",currency", b"") + LINE, 422, "required"),
        (HEADER + LINE + LINE.replace(b"2026", b"2025"), 201, ""),
        (HEADER + LINE + LINE.replace(b"2026-11-20", b"2025-11-18"), 422, "invalid_value"),
    ],
)
def test_file_that_is_no_statement_is_refused(
    house: ApiHarness, ops: ApiUser, data: bytes, status: int, code: str
) -> None:
    answer = upload(ops, data)
    assert (answer.status_code, answer.get_json().get("code", "")) == (status, code)


def test_csv_of_spreadsheets_is_read(ops: ApiUser) -> None:
    data = (
        b"\xef\xbb\xbf"
        + b'"currency";'.replace(b";", b",")
        + b"amount,direction,booked_on\r\n\r\nEUR,1,debit,2026-11-20\r\n"
    )
    assert judged(ops, data)[1][0]["amount"] == "1.00"


def test_file_in_latin_1_is_refused_with_its_line(house: ApiHarness, ops: ApiUser) -> None:
    columns = HEADER.replace(b"\n", b",description\n")
    lines = LINE.replace(b"\n", b",x\n") + LINE.replace(b"\n", b",Caf\xe9\n")
    with house.unchanged():
        answer = upload(ops, columns + lines)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_csv")
    assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == ["/lines/2"]


def test_spaces_around_ids_are_ignored(house: ApiHarness, ops: ApiUser, client: ApiUser, purse: str) -> None:
    id, number = paid(house, client, purse), uuid4().hex
    by_number = paid(house, client, purse, reference=number)
    rows = [row(end_to_end_id=f"\u00a0{UUID(id).hex} "), row(bank_reference=f" {number}\u3000", end_to_end_id=" ")]
    _, lines = judged(ops, table(*rows).replace(b"\r\n", b"\r\n \r\n,,\r\n"))
    assert verdicts(lines)[:2] == [("matched", None, id), ("matched", None, by_number)]
    assert [(line["line"], line["end_to_end_id"]) for line in lines[:2]] == [(1, UUID(id).hex), (2, None)]


@pytest.mark.parametrize("name", STRANGE)
def test_xml_that_is_no_statement_is_refused(house: ApiHarness, ops: ApiUser, name: str) -> None:
    with house.unchanged():
        answer = upload(ops, strange(name, CAMT), "application/xml")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_xml")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (camt(), 422, "invalid_value"),
        (camt(entry(amount="1.005")), 422, "amount_precision"),
        (camt(entry(currency="XXX")), 422, "currency_unknown"),
        (camt(entry(), currency="ZZZ"), 422, "currency_unknown"),
        (camt(entry(day="0001-01-01")), 422, "invalid_value"),
        (camt(entry()).replace(b"camt.053", b"camt.052"), 400, "malformed_xml"),
        (camt(entry(key="k" * 1000, number="n" * 1000), entry("CRDT", "1", "\u202ek")), 201, ""),
    ],
)
def test_camt053_edge_cases_are_answered(house: ApiHarness, ops: ApiUser, data: bytes, status: int, code: str) -> None:
    answer = upload(ops, data, "application/xml")
    assert (answer.status_code, answer.get_json().get("code", "")) == (status, code)


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "multipart/form-data; boundary=x", "text/plain", "application/pdf"]
)
def test_other_media_types_are_refused(house: ApiHarness, ops: ApiUser, media_type: str | None) -> None:
    with house.unchanged():
        answer = ops.call("POST", PATH, data=table(row()), content_type=media_type)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")


def test_too_large_statement_is_refused(house: ApiHarness, ops: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_files, "LINES_MAX", 3)
    with house.unchanged():
        assert upload(ops, HEADER + LINE * 4).get_json()["errors"][0]["pointer"] == "/lines"
        large = HEADER + LINE + b"\n" * statement_files.BYTES_MAX
        assert upload(ops, large).get_json()["code"] == "body_too_large"
        chunked = {"wsgi.input_terminated": True}
        answer = ops.call(
            "POST", PATH, input_stream=io.BytesIO(large), content_type="text/csv", environ_overrides=chunked
        )
        assert answer.get_json()["code"] == "body_too_large"
        packed = ops.call("POST", PATH, data=b"x", content_type="text/csv", headers={"Content-Encoding": "gzip"})
        assert packed.status_code == 415
        assert ops.call("POST", f"{PATH}?name=x", data=HEADER + LINE, content_type="text/csv").status_code == 422
    assert upload(ops, HEADER + LINE * 3).status_code == 201
