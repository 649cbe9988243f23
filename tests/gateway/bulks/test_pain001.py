"""Reading pain.001.001.09 as the body of a bulk, and the pointers of its errors."""

import pytest

from gateway.bulks.pain001 import BYTES_MAX, LINES_MAX, read_pain001
from gateway.http.errors import PROBLEMS, ApiError
from tests.iso20022_messages import CAMT, ORDER, STRANGE, message, strange

IBAN, OTHER = "DE89370400440532013000", "FR1420041010050500013M02606"


def line(amount: str = "14.50", currency: str = "EUR", ids: str = "<EndToEndId>E1</EndToEndId>", rest: str = "") -> str:
    """A transfer to Marie."""
    return (
        f'<CdtTrfTxInf><PmtId>{ids}</PmtId><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt>'
        f"<CdtrAgt><FinInstnId><BICFI>PSSTFRPPPAR</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Marie</Nm></Cdtr>"
        f"<CdtrAcct><Id><IBAN>{OTHER}</IBAN></Id></CdtrAcct>{rest}</CdtTrfTxInf>"
    )


def block(*lines: str, name: str = "ACME", iban: str = IBAN, method: str = "TRF", counts: str = "") -> str:
    """Payment information of one debtor."""
    return (
        f"<PmtInf><PmtInfId>1</PmtInfId><PmtMtd>{method}</PmtMtd>{counts}<Dbtr><Nm>{name}</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct>"
        f"<DbtrAgt><FinInstnId><BICFI>COBADEFFXXX</BICFI></FinInstnId></DbtrAgt>{''.join(lines)}</PmtInf>"
    )


def order(*blocks: str, header: str = "") -> bytes:
    """A complete file."""
    return message(ORDER, f"<CstmrCdtTrfInitn><GrpHdr>{header}</GrpHdr>{''.join(blocks)}</CstmrCdtTrfInitn>")


def refused(data: bytes) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as caught:
        read_pain001(data)
    refusal = caught.value
    return PROBLEMS[refusal.code].status, refusal.code, refusal.errors[0]["pointer"] if refusal.errors else ""


def test_file_becomes_the_equivalent_body() -> None:
    notes = "<RmtInf><Ustrd>Salary\n  of</Ustrd><Ustrd>May</Ustrd></RmtInf>"
    ids = "<InstrId>I2</InstrId><EndToEndId>E2</EndToEndId>"
    data = order(
        block(line(rest=notes), line("666.6", ids=ids)), block(line(ids="<EndToEndId>NOTPROVIDED</EndToEndId>"))
    )
    payee = {"counterparty_name": "Marie", "counterparty_iban": OTHER, "counterparty_bic": "PSSTFRPPPAR"}
    assert read_pain001(data) == {
        "organization_name": "ACME",
        "organization_iban": IBAN,
        "organization_bic": "COBADEFFXXX",
        "currency": "EUR",
        "credit_transfers": [
            {"amount": "14.5", **payee, "description": "Salary of May", "end_to_end_id": "E1"},
            {"amount": "666.6", **payee, "instruction_id": "I2", "end_to_end_id": "E2"},
            {"amount": "14.5", **payee},
        ],
    }


def test_missing_members_are_left_to_the_schema() -> None:
    assert read_pain001(order("<PmtInf><PmtMtd>TRF</PmtMtd></PmtInf>")) == {"credit_transfers": []}


@pytest.mark.parametrize("name", STRANGE)
def test_other_files_are_refused(name: str) -> None:
    assert refused(strange(name, ORDER))[:2] == (400, "malformed_xml")


@pytest.mark.parametrize("kind", ["pain.001.001.03", "pain.001.001.10", "pain.008.001.08", CAMT])
def test_other_messages_are_refused(kind: str) -> None:
    assert refused(order(block(line())).replace(ORDER.encode(), kind.encode()))[:2] == (400, "malformed_xml")


