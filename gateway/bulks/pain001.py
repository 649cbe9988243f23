"""Converts pain.001.001.09, ISO 20022 customer credit transfers, into the JSON body of a bulk of transfers."""

import re
from decimal import Decimal
from xml.etree.ElementTree import Element

from gateway.http.blueprint import Body
from gateway.http.errors import ApiError, invalid
from models.iso20022 import NOT_PROVIDED, InvalidFile, document, number, text
from models.rules.creditor_reference import kind_of

BYTES_MAX = 1024 * 1024
"""The same limit as that of a JSON body."""

LINES_MAX = 1_000

MESSAGE_PATTERN = r"pain\.001\.001\.09"

_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_TIME_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{8,15}", re.ASCII)


def read_pain001(data: bytes) -> Body:
    """The JSON body of POST /v1/bulk-transfers for the message, with `currency`; its schema validates the values.

    Ids are unique in this message alone, so none becomes a line's `reference`. Raises ApiError; its pointers refer to
    the JSON body, not to the XML.
    """
    if len(data) > BYTES_MAX:
        raise ApiError("body_too_large", f"At most {BYTES_MAX} bytes.")
    try:
        order = document(data, MESSAGE_PATTERN).find("CstmrCdtTrfInitn")
    except InvalidFile as error:
        raise ApiError("malformed_xml", str(error)) from None
    blocks = [] if order is None else order.findall("PmtInf")
    if order is None or not blocks:
        raise invalid([("", "invalid_value", "There is no payment information.")])
    if any(text(block, "PmtMtd") != "TRF" for block in blocks):
        raise invalid([("", "invalid_value", "Only transfers (TRF) are accepted here.")])
    debtors = {tuple(_debtor(block).items()) for block in blocks}
    if len(debtors) > 1:
        raise invalid([("/organization_iban", "invalid_value", "All PmtInf blocks must have one debtor and account.")])
    lines = [line for block in blocks for line in block.iterfind("CdtTrfTxInf")]
    if len(lines) > LINES_MAX:
        raise invalid([("/credit_transfers", "invalid_value", f"At most {LINES_MAX} transfers.")])
    currency = _currency(lines)
    _check_totals(order, lines)
    for block in blocks:
        _check_totals(block, block.findall("CdtTrfTxInf"))
    transfers = [_line(line, _time(block)) for block in blocks for line in block.iterfind("CdtTrfTxInf")]
    _check_remittance(lines)
    _check_ids(transfers)
    return {**dict(debtors.pop()), **_present(currency=currency), "credit_transfers": transfers}


def _debtor(block: Element) -> dict[str, str]:
    return _present(
        organization_name=text(block, "Dbtr/Nm"),
        organization_iban=text(block, "DbtrAcct/Id/IBAN"),
        organization_bic=_bic(block, "DbtrAgt"),
    )


def _time(block: Element) -> str | None:
    """The requested execution time: a date becomes 00:00 UTC, its offset ignored; a time without offset is UTC.

    Any other text is returned as it is, for the schema to refuse.
    """
    requested = block.find("ReqdExctnDt")
    if requested is None:
        return None
    time = text(requested, "Dt", "DtTm") or (requested.text or "").strip()
    if match := _DAY.fullmatch(time):
        return f"{match[1]}T00:00:00Z"
    return f"{time}Z" if _TIME_WITHOUT_ZONE.fullmatch(time) else time


def _line(line: Element, time: str | None) -> dict[str, str]:
    amount = text(line, "Amt/InstdAmt")
    notes = " ".join(note.text or "" for note in line.iterfind("RmtInf/Ustrd"))
    return _present(
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
    """The structured reference; if its stated type is wrong, that is put before it, so that the schema refuses it."""
    information = line.find("RmtInf/Strd/CdtrRefInf")
    if information is None:
        return None
    kind, reference = text(information, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry"), text(information, "Ref") or ""
    compact = "".join(reference.split()).upper()
    return reference if kind in (None, kind_of(compact)) else f"{kind} {reference}"


def _check_remittance(lines: list[Element]) -> None:
    """Refuse structured remittance information that cannot be carried: more than one, or anything but a reference."""
    errors = []
    for n, line in enumerate(lines):
        structured = line.findall("RmtInf/Strd")
        if len(structured) > 1 or any(
            [part.tag for part in information] != ["CdtrRefInf"] for information in structured
        ):
            pointer = f"/credit_transfers/{n}/creditor_reference"
            errors.append((pointer, "invalid_value", "At most one creditor reference (CdtrRefInf), and nothing else."))
    if errors:
        raise invalid(errors)


def _check_ids(transfers: list[dict[str, str]]) -> None:
    """Refuse lines that share an id: the instruction id, or the end-to-end id of a line without one."""
    seen: set[str] = set()
    errors = []
    for n, transfer in enumerate(transfers):
        name = "instruction_id" if "instruction_id" in transfer else "end_to_end_id"
        id = transfer.get(name)
        if id in seen:
            errors.append((f"/credit_transfers/{n}/{name}", "duplicate_reference", "Another line has this id."))
        elif id is not None:
            seen.add(id)
    if errors:
        raise ApiError("duplicate_reference", "Two lines of this message have the same id.", invalid(errors).errors)


def _bic(element: Element, agent: str) -> str | None:
    return text(element, f"{agent}/FinInstnId/BICFI")


def _present(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}


def _currency(lines: list[Element]) -> str | None:
    """The currency of all lines; raises ApiError for a line with another currency, or without amount or currency."""
    currency = None
    for n, line in enumerate(lines):
        amount = line.find("Amt/InstdAmt")
        if amount is None or not amount.get("Ccy"):
            raise invalid(
                [
                    (
                        f"/credit_transfers/{n}/amount",
                        "required",
                        "An instructed amount (InstdAmt) with its currency is required.",
                    )
                ]
            )
        currency = currency or amount.get("Ccy")
        if amount.get("Ccy") != currency:
            pointer = f"/credit_transfers/{n}/currency"
            raise invalid([(pointer, "currency_mismatch", "All transfers must be in one currency.")])
    return currency


def _check_totals(element: Element, lines: list[Element]) -> None:
    """Refuse lines whose number or sum differs from what the file itself states."""
    count, total = (text(element, name, f"GrpHdr/{name}") for name in ("NbOfTxs", "CtrlSum"))
    if count is not None and not (_COUNT.fullmatch(count) and int(count) == len(lines)):
        raise invalid([("/credit_transfers", "invalid_value", "The number of transfers differs from NbOfTxs.")])
    amounts = [text(line, "Amt/InstdAmt") or "" for line in lines]
    if total is None or not all(map(number, amounts)):  # the schema will refuse the line
        return
    if number(total) is None or Decimal(total) != sum(map(Decimal, amounts)):
        raise invalid([("/credit_transfers", "invalid_value", "The sum of the amounts differs from CtrlSum.")])
