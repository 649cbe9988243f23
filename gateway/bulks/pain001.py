"""pain.001.001.09, the order that banks' customers write, as the body of a bulk of transfers."""

import re
from decimal import Decimal
from xml.etree.ElementTree import Element

from gateway.http.blueprint import Body
from gateway.http.errors import ApiError, invalid
from models.iso20022 import NOT_PROVIDED, InvalidFile, document, number, text
from models.rules.creditor_reference import kind_of

BYTES_MAX = 1024 * 1024
"""As the same lines in JSON."""

LINES_MAX = 1_000

MESSAGES = r"pain\.001\.001\.09"

_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_TIME_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{8,15}", re.ASCII)


def bulk_of(data: bytes) -> Body:
    """The body of POST /v1/bulk-transfers that says the same, with `currency`; its schema judges the values.

    Ids are those of this message alone, so none is a line's `reference`. Raises ApiError with pointers into that body.
    """
    if len(data) > BYTES_MAX:
        raise ApiError("body_too_large", f"At most {BYTES_MAX} bytes.")
    try:
        order = document(data, MESSAGES).find("CstmrCdtTrfInitn")
    except InvalidFile as broken:
        raise ApiError("malformed_xml", str(broken)) from None
    blocks = [] if order is None else order.findall("PmtInf")
    if order is None or not blocks:
        raise invalid([("", "invalid_value", "There is no payment information.")])
    if any(text(block, "PmtMtd") != "TRF" for block in blocks):
        raise invalid([("", "invalid_value", "Only transfers (TRF) are ordered here.")])
    debtors = {tuple(_debtor(block).items()) for block in blocks}
    if len(debtors) > 1:
        raise invalid([("/organization_iban", "invalid_value", "One debtor and one account for the whole file.")])
    lines = [line for block in blocks for line in block.iterfind("CdtTrfTxInf")]
    if len(lines) > LINES_MAX:
        raise invalid([("/credit_transfers", "invalid_value", f"At most {LINES_MAX} transfers.")])
    currency = _currency(lines)
    _refuse_miscounted(order, lines)
    for block in blocks:
        _refuse_miscounted(block, block.findall("CdtTrfTxInf"))
    transfers = [_line(line, _time(block)) for block in blocks for line in block.iterfind("CdtTrfTxInf")]
    _refuse_torn(lines)
    _refuse_twice(transfers)
    return {**dict(debtors.pop()), **_given(currency=currency), "credit_transfers": transfers}


def _debtor(block: Element) -> dict[str, str]:
    return _given(
        organization_name=text(block, "Dbtr/Nm"),
        organization_iban=text(block, "DbtrAcct/Id/IBAN"),
        organization_bic=_bic(block, "DbtrAgt"),
    )


def _time(block: Element) -> str | None:
    """When it should be executed: a day as its first moment in UTC, whatever its time zone; a time without one in UTC.

    What is neither is given as it is, for the schema to refuse.
    """
    requested = block.find("ReqdExctnDt")
    if requested is None:
        return None
    told = text(requested, "Dt", "DtTm") or (requested.text or "").strip()
    if match := _DAY.fullmatch(told):
        return f"{match[1]}T00:00:00Z"
    return f"{told}Z" if _TIME_WITHOUT_ZONE.fullmatch(told) else told


def _line(line: Element, time: str | None) -> dict[str, str]:
    amount = text(line, "Amt/InstdAmt")
    notes = " ".join(note.text or "" for note in line.iterfind("RmtInf/Ustrd"))
    return _given(
        amount=amount and (number(amount) or amount),
        counterparty_name=text(line, "Cdtr/Nm"),
        counterparty_iban=text(line, "CdtrAcct/Id/IBAN"),
        counterparty_bic=_bic(line, "CdtrAgt"),
        description=" ".join(notes.split()) or None,
        creditor_reference=_creditor_reference(line),
        instruction_id=_id(line, "InstrId"),
        end_to_end_id=_id(line, "EndToEndId"),
        scheduled_at=time,
    )


def _id(line: Element, name: str) -> str | None:
    id = text(line, f"PmtId/{name}")
    return None if id is None or id.upper() == NOT_PROVIDED else id


def _creditor_reference(line: Element) -> str | None:
    """The structured reference; what is not of the kind that it says is given with it, for the schema to refuse."""
    told = line.find("RmtInf/Strd/CdtrRefInf")
    if told is None:
        return None
    kind, reference = text(told, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry"), text(told, "Ref") or ""
    compact = "".join(reference.split()).upper()
    return reference if kind in (None, kind_of(compact)) else f"{kind} {reference}"


def _refuse_torn(lines: list[Element]) -> None:
    """Refuse structured remittance information that would be lost: more than one, or other than a reference."""
    flaws = []
    for n, line in enumerate(lines):
        structured = line.findall("RmtInf/Strd")
        if len(structured) > 1 or any([part.tag for part in one] != ["CdtrRefInf"] for one in structured):
            place = f"/credit_transfers/{n}/creditor_reference"
            flaws.append((place, "invalid_value", "One reference of the creditor (CdtrRefInf), and nothing else."))
    if flaws:
        raise invalid(flaws)


def _refuse_twice(transfers: list[dict[str, str]]) -> None:
    """Refuse lines with the same instruction id, or, without one, the same end-to-end id."""
    seen: set[str] = set()
    flaws = []
    for n, transfer in enumerate(transfers):
        name = "instruction_id" if "instruction_id" in transfer else "end_to_end_id"
        id = transfer.get(name)
        if id in seen:
            flaws.append((f"/credit_transfers/{n}/{name}", "duplicate_reference", "Another line has this id."))
        elif id is not None:
            seen.add(id)
    if flaws:
        raise ApiError("duplicate_reference", "Two lines of this message have the same id.", invalid(flaws).errors)


def _bic(element: Element, agent: str) -> str | None:
    return text(element, f"{agent}/FinInstnId/BICFI")


def _given(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}


def _currency(lines: list[Element]) -> str | None:
    """The currency of all lines; raises ApiError at the first that has another, or that is no amount in a currency."""
    currency = None
    for n, line in enumerate(lines):
        given = line.find("Amt/InstdAmt")
        if given is None or not given.get("Ccy"):
            raise invalid([(f"/credit_transfers/{n}/amount", "required", "An instructed amount and its currency.")])
        currency = currency or given.get("Ccy")
        if given.get("Ccy") != currency:
            pointer = f"/credit_transfers/{n}/currency"
            raise invalid([(pointer, "currency_mismatch", "All transfers are in one currency.")])
    return currency


def _refuse_miscounted(told: Element, lines: list[Element]) -> None:
    """Refuse lines that are not as many, or do not sum up to as much, as the file itself says."""
    count, total = (text(told, name, f"GrpHdr/{name}") for name in ("NbOfTxs", "CtrlSum"))
    if count is not None and not (_COUNT.fullmatch(count) and int(count) == len(lines)):
        raise invalid([("/credit_transfers", "invalid_value", "Not as many as the file says (NbOfTxs).")])
    amounts = [text(line, "Amt/InstdAmt") or "" for line in lines]
    if total is None or not all(map(number, amounts)):  # then the schema has something to say of a line
        return
    if number(total) is None or Decimal(total) != sum(map(Decimal, amounts)):
        raise invalid([("/credit_transfers", "invalid_value", "Their sum is not what the file says (CtrlSum).")])
