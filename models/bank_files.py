"""What banks and their customers write in XML, read with bounds: any message of ISO 20022, and camt.053 as entries."""

import io
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"

NOT_PROVIDED = "NOTPROVIDED"
"""What stands for an end-to-end id where there is none."""

NO_REFERENCES = frozenset({NOT_PROVIDED, "NONREF"})
"""What banks write where they have no number of their own."""

DEPTH_MAX = 32
"""The messages that are read here nest half as deep."""

ELEMENTS_MAX = 1_000_000
"""A file of many empty elements would otherwise take a hundred times its size in memory."""

TEXT_LENGTH_MAX = 140
"""Where the texts of an entry are cut: remittance information has as many characters, references have fewer."""

STATEMENTS = r"camt\.053\.001\.\d\d"

_NUMBER = re.compile(r"\+?(?=\.?\d)0*(\d{0,18})(?:\.(\d{0,5}?)0*)?", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[TZ+-].*)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Broken(ValueError):
    """A file that is not what it should be; says what is wrong, in words for people and without its content."""


class Entry(NamedTuple):
    """One booking on the account; the amount as a decimal string, `is_return` where the bank gives money back."""

    booked_on: date
    direction: str
    amount: str
    currency: str
    end_to_end_id: str | None
    bank_reference: str | None
    description: str | None
    is_return: bool
    reason: str | None


class Statement(NamedTuple):
    """All entries of a file, and what it says of itself: whose account, in what currency, which days it covers."""

    account: str | None
    currency: str | None
    begins_on: date | None
    ends_on: date | None
    entries: list[Entry]


def document(data: bytes, messages: str) -> Element:
    """The root of an XML document whose namespace is that of one of the `messages` (a regular expression).

    Elements of that namespace lose it from their tags. Raises Broken: also for any document type or entity.
    """
    root, namespace, depth, elements = None, "", 0, 0
    try:
        for event, element in iterparse(io.BytesIO(data), ("start", "end"), forbid_dtd=True):
            if event == "end":
                depth -= 1
                continue
            depth, elements = depth + 1, elements + 1
            if depth > DEPTH_MAX or elements > ELEMENTS_MAX:
                raise Broken(f"More than {DEPTH_MAX} levels or {ELEMENTS_MAX} elements.")
            if root is None:
                root, namespace = element, element.tag.rpartition("Document")[0]
                if not re.fullmatch(rf"\{{{NAMESPACE}({messages})\}}", namespace):
                    raise Broken("Not a document of the expected namespace.")
            element.tag = element.tag.removeprefix(namespace)
    except Broken:
        raise
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise Broken("Not well-formed XML, or with a document type.") from error
    if root is None:
        raise Broken("Empty.")
    return root


def text(element: Element, *paths: str) -> str | None:
    """The text of the first of these paths that has any, in one line."""
    return next((words for path in paths if (words := " ".join((element.findtext(path) or "").split()))), None)


def number(words: str) -> str | None:
    """A number of xs:decimal that is not negative, in its shortest form: 1.5 for +01.500; None for other words."""
    match = _NUMBER.fullmatch(words.strip())
    if match is None:
        return None
    whole, fraction = match[1] or "0", match[2]
    return f"{whole}.{fraction}" if fraction else whole


def statement(root: Element) -> Statement:
    """What a camt.053 says, its booked entries one by one, batches by their transactions; raises Broken.

    What is only announced (pending) is left out, and so is an entry of nothing.
    """
    statements = root.findall("BkToCstmrStmt/Stmt")
    if not statements:
        raise Broken("A camt.053 without a statement.")
    bounds = [
        _date(text(stated, f"FrToDt/{side}DtTm", f"FrToDt/{side}Dt")) for stated in statements for side in ("Fr", "To")
    ]
    days = [day for day in bounds if day is not None]
    entries = [entry for stated in statements for booked in stated.iterfind("Ntry") for entry in _entries(booked)]
    return Statement(
        _kept(text(statements[0], "Acct/Id/IBAN", "Acct/Id/Othr/Id")),
        text(statements[0], "Acct/Ccy"),
        min(days, default=None),
        max(days, default=None),
        entries,
    )


def _entries(booked: Element) -> Iterator[Entry]:
    if text(booked, "Sts/Cd", "Sts") not in ("BOOK", None):
        return
    day = _date(text(booked, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"))
    if day is None:
        raise Broken("An entry without its day.")
    details = booked.findall("NtryDtls/TxDtls")
    amounts = [_amount(detail, "Amt", "AmtDtls/TxAmt/Amt") for detail in details]
    if len(details) <= 1 or None in amounts:
        amounts, details = [_amount(booked, "Amt")], details if len(details) == 1 else [booked]
    for detail, amount in zip(details, amounts, strict=True):
        if amount is None:
            raise Broken("An entry without its amount.")
        if amount[0] != "0":
            yield _entry(booked, detail, day, amount, text(booked, "AcctSvcrRef") if len(details) == 1 else None)


def _entry(booked: Element, detail: Element, day: date, amount: tuple[str, str], reference: str | None) -> Entry:
    """One transaction of an entry; `reference` is the entry's, if that has but one."""
    direction = {"DBIT": "debit", "CRDT": "credit"}.get(text(detail, "CdtDbtInd") or text(booked, "CdtDbtInd") or "")
    if direction is None:
        raise Broken("An entry that is neither debit nor credit.")
    marks = (
        detail.find("RtrInf") is not None,
        bool({text(booked, "RvslInd"), text(detail, "RvslInd")} & {"true", "1"}),
        "RRTN" in (_family(booked), _family(detail)),
    )
    end_to_end_id = text(detail, "Refs/EndToEndId")
    number = text(detail, "Refs/AcctSvcrRef") or reference
    return Entry(
        day,
        direction,
        *amount,
        None if end_to_end_id == NOT_PROVIDED else _kept(end_to_end_id),
        None if number in NO_REFERENCES else _kept(number),
        _kept(text(detail, "RmtInf/Ustrd", "AddtlTxInf") or text(booked, "AddtlNtryInf")),
        any(marks),
        _kept(text(detail, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf")),
    )


def _kept(words: str | None) -> str | None:
    return words and words[:TEXT_LENGTH_MAX]


def _family(element: Element) -> str | None:
    return text(element, "BkTxCd/Domn/Fmly/SubFmlyCd")


def _date(words: str | None) -> date | None:
    """The day of a date or time as the bank wrote it, in its own zone."""
    match = _DATE.fullmatch(words) if words else None
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        raise Broken("A day that is none.") from None


def _amount(element: Element, *paths: str) -> tuple[str, str] | None:
    """Amount and currency of the first of these paths that there is."""
    found: Iterable[Element] = (given for path in paths if (given := element.find(path)) is not None)
    for given in found:
        amount, currency = number(given.text or ""), given.get("Ccy", "")
        if amount is None or not _CURRENCY.fullmatch(currency):
            raise Broken("An amount that is none.")
        return amount, currency
    return None
