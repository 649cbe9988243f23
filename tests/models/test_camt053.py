"""Statements of banks: what is read of their entries, which parts these have, and what is set aside."""

from datetime import date
from decimal import Decimal

import pytest

from models.camt053 import STATEMENTS, Statement, payment_id, statements
from models.iso20022 import document
from tests.iso20022_messages import CAMT, RETURNED, camt, entry


def read(data: bytes) -> Statement:
    """The only statement, of which all was read."""
    [statement], odd = statements(document(data, STATEMENTS))
    assert odd == []
    return statement


def balance(kind: str, day: str) -> str:
    return f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Dt><Dt>{day}</Dt></Dt></Bal>"


OTHER_ACCOUNT = (
    f"<Stmt><Acct><Id><Othr><Id>8</Id></Othr></Id><Ccy>USD</Ccy></Acct>{entry(currency='USD')}</Stmt>".encode()
)


def lines(data: bytes) -> list[tuple[str, str | None, str | None]]:
    return [(entry.direction, entry.amount, entry.end_to_end_id) for entry in read(data).entries]


@pytest.mark.parametrize("kind", ["camt.053.001.02", "camt.053.001.08", "camt.053.001.12"])
@pytest.mark.parametrize("state", ["BOOK", "<Cd>BOOK</Cd>"])
def test_entry_is_read_in_every_version(kind: str, state: str) -> None:
    data = camt(entry("CRDT", "0010.50000", "k" * 5, "B1", state=state, detail=RETURNED)).replace(
        CAMT.encode(), kind.encode()
    )
    [found] = read(data).entries
    assert found[:9] == (date(2026, 11, 20), "credit", "10.5", "EUR", "kkkkk", "B1", None, True, "AC04")


def test_unbooked_and_empty_entries_are_left_out() -> None:
    assert read(camt(entry(state="<Cd>PDNG</Cd>"), entry(amount="0.00"))).entries == []


@pytest.mark.parametrize(
    ("extra", "is_return"),
    [
        ("", False),
        ("<RvslInd>true</RvslInd>", True),
        ("<RvslInd>1</RvslInd>", True),
        ("<RvslInd>false</RvslInd>", False),
        ("<BkTxCd><Domn><Fmly><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>", True),
        ("<BkTxCd><Domn><Fmly><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>", False),
    ],
)
def test_return_is_recognized(extra: str, is_return: bool) -> None:
    [found] = read(camt(entry("CRDT", extra=extra))).entries
    assert found.is_return is is_return


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"number": "B1"}, "B1"), ({"number": "NONREF"}, None), ({"extra": "<NtryRef>1</NtryRef>"}, None)],
)
def test_placeholder_reference_is_read_as_none(changes: dict[str, str], number: str | None) -> None:
    [found] = read(camt(entry(**changes))).entries
    assert found.bank_reference == number


def test_batch_is_read_by_its_transactions() -> None:
    def detail(amount: str, key: str) -> str:
        return f'<TxDtls><Refs><EndToEndId>{key}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt></TxDtls>'

    batch = entry(
        amount="30.00", number="B1", detail=f'<Amt Ccy="EUR">10.00</Amt></TxDtls>{detail("20.00", "two")}<TxDtls>'
    )
    batch = batch.replace("<TxDtls></TxDtls>", "")
    assert [(e.amount, e.end_to_end_id, e.bank_reference) for e in read(camt(batch)).entries] == [
        ("10", None, None),
        ("20", "two", None),
    ]


def test_batch_without_amounts_is_one_entry() -> None:
    [found] = read(camt(entry(amount="30.00", number="B1", detail="</TxDtls><TxDtls>"))).entries
    assert (found.amount, found.bank_reference) == ("30", "B1")


def test_statement_header_is_read() -> None:
    days = "<FrToDt><FrDtTm>2026-11-19T00:00:00+01:00</FrDtTm><ToDtTm>2026-11-20T23:59:59+01:00</ToDtTm></FrToDt>"
    statement = read(camt(days=days))
    assert statement == ("DE89370400440532013000", "EUR", date(2026, 11, 19), date(2026, 11, 20), None, [], "/Stmt/1")


