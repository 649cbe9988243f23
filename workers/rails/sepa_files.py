"""Bank files of the SEPA rail: writes pain.001.001.09, reads pain.002 and camt.053."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from models.bank_return import Return
from models.camt053 import STATEMENTS, SetAside, StatementEntry, payment_id, statements
from models.iso20022 import InvalidFile, document, text
from models.payout import Payout
from models.rules import money
from models.rules.creditor_reference import kind_of
from models.sepa_charset import plain
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState

SCHEMA = "pain.001.001.09"
ORDERS = r"pain\.001\.001\.09"
REPORTS = r"pain\.002\.001\.\d\d"

CURRENCY, DIGITS = "EUR", 2

NAME_LENGTH_MAX = 70
DESCRIPTION_LENGTH_MAX = 140
"""Limits of the SEPA rulebook."""

STATES = {"ACSC": PayoutState.CONFIRMED, "ACCC": PayoutState.CONFIRMED, "RJCT": PayoutState.REJECTED}
"""Settled on our account, or credited to the payee's. An accepted order (ACTC, ACCP, ACSP) may still be rejected: the
statement that books it, or a later report, confirms it."""

DUPLICATES = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05"})
"""A bank's reasons for refusing a duplicate. They say nothing about the first order, which it may be paying out."""

KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
"""An end-to-end id of this system, the payment's id in hexadecimal digits, or the id of one of its messages."""

Item = BankUpdate | Return


class Unwritable(Exception):
    """The payouts do not fit the schema."""


class Debtor(NamedTuple):
    """The account that pays, as the bank knows it."""

    name: str
    iban: str
    bic: str | None


def key_of(payment_id: str) -> str:
    """The end-to-end id of a payment."""
    return UUID(payment_id).hex


def order(debtor: Debtor, message_id: str, payouts: Sequence[Payout]) -> bytes:
    """The file that orders these transfers in EUR for the earliest date; raises Unwritable.

    Each is to be booked separately, so that statements name it. Amounts, IBAN, BIC and keys are written unchanged,
    names and descriptions in plain characters.
    """
    from sepaxml import SepaTransfer  # noqa: PLC0415 - takes seconds, and only this rail needs it
    from sepaxml.validation import ValidationError, try_valid_xml  # noqa: PLC0415

    config = {"name": plain(debtor.name, NAME_LENGTH_MAX), "IBAN": debtor.iban, "batch": True, "currency": CURRENCY}
    transfer = SepaTransfer({**config, **_bic(debtor.bic)}, schema=SCHEMA, clean=False)
    today = date.fromisoformat(time.strftime("%Y-%m-%d"))
    for payout in payouts:
        transfer.add_payment(
            {
                "name": plain(payout.name, NAME_LENGTH_MAX),
                "IBAN": payout.iban,
                **_bic(payout.bic),
                "amount": payout.amount,
                "description": plain(payout.description or "", DESCRIPTION_LENGTH_MAX),
                "execution_date": today,
                "endtoend_id": key_of(payout.payment_id),
            }
        )
    root = ElementTree.fromstring(transfer.export(validate=False))  # noqa: S314 - written by sepaxml just now
    _settle(root, message_id)
    _refer(root, {key_of(payout.payment_id): payout.creditor_reference for payout in payouts})
    written: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    try:
        try_valid_xml(written, SCHEMA)
    except ValidationError as error:
        raise Unwritable from error
    return written


def _bic(bic: str | None) -> dict[str, str]:
    return {} if bic is None else {"BIC": bic}


def _settle(root: Element, message_id: str) -> None:
    """Replace sepaxml's random ids by ids from the content; remove empty elements, or fill them with NOTPROVIDED."""
    space = f"{{{root.tag[1:].partition('}')[0]}}}"
    for name, value in (("MsgId", message_id), ("PmtInfId", message_id), ("BtchBookg", "false")):
        for element in root.iter(f"{space}{name}"):
            element.text = value
    for agent in root.iterfind(f".//{space}DbtrAgt/{space}FinInstnId"):
        if not len(agent):
            other = ElementTree.SubElement(agent, f"{space}Othr")
            ElementTree.SubElement(other, f"{space}Id").text = "NOTPROVIDED"
    for line in root.iter(f"{space}CdtTrfTxInf"):
        remittance = line.find(f"{space}RmtInf")
        if remittance is not None and not remittance.findtext(f"{space}Ustrd"):
            line.remove(remittance)


