"""Statements in camt.053: accounts, days, batches and invalid entries."""

from uuid import UUID, uuid4

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import PATH, batch, judged, paid, parts, returned, today, upload, verdicts
from tests.iso20022_messages import RETURNED, camt, entry


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml", "application/xml; charset=utf-8"])
def test_camt053_is_parsed(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, media_type: str
) -> None:
    id, other = paid(api, client, customer_wallet, "10.00"), paid(api, client, customer_wallet, "5.50")
    back = returned(api, other, 550, uuid4().hex)
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
    shown = ops.get(f"{PATH}/{statement}").get_json()
    assert [shown[name] for name in ("form", "account", "begins_on", "ends_on", "uploaded_by")] == [
        *("camt.053", "DE89370400440532013000", "2026-11-18", "2026-11-20", ops.id),
    ]


def test_statement_of_empty_day_shows_missing_payments(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id, day = paid(api, client, customer_wallet), today(api)
    days = f"<FrToDt><FrDtTm>{day}T00:00:00</FrDtTm><ToDtTm>{day}T23:59:59</ToDtTm></FrToDt>"
    assert ("expected", None, id) in verdicts(judged(ops, camt(days=days), "application/xml")[1])


def test_invalid_entry_is_set_aside_with_its_pointer(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet)
    odd = [entry(amount="1.005"), entry(day="2026-02-30"), entry(day="0001-01-01"), entry(currency="XXX")]
    answer = upload(ops, camt(*odd, entry("DBIT", "10.00", UUID(id).hex.upper())), "application/xml")
    shown = answer.get_json()
    assert (answer.status_code, shown["counts"]["matched"]) == (201, 1)
    assert [(flaw["pointer"], flaw["code"]) for flaw in shown["set_aside"]] == [
        ("/Stmt/1/Ntry/2/BookgDt", "invalid_value"),
        ("/Stmt/1/Ntry/1/amount", "amount_precision"),
        ("/Stmt/1/Ntry/3/booked_on", "invalid_value"),
        ("/Stmt/1/Ntry/4/currency", "currency_unknown"),
    ]


def test_amount_above_the_parts_is_missing_here(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet, "15.00")
    _, lines = judged(ops, camt(batch("15.26", parts(UUID(id).hex, amount="15.00"))), "application/xml")
    assert verdicts(lines)[:2] == [("matched", None, id), ("missing_here", None, None)]
    assert [line["amount"] for line in lines[:2]] == ["15.00", "0.26"]


def test_parts_without_amount_take_it_from_their_payments(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    ids = [paid(api, client, customer_wallet, amount) for amount in ("1.00", "2.00", "3.00")]
    keys = [UUID(id).hex for id in ids]
    _, lines = judged(ops, camt(batch("6.00", parts(*keys))), "application/xml")
    assert verdicts(lines)[:3] == [("matched", None, id) for id in ids]
    ids = [paid(api, client, customer_wallet, amount) for amount in ("1.00", "2.00")]
    keys = [*(UUID(id).hex for id in ids), "theirs", "others"]
    _, lines = judged(ops, camt(batch("9.00", parts(*keys))), "application/xml")
    assert verdicts(lines)[:3] == [*(("matched", None, id) for id in ids), ("missing_here", None, None)]
    assert (lines[2]["amount"], lines[2]["description"]) == ("6.00", "theirs, others")
    [id] = [paid(api, client, customer_wallet, "1.00")]
    _, lines = judged(ops, camt(batch("9.00", parts(UUID(id).hex, "theirs"))), "application/xml")
    assert [(line["amount"], line["end_to_end_id"]) for line in lines[:2]] == [
        ("1.00", UUID(id).hex),
        ("8.00", "theirs"),
    ]


def test_accounts_are_compared_by_own_days_and_currency(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id, day = paid(api, client, customer_wallet), today(api)
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


def test_statement_without_entries_covers_its_day(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    id, day = paid(api, client, customer_wallet), today(api)
    closing = f"<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Dt><Dt>{day}</Dt></Dt></Bal>"
    statement, lines = judged(ops, camt(days=closing), "application/xml")
    assert ("expected", None, id) in verdicts(lines)
    shown = ops.get(f"{PATH}/{statement}").get_json()
    assert (shown["begins_on"], shown["ends_on"]) == (day, day)