@pytest.mark.parametrize(
    ("days", "day"),
    [
        ("", None),
        ("<CreDtTm>2026-11-21T04:00:00</CreDtTm>", date(2026, 11, 21)),
        ("<CreDtTm>soon</CreDtTm>", None),
        (balance("OPBD", "2026-11-19") + balance("CLBD", "2026-11-20"), date(2026, 11, 20)),
    ],
)
def test_empty_statement_has_a_day(days: str, day: date | None) -> None:
    assert read(camt(days=days)).made_on == day


def test_accounts_are_read_separately() -> None:
    data = camt(entry(amount="1")).replace(b"</BkToCstmrStmt>", OTHER_ACCOUNT + b"</BkToCstmrStmt>")
    found, odd = statements(document(data, STATEMENTS))
    assert odd == []
    assert [
        (statement.account, statement.currency, len(statement.entries), statement.pointer) for statement in found
    ] == [
        ("DE89370400440532013000", "EUR", 1, "/Stmt/1"),
        ("8", "USD", 1, "/Stmt/2"),
    ]
    assert found[1].entries[0].pointer == "/Stmt/2/Ntry/1"


@pytest.mark.parametrize(
    "wrong",
    [
        entry(amount="1e3"),
        entry(amount="-1"),
        entry(amount="NaN"),
        entry(amount=""),
        entry(currency="euro"),
        entry(direction="BOTH"),
        entry(day="2026-02-30"),
        entry(day="soon"),
    ],
)
def test_unreadable_entry_is_set_aside_alone(wrong: str) -> None:
    [statement], [odd] = statements(document(camt(entry(amount="1"), wrong, entry(amount="2")), STATEMENTS))
    assert [found.amount for found in statement.entries] == ["1", "2"]
    assert odd.pointer.startswith("/Stmt/1/Ntry/2")


def test_entry_with_an_invalid_day_is_set_aside() -> None:
    days = "<FrToDt><FrDt>2026-02-30</FrDt><ToDt>2026-03-01</ToDt></FrToDt>"
    [statement], [odd] = statements(document(camt(entry(), days=days), STATEMENTS))
    assert (statement.begins_on, len(statement.entries), odd.pointer) == (None, 1, "/Stmt/1/FrToDt")


# Parts of an entry

CHARGE = '<Chrgs><Rcrd><Amt Ccy="EUR">26.00</Amt><ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>'


def eur(path: str, amount: str, currency: str = "EUR") -> str:
    """An amount at a path such as AmtDtls/TxAmt/Amt."""
    *outer, last = path.split("/")
    inner = f'<{last} Ccy="{currency}">{amount}</{last}>'
    return "".join(f"<{name}>" for name in outer) + inner + "".join(f"</{name}>" for name in reversed(outer))


def part(key: str = "", amount: str | None = None, more: str = "") -> str:
    """A transaction of an entry."""
    return f"<TxDtls><Refs><EndToEndId>{key}</EndToEndId></Refs>{eur('Amt', amount) if amount else ''}{more}</TxDtls>"


def parts(amount: str, *details: str, direction: str = "DBIT") -> bytes:
    """A statement of one entry with these transactions."""
    whole = entry(direction, amount, number="B1")
    return camt(whole.replace("<TxDtls><Refs></Refs></TxDtls>", "".join(details)))


def test_fee_on_top_of_a_part_is_a_line_of_its_own() -> None:
    assert lines(parts("1526.00", part("k", "1500.00", CHARGE))) == [("debit", "1500", "k"), ("debit", "26", None)]


@pytest.mark.parametrize("second", ["2.005", "2.01"])
def test_rest_beside_the_parts_is_a_line_of_its_own(second: str) -> None:
    found = read(parts("10", part("a", "7"), part("b", second))).entries
    assert [(line.direction, line.end_to_end_id) for line in found] == [("debit", "a"), ("debit", "b"), ("debit", None)]
    assert sum(Decimal(line.amount or "") for line in found) == 10
    assert (found[2].bank_reference, found[2].is_return) == (None, False)


