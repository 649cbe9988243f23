"""The messages of banks: what is read of them, and what is not even opened."""

from datetime import date

import pytest

from models import bank_files
from models.bank_files import STATEMENTS, Broken, Statement, document, statement
from tests.bank_messages import CAMT, RETURNED, STRANGE, camt, entry, message, strange


def read(data: bytes) -> Statement:
    return statement(document(data, STATEMENTS))


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_message_is_broken(name: str) -> None:
    with pytest.raises(Broken) as caught:
        document(strange(name, CAMT), STATEMENTS)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize("kind", ["camt.052.001.08", "camt.053.001.8", "camt.053.001.081", "pain.001.001.09"])
def test_another_message_is_broken(kind: str) -> None:
    with pytest.raises(Broken):
        document(message(kind, "<BkToCstmrStmt/>"), STATEMENTS)


def test_as_many_elements_as_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_files, "ELEMENTS_MAX", 3)
    document(message(CAMT, "<a/><a/>"), STATEMENTS)
    with pytest.raises(Broken):
        document(message(CAMT, "<a/><a/><a/>"), STATEMENTS)


@pytest.mark.parametrize("kind", ["camt.053.001.02", "camt.053.001.08", "camt.053.001.12"])
@pytest.mark.parametrize("state", ["BOOK", "<Cd>BOOK</Cd>"])
def test_an_entry_in_every_version(kind: str, state: str) -> None:
    data = camt(entry("CRDT", "0010.50000", "k" * 5, "B1", state=state, detail=RETURNED)).replace(
        CAMT.encode(), kind.encode()
    )
    [found] = read(data).entries
    assert found == (date(2026, 11, 20), "credit", "10.5", "EUR", "kkkkk", "B1", None, True, "AC04")


def test_what_is_not_booked_or_nothing_is_left_out() -> None:
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
def test_how_a_return_is_marked(extra: str, is_return: bool) -> None:
    [found] = read(camt(entry("CRDT", extra=extra))).entries
    assert found.is_return is is_return


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"number": "B1"}, "B1"), ({"number": "NONREF"}, None), ({"extra": "<NtryRef>1</NtryRef>"}, None)],
)
def test_what_is_no_number_of_the_banks_is_none(changes: dict[str, str], number: str | None) -> None:
    [found] = read(camt(entry(**changes))).entries
    assert found.bank_reference == number


def test_a_batch_is_read_by_its_transactions() -> None:
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


def test_a_batch_without_amounts_is_one_entry() -> None:
    [found] = read(camt(entry(amount="30.00", number="B1", detail="</TxDtls><TxDtls>"))).entries
    assert (found.amount, found.bank_reference) == ("30", "B1")


def test_what_a_statement_says_of_itself() -> None:
    days = "<FrToDt><FrDtTm>2026-11-19T00:00:00+01:00</FrDtTm><ToDtTm>2026-11-20T23:59:59+01:00</ToDtTm></FrToDt>"
    told = read(camt(days=days))
    assert told == ("DE89370400440532013000", "EUR", date(2026, 11, 19), date(2026, 11, 20), [])


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
def test_an_entry_that_is_none_breaks_its_file(wrong: str) -> None:
    with pytest.raises(Broken):
        read(camt(entry(), wrong))
