"""camt.053, a bank's statement of accounts: its booked entries, one by one, with what their parts leave of them."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from xml.etree.ElementTree import Element

from models.iso20022 import NOT_PROVIDED, InvalidFile, number, text

TEXT_LENGTH_MAX = 140
"""Where the texts of an entry are cut: remittance information has as many characters, references have fewer."""

STATEMENTS = r"camt\.053\.001\.\d\d"

NO_REFERENCES = frozenset({NOT_PROVIDED, "NONREF"})
"""What banks write where they have no number of their own."""

DIRECTIONS = {"DBIT": "debit", "CRDT": "credit"}
OTHER_SIDE = {"debit": "credit", "credit": "debit"}

CLOSING = frozenset({"CLBD", "CLAV"})
"""The kinds of a closing balance: booked, available."""

NOTHING = "0"

_KEY = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[TZ+-].*)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class StatementEntry(NamedTuple):
    """One booking on the account; the amount as a decimal string, `is_return` where the bank gives money back.

    `amount` None: a part whose amount the bank does not say, of the next entry, which is what its parts leave.
    `pointer` is its place in the file.
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
    """What cannot be read and is set aside, by its place in the file."""

    pointer: str
    detail: str


class Statement(NamedTuple):
    """The entries of an account, and what the bank says of them: whose it is, in what currency, which days they cover.

    `made_on` is the day of its closing balance, or the one on which it was made; `pointer` its place in the file.
    """

    account: str | None
    currency: str | None
    begins_on: date | None
    ends_on: date | None
    made_on: date | None
    entries: list[StatementEntry]
    pointer: str


def statements(root: Element) -> tuple[list[Statement], list[SetAside]]:
    """What a camt.053 says of each account, its booked entries one by one, batches by their parts; raises Broken.

    What is only announced (pending) is left out, and so is an entry of nothing; one that cannot be read is odd.
    """
    stated = root.findall("BkToCstmrStmt/Stmt")
    if not stated:
        raise InvalidFile("A camt.053 without a statement.")
    odd: list[SetAside] = []
    return [_statement(root, one, f"/Stmt/{n}", odd) for n, one in enumerate(stated, 1)], odd


def _statement(root: Element, stated: Element, place: str, odd: list[SetAside]) -> Statement:
    entries = []
    for n, booked in enumerate(stated.iterfind("Ntry"), 1):
        pointer = f"{place}/Ntry/{n}"
        try:
            entries += [entry._replace(pointer=pointer) for entry in _entries(booked)]
        except InvalidFile as broken:
            odd.append(SetAside(f"{pointer}{broken.place}", str(broken)))
    try:
        begins_on, ends_on = (_date(text(stated, f"FrToDt/{side}DtTm", f"FrToDt/{side}Dt")) for side in ("Fr", "To"))
    except InvalidFile as broken:
        odd.append(SetAside(f"{place}/FrToDt", str(broken)))
        begins_on = ends_on = None
    return Statement(
        _shortened(text(stated, "Acct/Id/IBAN", "Acct/Id/Othr/Id")),
        text(stated, "Acct/Ccy"),
        begins_on or ends_on,
        ends_on or begins_on,
        next(filter(None, _days_of_balance(root, stated)), None),
        entries,
        place,
    )


def _days_of_balance(root: Element, stated: Element) -> Iterator[date | None]:
    """The day of the closing balance; else when the statement, or the message, was made."""
    closing = [one for one in stated.iterfind("Bal") if text(one, "Tp/CdOrPrtry/Cd") in CLOSING]
    told = [text(one, "Dt/Dt", "Dt/DtTm") for one in closing] + [text(stated, "CreDtTm")]
    for words in (*told, text(root, "BkToCstmrStmt/GrpHdr/CreDtTm")):
        try:
            yield _date(words)
        except InvalidFile:
            yield None


def _entries(booked: Element) -> list[StatementEntry]:
    """The transactions of an entry, and what they leave of it; raises Broken."""
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
        words = text(booked, "AddtlNtryInf") or f"What its parts leave of {amount} {currency}"
        parts.append(StatementEntry(day, side, _plain(abs(rest)), currency, None, None, _shortened(words), False, None))
    return parts


def _entry(
    booked: Element, detail: Element, day: date, direction: str, amount: str | None, currency: str
) -> StatementEntry:
    """One transaction of an entry; the number that the bank gave to the entry is its own if it is the only one."""
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
    """The payment that a bank was told by this end-to-end id, in letters of any size, with or without hyphens."""
    key = (end_to_end_id or "").lower()
    return str(UUID(key)) if _KEY.fullmatch(key) else None


def _shortened(words: str | None) -> str | None:
    return words and words[:TEXT_LENGTH_MAX]


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
    """What a transaction has of its entry, in the entry's currency; None if the bank does not say.

    Of money that went out it is what was ordered, without charges that were taken on top: the instructed amount, that
    of the transaction, the amount booked. Of money that came in it is what was booked.
    """
    told = {path: _amount_in(detail, path, currency) for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")}
    given = [share for share in told.values() if share is not None]
    if direction == "debit" and given:
        return next(share for share in reversed(given) if Decimal(share) <= Decimal(given[0]))
    return given[0] if given else None


def _amount_in(detail: Element, path: str, currency: str) -> str | None:
    """The amount at the path, if there is one in this currency."""
    if detail.find(path) is None:
        return None
    amount, given = _amount(detail, path)
    return amount if given == currency else None


def _plain(amount: Decimal) -> str:
    return number(f"{amount:f}") or NOTHING


def _date(words: str | None, place: str = "") -> date | None:
    """The day of a date or time as the bank wrote it, in its own zone."""
    match = _DATE.fullmatch(words) if words else None
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        raise InvalidFile("A day that is none.", place) from None


def _amount(element: Element, path: str) -> tuple[str, str]:
    """Amount and currency of what is at the path; raises Broken."""
    given = element.find(path)
    amount, currency = (None, "") if given is None else (number(given.text or ""), given.get("Ccy", ""))
    if amount is None or not _CURRENCY.fullmatch(currency):
        raise InvalidFile("An amount that is none.", f"/{path}")
    return amount, currency