def _refer(root: Element, references: Mapping[str, str | None]) -> None:
    """Write the creditors' structured references, by end-to-end id; a transfer with one has no other remittance."""
    space = f"{{{root.tag[1:].partition('}')[0]}}}"
    for line in root.iter(f"{space}CdtTrfTxInf"):
        reference = references.get(line.findtext(f"{space}PmtId/{space}EndToEndId") or "")
        if reference is not None:
            kind = kind_of(reference)
            structured = line
            for name in ("RmtInf", "Strd", "CdtrRefInf"):
                structured = ElementTree.SubElement(structured, f"{space}{name}")
            kinds = ElementTree.SubElement(ElementTree.SubElement(structured, f"{space}Tp"), f"{space}CdOrPrtry")
            ElementTree.SubElement(kinds, f"{space}{'Cd' if kind == 'SCOR' else 'Prtry'}").text = kind
            ElementTree.SubElement(structured, f"{space}Ref").text = reference


def keys_in(data: bytes) -> list[str]:
    """The keys in a file of this system; raises InvalidFile, also if it was not written to its end."""
    return [key.text or "" for key in document(data, ORDERS).iter("EndToEndId")]


def items_in(data: bytes, keys_of: Callable[[str], Sequence[str]]) -> tuple[list[Item], list[SetAside]]:
    """The items of a pain.002 or camt.053 about our payments, and its unreadable entries; raises InvalidFile.

    `keys_of` returns the keys of a message of this system, which a report may answer as a whole.
    """
    root = document(data, f"{REPORTS}|{STATEMENTS}")
    report = root.find("CstmrPmtStsRpt")
    return _booked(root) if report is None else (list(_reported(report, keys_of)), [])


def _reported(report: Element, keys_of: Callable[[str], Sequence[str]]) -> Iterator[Item]:
    """The answer per transaction, else its block's or its message's; nothing from a message refused as a duplicate."""
    if any(_is_duplicate(element) for part in ("Grp", "Pmt") for element in report.iterfind(f"Orgnl{part}InfAndSts")):
        return
    message_id = (text(report, "OrgnlGrpInfAndSts/OrgnlMsgId") or "").lower()
    left = dict.fromkeys(keys_of(message_id) if KEY.fullmatch(message_id) else ())
    for element in report.iter("TxInfAndSts"):
        key = (text(element, "OrgnlEndToEndId") or "").lower()
        left.pop(key, None)
        yield from _updates(element, "TxSts", [key])
    blocks = [(block, "PmtInfSts") for block in report.iterfind("OrgnlPmtInfAndSts")]
    for element, status in [*blocks, *((group, "GrpSts") for group in report.iterfind("OrgnlGrpInfAndSts"))]:
        if text(element, status) in STATES:
            yield from _updates(element, status, left)
            left = {}


def _updates(element: Element, status: str, keys: Iterable[str]) -> Iterator[BankUpdate]:
    state = STATES.get(text(element, status) or "")
    if state is None or _is_duplicate(element):
        return
    reasons = (text(element, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry"), text(element, "StsRsnInf/AddtlInf"))
    reason = ": ".join(filter(None, reasons)) or None
    answer = PayoutAnswer(state, reason if state is PayoutState.REJECTED else None, text(element, "AcctSvcrRef"))
    for key in keys:
        if KEY.fullmatch(key):
            yield BankUpdate(str(UUID(key)), answer)


def _is_duplicate(element: Element) -> bool:
    return any(code.text in DUPLICATES for code in element.iterfind("StsRsnInf/Rsn/Cd"))


def _booked(root: Element) -> tuple[list[Item], list[SetAside]]:
    """Money paid out or returned under a key of this system; raises InvalidFile if no entry is readable."""
    booked, unreadable = statements(root)
    entries = [entry for statement in booked for entry in statement.entries]
    items: list[Item] = []
    unread = 0
    for entry in entries:
        try:
            items += _items_of(entry)
        except InvalidFile as broken:
            unreadable.append(SetAside(entry.pointer, str(broken)))
            unread += 1
    if unreadable and unread == len(entries):
        raise InvalidFile(f"No entry can be read. {unreadable[0].pointer}: {unreadable[0].detail}")
    return items, unreadable


def _items_of(entry: StatementEntry) -> Iterator[Item]:
    id = payment_id(entry.end_to_end_id)
    if id is None or entry.currency != CURRENCY:
        return
    if entry.direction == "debit" and not entry.is_return:
        answer = PayoutAnswer(PayoutState.CONFIRMED, bank_reference=entry.bank_reference)
        yield BankUpdate(id, answer, None if entry.amount is None else _minor(entry.amount))
    elif entry.direction == "credit" and entry.is_return:
        if entry.amount is None:
            raise InvalidFile("A return without an amount.")
        number = entry.bank_reference or f"{key_of(id)} {entry.booked_on} {entry.amount}"
        yield Return(number, id, _minor(entry.amount), entry.reason)


def _minor(amount: str) -> int:
    try:
        return money.parse(amount, DIGITS)
    except money.MoneyError as error:
        raise InvalidFile("An amount with more digits than its currency.") from error
