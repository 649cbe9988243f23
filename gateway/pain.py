"""pain.001.001.09, the order that banks' customers write, as the body of a bulk of transfers."""

import re
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element

from gateway.errors import Refusal, flawed
from models.bank_files import NOT_PROVIDED, Broken, document, text

BYTES_MAX = 1024 * 1024
"""As the same lines in JSON."""

LINES_MAX = 1_000

MESSAGES = r"pain\.001\.001\.09"

_AMOUNT = re.compile(r"\d{1,18}(\.\d{1,5})?", re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)

Body = dict[str, Any]


def bulk_of(data: bytes) -> Body:
    """The body of POST /v1/bulk-transfers that says the same, with `currency`; its schema judges the values.

    A line's reference is its instruction id, or its end-to-end id. When it should be executed is not looked at.
    Raises Refusal with pointers into that body.
    """
    if len(data) > BYTES_MAX:
        raise Refusal("body_too_large", f"At most {BYTES_MAX} bytes.")
    try:
        order = document(data, MESSAGES).find("CstmrCdtTrfInitn")
    except Broken as broken:
        raise Refusal("malformed_xml", str(broken)) from None
    blocks = [] if order is None else order.findall("PmtInf")
    if order is None or not blocks:
        raise flawed([("", "invalid_value", "There is no payment information.")])
    if any(text(block, "PmtMtd") != "TRF" for block in blocks):
        raise flawed([("", "invalid_value", "Only transfers (TRF) are ordered here.")])
    debtors = {tuple(_debtor(block).items()) for block in blocks}
    if len(debtors) > 1:
        raise flawed([("/organization_iban", "invalid_value", "One debtor and one account for the whole file.")])
    lines = [line for block in blocks for line in block.iterfind("CdtTrfTxInf")]
    if len(lines) > LINES_MAX:
        raise flawed([("/credit_transfers", "invalid_value", f"At most {LINES_MAX} transfers.")])
    currency = _currency(lines)
    _refuse_miscounted(order, lines)
    for block in blocks:
        _refuse_miscounted(block, block.findall("CdtTrfTxInf"))
    return {**dict(debtors.pop()), **_given(currency=currency), "credit_transfers": [_line(line) for line in lines]}


def _debtor(block: Element) -> dict[str, str]:
    return _given(
        organization_name=text(block, "Dbtr/Nm"),
        organization_iban=text(block, "DbtrAcct/Id/IBAN"),
        organization_bic=_bic(block, "DbtrAgt"),
    )


def _line(line: Element) -> dict[str, str]:
    reference = text(line, "PmtId/InstrId", "PmtId/EndToEndId")
    notes = " ".join(note.text or "" for note in line.iterfind("RmtInf/Ustrd"))
    return _given(
        amount=text(line, "Amt/InstdAmt"),
        counterparty_name=text(line, "Cdtr/Nm"),
        counterparty_iban=text(line, "CdtrAcct/Id/IBAN"),
        counterparty_bic=_bic(line, "CdtrAgt"),
        description=" ".join(notes.split()) or None,
        reference=None if reference == NOT_PROVIDED else reference,
    )


def _bic(element: Element, agent: str) -> str | None:
    return text(element, f"{agent}/FinInstnId/BICFI")


def _given(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}


def _currency(lines: list[Element]) -> str | None:
    """The currency of all lines; raises Refusal at the first that has another, or that is no amount in a currency."""
    currency = None
    for number, line in enumerate(lines):
        given = line.find("Amt/InstdAmt")
        if given is None or not given.get("Ccy"):
            raise flawed([(f"/credit_transfers/{number}/amount", "required", "An instructed amount and its currency.")])
        currency = currency or given.get("Ccy")
        if given.get("Ccy") != currency:
            pointer = f"/credit_transfers/{number}/currency"
            raise flawed([(pointer, "currency_mismatch", "All transfers are in one currency.")])
    return currency


def _refuse_miscounted(told: Element, lines: list[Element]) -> None:
    """Refuse lines that are not as many, or do not sum up to as much, as the file itself says."""
    count, total = (text(told, name, f"GrpHdr/{name}") for name in ("NbOfTxs", "CtrlSum"))
    if count is not None and not (_COUNT.fullmatch(count) and int(count) == len(lines)):
        raise flawed([("/credit_transfers", "invalid_value", "Not as many as the file says (NbOfTxs).")])
    amounts = [text(line, "Amt/InstdAmt") or "" for line in lines]
    if total is None or not all(map(_AMOUNT.fullmatch, amounts)):  # then the schema has something to say of a line
        return
    if not _AMOUNT.fullmatch(total) or Decimal(total) != sum(map(Decimal, amounts)):
        raise flawed([("/credit_transfers", "invalid_value", "Their sum is not what the file says (CtrlSum).")])