def test_too_many_bytes() -> None:
    data = order(block(line()))
    assert read_pain001(data + b" " * (BYTES_MAX - len(data)))
    assert refused(data + b" " * (BYTES_MAX - len(data) + 1))[:2] == (413, "body_too_large")


def test_too_many_lines() -> None:
    many = [line(ids=f"<EndToEndId>E{n}</EndToEndId>") for n in range(LINES_MAX)]
    assert len(read_pain001(order(block(*many)))["credit_transfers"]) == LINES_MAX
    data = order(block(*many), block(line()))
    assert refused(data) == (422, "invalid_value", "/credit_transfers")


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        (order(), "invalid_value", ""),
        (message(ORDER, "<CstmrDrctDbtInitn/>"), "invalid_value", ""),
        (order(block(line(), method="CHK")), "invalid_value", ""),
        (order(block(line()), block(line(), name="Other")), "invalid_value", "/organization_iban"),
        (order(block(line()), block(line(), iban=OTHER)), "invalid_value", "/organization_iban"),
        (order(block(line(), line(currency="USD"))), "currency_mismatch", "/credit_transfers/1/currency"),
        (order(block(line()), block(line(currency="USD"))), "currency_mismatch", "/credit_transfers/1/currency"),
        (order(block(line(), line(currency=""))), "required", "/credit_transfers/1/amount"),
        (order(block(line().replace("InstdAmt", "EqvtAmt"))), "required", "/credit_transfers/0/amount"),
        (order(block(line()), header="<NbOfTxs>2</NbOfTxs>"), "invalid_value", "/credit_transfers"),
        (order(block(line()), header="<NbOfTxs>1e0</NbOfTxs>"), "invalid_value", "/credit_transfers"),
        (order(block(line()), header="<CtrlSum>14.51</CtrlSum>"), "invalid_value", "/credit_transfers"),
        (order(block(line()), header="<CtrlSum>1e999999</CtrlSum>"), "invalid_value", "/credit_transfers"),
        (order(block(line(), counts="<NbOfTxs>2</NbOfTxs>")), "invalid_value", "/credit_transfers"),
        (order(block(line(), counts="<CtrlSum>1</CtrlSum>")), "invalid_value", "/credit_transfers"),
    ],
)
def test_invalid_files_are_refused(data: bytes, code: str, pointer: str) -> None:
    assert refused(data) == (422, code, pointer)


def test_sums_are_counted_exactly() -> None:
    header = "<NbOfTxs>2</NbOfTxs><CtrlSum>681.1</CtrlSum>"
    assert len(read_pain001(order(block(line("14.5"), line("666.6", ids="")), header=header))["credit_transfers"]) == 2


@pytest.mark.parametrize("amount", ["1e3", "NaN", "-1", "", "1" * 400, "\u0661\u0660"])
def test_invalid_amount_is_left_to_the_schema(amount: str) -> None:
    header = "<CtrlSum>1</CtrlSum>"
    [transfer] = read_pain001(order(block(line(amount)), header=header))["credit_transfers"]
    assert transfer.get("amount", "") == amount


@pytest.mark.parametrize(
    ("raw", "amount"),
    [("01.00", "1"), ("1.000", "1"), ("+1.00", "1"), (".50", "0.5"), ("7.", "7"), ("\n 1.05 ", "1.05"), ("0", "0")],
)
def test_numbers_as_xml_writes_them(raw: str, amount: str) -> None:
    header = f"<CtrlSum>{raw}</CtrlSum>"
    [transfer] = read_pain001(order(block(line(raw)), header=header))["credit_transfers"]
    assert transfer["amount"] == amount


@pytest.mark.parametrize("raw", [".", "+", "++1", "1.2.3", "1,00", "0x1", "1e2", "-0"])
def test_invalid_number_is_left_to_the_schema(raw: str) -> None:
    assert read_pain001(order(block(line(raw))))["credit_transfers"][0]["amount"] == raw