def test_parts_above_their_entry_leave_an_opposite_line() -> None:
    found = lines(parts("9", part("a", "7"), part("b", "3")))
    assert found == [("debit", "7", "a"), ("debit", "3", "b"), ("credit", "1", None)]
    netted = part("b", "2").replace("</Refs>", "</Refs><CdtDbtInd>CRDT</CdtDbtInd>")
    assert lines(parts("5", part("a", "7"), netted)) == [("debit", "7", "a"), ("credit", "2", "b")]


@pytest.mark.parametrize(
    ("direction", "amounts", "share"),
    [
        ("DBIT", {"Amt": "8"}, "8"),
        ("DBIT", {"Amt": "8", "AmtDtls/TxAmt/Amt": "7"}, "7"),
        ("DBIT", {"Amt": "8", "AmtDtls/TxAmt/Amt": "7", "AmtDtls/InstdAmt/Amt": "6"}, "6"),
        ("DBIT", {"AmtDtls/TxAmt/Amt": "7", "AmtDtls/InstdAmt/Amt": "6"}, "6"),
        ("DBIT", {"AmtDtls/InstdAmt/Amt": "6"}, "6"),
        ("DBIT", {"Amt": "8", "AmtDtls/InstdAmt/Amt": "9"}, "8"),
        ("CRDT", {"Amt": "8", "AmtDtls/TxAmt/Amt": "7", "AmtDtls/InstdAmt/Amt": "9"}, "8"),
        ("CRDT", {"AmtDtls/TxAmt/Amt": "7", "AmtDtls/InstdAmt/Amt": "9"}, "7"),
        ("CRDT", {"AmtDtls/InstdAmt/Amt": "9"}, "9"),
    ],
)
def test_ordered_or_received_amount_is_read_of_several(direction: str, amounts: dict[str, str], share: str) -> None:
    more = "".join(eur(path, amount) for path, amount in amounts.items())
    assert lines(parts("9", part("k", more=more), direction=direction))[0][1] == share


def test_amount_in_another_currency_is_ignored() -> None:
    dollars = eur("AmtDtls/InstdAmt/Amt", "9", "USD")
    assert lines(parts("8", part("k", more=dollars))) == [("debit", "8", "k")]
    assert lines(parts("8", part("k", "8", dollars))) == [("debit", "8", "k")]


def test_parts_without_amounts_keep_their_ids() -> None:
    assert lines(parts("9", part("a"), part("b", "7"))) == [("debit", "2", "a"), ("debit", "7", "b")]
    found = lines(parts("9", part("a"), part("b"), part("c", "2")))
    assert found == [("debit", None, "a"), ("debit", None, "b"), ("debit", "2", "c"), ("debit", "7", None)]
    _, [odd] = statements(document(parts("9", part("a"), part("b"), part("c", "9")), STATEMENTS))
    assert odd.pointer == "/Stmt/1/Ntry/1/Amt"


@pytest.mark.parametrize(("number", "amount"), [(".50", "0.5"), ("+01.50", "1.5"), ("2.", "2")])
def test_xml_numbers_are_read_as_amounts(number: str, amount: str) -> None:
    assert lines(camt(entry(amount=number)))[0][1] == amount


@pytest.mark.parametrize("key", ["notprovided", "NotProvided"])
def test_placeholder_ids_are_ignored_in_any_case(key: str) -> None:
    [found] = read(camt(entry(key=key, number="nonref"))).entries
    assert (found.end_to_end_id, found.bank_reference) == (None, None)


def test_payment_id_is_read_from_a_reference() -> None:
    id = "01a1fe48-6419-72a0-a4e7-03c55af15b65"
    for written in (id, id.upper(), id.replace("-", ""), id.replace("-", "").upper()):
        assert payment_id(written) == id
    assert [payment_id(reference) for reference in (None, "", id[1:], f"{id}0", "x" * 32)] == [None] * 5
