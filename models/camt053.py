"""Reads camt.053, a bank's account statement: its booked entries, split into their transactions."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from xml.etree.ElementTree import Element

from models.iso20022 import NOT_PROVIDED, InvalidFile, number, text

TEXT_LENGTH_MAX = 140
"""Texts of an entry are cut here: remittance information has at most this many characters, references fewer."""

STATEMENTS = r"camt\.053\.001\.\d\d"

NO_REFERENCES = frozenset({NOT_PROVIDED, "NONREF"})
"""Placeholders that banks write instead of a reference."""

DIRECTIONS = {"DBIT": "debit", "CRDT": "credit"}
OTHER_SIDE = {"debit": "credit", "credit": "debit"}

CLOSING = frozenset({"CLBD", "CLAV"})
"""Codes of a closing balance: booked, available."""

NOTHING = "0"

_KEY = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[TZ+-].*)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class StatementEntry(NamedTuple):
    """A booking on the account; the amount as a decimal string, `is_return` if the bank gives money back.

    `amount` None: a part of the next entry without an amount of its own; that entry has the rest of the parts.
    `pointer` is its path in the file.
    """

    booked_on: date
    direction: str
    amount: str | None
    currency: str
    end_to_end_id: str | None
    bank_reference: str | None
    description: str | None
    is_return: bool
    reason: str | None
    pointer: str = ""


class SetAside(NamedTuple):
    """An entry that cannot be read and is skipped, with its path in the file."""

    pointer: str
    detail: str


class Statement(NamedTuple):
    """Entries of one account, with its owner, its currency and the days covered.

    `made_on` is the day of the closing balance, or else of the statement; `pointer` its path in the file.
    """

    account: str | None
    currency: str | None
    begins_on: date | None
    ends_on: date | None
    made_on: date | None
    entries: list[StatementEntry]
    pointer: str


def statements(root: Element) -> tuple[list[Statement], list[SetAside]]:
    """Statements of a camt.053 with their booked entries, batches split, and the unreadable entries.

    Pending entries and those of amount 0 are left out. Raises InvalidFile.
    """
    elements = root.findall("BkToCstmrStmt/Stmt")
    if not elements:
        raise InvalidFile("A camt.053 without a statement.")
    unreadable: list[SetAside] = []
    return [_statement(root, each, f"/Stmt/{n}", unreadable) for n, each in enumerate(elements, 1)], unreadable


def _statement(root: Element, statement: Element, place: str, unreadable: list[SetAside]) -> Statement:
    entries = []
    for n, booked in enumerate(statement.iterfind("Ntry"), 1):
        pointer = f"{place}/Ntry/{n}"
        try:
            entries += [entry._replace(pointer=pointer) for entry in _entries(booked)]
        except InvalidFile as broken:
            unreadable.append(SetAside(f"{pointer}{broken.place}", str(broken)))
    try:
        begins_on, ends_on = (_date(text(statement, f"FrToDt/{side}DtTm", f"FrToDt/{side}Dt")) for side in ("Fr", "To"))
    except InvalidFile as broken:
        unreadable.append(SetAside(f"{place}/FrToDt", str(broken)))
        begins_on = ends_on = None
    return Statement(
        _shortened(text(statement, "Acct/Id/IBAN", "Acct/Id/Othr/Id")),
        text(statement, "Acct/Ccy"),
        begins_on or ends_on,
        ends_on or begins_on,
        next(filter(None, _days_of_balance(root, statement)), None),
        entries,
        place,
    )


def _days_of_balance(root: Element, statement: Element) -> Iterator[date | None]:
    """The day of the closing balance, then of the statement, then of the message; None for an invalid one."""
    closing = [balance for balance in statement.iterfind("Bal") if text(balance, "Tp/CdOrPrtry/Cd") in CLOSING]
    dates = [text(balance, "Dt/Dt", "Dt/DtTm") for balance in closing] + [text(statement, "CreDtTm")]
    for date_text in (*dates, text(root, "BkToCstmrStmt/GrpHdr/CreDtTm")):
        try:
            yield _date(date_text)
        except InvalidFile:
            yield None


def _entries(booked: Element) -> list[StatementEntry]:
    """The transactions of an entry, and the rest of its amount as an entry; raises InvalidFile."""
    if text(booked, "Sts/Cd", "Sts") not in ("BOOK", None):
        return []
    day = _date(text(booked, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"), "/BookgDt")
    if day is None:
        raise InvalidFile("An entry without its day.", "/BookgDt")
    amount, currency = _amount(booked, "Amt")
    direction = _direction(booked, booked)
    details = booked.findall("NtryDtls/TxDtls")
    if not details or (len(details) > 1 and not any(_has_id(detail) or _share(detail, currency) for detail in details)):
        whole = [_entry(booked, details[0] if len(details) == 1 else booked, day, direction, amount, currency)]
        return [entry for entry in whole if entry.amount != NOTHING]
    sides = [_direction(detail, booked, f"/TxDtls/{n}") for n, detail in enumerate(details, 1)]
    shares = [_share(detail, currency, side) for detail, side in zip(details, sides, strict=True)]
    if amount == NOTHING:
        shares = [share or NOTHING for share in shares]
    rest = Decimal(amount) - sum(
        Decimal(share) * (1 if side == direction else -1) for share, side in zip(shares, sides, strict=True) if share
    )
    if shares.count(None) == 1 and rest > 0 and sides[shares.index(None)] == direction:
        shares[shares.index(None)], rest = _plain(rest), Decimal(0)
    if None in shares and rest <= 0:
        raise InvalidFile("Parts without an amount, for which nothing is left.", "/Amt")
    parts = [
        _entry(booked, detail, day, side, share, currency)
        for detail, side, share in zip(details, sides, shares, strict=True)
        if share != NOTHING
    ]
    if rest:
        side = direction if rest > 0 else OTHER_SIDE[direction]
        note = text(booked, "AddtlNtryInf") or f"Rest of {amount} {currency} after its parts"
        parts.append(StatementEntry(day, side, _plain(abs(rest)), currency, None, None, _shortened(note), False, None))
    return parts


def _entry(
    booked: Element, detail: Element, day: date, direction: str, amount: str | None, currency: str
) -> StatementEntry:
    """One transaction of an entry; the bank's reference of the entry belongs to it if it is the only one."""
    marks = (
        detail.find("RtrInf") is not None,
        bool({text(booked, "RvslInd"), text(detail, "RvslInd")} & {"true", "1"}),
        "RRTN" in (_family(booked), _family(detail)),
    )
    end_to_end_id, own = text(detail, "Refs/EndToEndId"), text(detail, "Refs/AcctSvcrRef")
    is_only = len(booked.findall("NtryDtls/TxDtls")) <= 1 or detail is booked
    reference = own or (text(booked, "AcctSvcrRef") if is_only else None)
    return StatementEntry(
        day,
        direction,
        amount,
        currency,
        None if (end_to_end_id or "").upper() == NOT_PROVIDED else _shortened(end_to_end_id),
        None if (reference or "").upper() in NO_REFERENCES else _shortened(reference),
        _shortened(text(detail, "RmtInf/Ustrd", "AddtlTxInf") or text(booked, "AddtlNtryInf")),
        any(marks),
        _shortened(text(detail, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf")),
    )


def payment_id(end_to_end_id: str | None) -> str | None:
    """The payment id that was sent to a bank as this end-to-end id, in any case, with or without hyphens."""
    key = (end_to_end_id or "").lower()
    return str(UUID(key)) if _KEY.fullmatch(key) else None


def _shortened(value: str | None) -> str | None:
    return value and value[:TEXT_LENGTH_MAX]


def _family(element: Element) -> str | None:
    return text(element, "BkTxCd/Domn/Fmly/SubFmlyCd")


def _has_id(detail: Element) -> bool:
    return text(detail, "Refs/EndToEndId", "Refs/AcctSvcrRef") is not None


def _direction(element: Element, booked: Element, place: str = "") -> str:
    direction = DIRECTIONS.get(text(element, "CdtDbtInd") or text(booked, "CdtDbtInd") or "")
    if direction is None:
        raise InvalidFile("An entry that is neither debit nor credit.", f"{place}/CdtDbtInd")
    return direction


def _share(detail: Element, currency: str, direction: str = "debit") -> str | None:
    """A transaction's share of its entry, in the entry's currency; None if the bank does not report it.

    For a debit it is the ordered amount without bank charges: the instructed, else the transaction's, else the booked
    amount. For a credit it is the booked amount.
    """
    paths = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
    shares = [share for path in paths if (share := _amount_in(detail, path, currency)) is not None]
    if direction == "debit" and shares:
        return next(share for share in reversed(shares) if Decimal(share) <= Decimal(shares[0]))
    return shares[0] if shares else None


def _amount_in(detail: Element, path: str, currency: str) -> str | None:
    """The amount at the path, if there is one in this currency."""
    if detail.find(path) is None:
        return None
    amount, amount_currency = _amount(detail, path)
    return amount if amount_currency == currency else None


def _plain(amount: Decimal) -> str:
    return number(f"{amount:f}") or NOTHING


def _date(value: str | None, place: str = "") -> date | None:
    """The day of a date or time as the bank wrote it, in its own time zone; None if it has another form."""
    match = _DATE.fullmatch(value) if value else None
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        raise InvalidFile("Not a valid date.", place) from None


def _amount(element: Element, path: str) -> tuple[str, str]:
    """Amount and currency at the path; raises InvalidFile."""
    amount_element = element.find(path)
    amount = None if amount_element is None else number(amount_element.text or "")
    currency = "" if amount_element is None else amount_element.get("Ccy", "")
    if amount is None or not _CURRENCY.fullmatch(currency):
        raise InvalidFile("Not a valid amount.", f"/{path}")
    return amount, currency