@pytest.mark.parametrize(
    ("raw", "time"),
    [
        ("<Dt>2027-01-31</Dt>", "2027-01-31T00:00:00Z"),
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("<Dt>2027-01-31+02:00</Dt>", "2027-01-31T00:00:00Z"),
        ("<DtTm>2027-01-31T09:30:00</DtTm>", "2027-01-31T09:30:00Z"),
        ("<DtTm>2027-01-31T09:30:00.5</DtTm>", "2027-01-31T09:30:00.5Z"),
        ("<DtTm>2027-01-31T09:30:00+01:00</DtTm>", "2027-01-31T09:30:00+01:00"),
        ("<Dt>soon</Dt>", "soon"),
        ("", ""),
    ],
)
def test_requested_execution_date_is_read(raw: str, time: str) -> None:
    data = order(block(line(), counts=f"<ReqdExctnDt>{raw}</ReqdExctnDt>"), block(line(ids="")))
    assert [transfer.get("scheduled_at") for transfer in read_pain001(data)["credit_transfers"]] == [time, None]


def structured(reference: str, kind: str = "", more: str = "") -> str:
    """Remittance information with a reference of the creditor."""
    kinds = f"<Tp><CdOrPrtry>{kind}</CdOrPrtry></Tp>" if kind else ""
    return f"<RmtInf><Strd><CdtrRefInf>{kinds}<Ref>{reference}</Ref></CdtrRefInf>{more}</Strd></RmtInf>"


@pytest.mark.parametrize(
    ("rest", "reference"),
    [
        (structured("RF18539007547034"), "RF18539007547034"),
        (structured("rf18 5390 0754 7034", "<Cd>SCOR</Cd>"), "rf18 5390 0754 7034"),
        (structured("210000000003139471430009017", "<Prtry>QRR</Prtry>"), "210000000003139471430009017"),
        (structured("RF18539007547034", "<Prtry>QRR</Prtry>"), "QRR RF18539007547034"),
        (structured("210000000003139471430009017", "<Cd>SCOR</Cd>"), "SCOR 210000000003139471430009017"),
        (structured("123456789002", "<Cd>SCOR</Cd>"), "SCOR 123456789002"),
        (structured(""), ""),
    ],
)
def test_creditor_reference_is_read(rest: str, reference: str) -> None:
    assert read_pain001(order(block(line(rest=rest))))["credit_transfers"][0]["creditor_reference"] == reference


@pytest.mark.parametrize(
    "rest",
    [
        structured("RF18539007547034", more="<AddtlRmtInf>May</AddtlRmtInf>"),
        "<RmtInf><Strd><RfrdDocInf><Nb>1</Nb></RfrdDocInf></Strd></RmtInf>",
        structured("RF18539007547034").replace("</Strd>", "</Strd><Strd/>"),
    ],
)
def test_structured_information_is_never_lost(rest: str) -> None:
    refusal = refused(order(block(line(ids=""), line(rest=rest))))
    assert refusal == (422, "invalid_value", "/credit_transfers/1/creditor_reference")


def test_ids_are_those_of_one_line_of_the_message() -> None:
    def ids(instruction: str, end_to_end: str) -> str:
        return line(ids=f"<InstrId>{instruction}</InstrId><EndToEndId>{end_to_end}</EndToEndId>")

    assert len(read_pain001(order(block(ids("1", "E"), ids("2", "E"))))["credit_transfers"]) == 2
    assert read_pain001(order(block(*[ids("notprovided", "NOTPROVIDED")] * 2)))["credit_transfers"][1].keys() == {
        *("amount", "counterparty_name", "counterparty_iban", "counterparty_bic")
    }
    twice = refused(order(block(ids("1", "E")), block(ids("1", "F"))))
    assert twice == (409, "duplicate_reference", "/credit_transfers/1/instruction_id")
    assert refused(order(block(line(), line()))) == (409, "duplicate_reference", "/credit_transfers/1/end_to_end_id")
