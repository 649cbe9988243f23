"""The SEPA rail: writes payouts into pain.001 files for a bank, which answers with pain.002 and camt.053 files."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from models.iso20022 import InvalidFile
from models.payout import Payout
from models.rail import BankFile
from models.rules.sepa import is_in_sepa
from models.sepa_charset import plain
from workers.rails.base import PayoutAnswer, PayoutState, RailUnavailable
from workers.rails.sepa_exchange_folders import BROKEN, DONE, FolderBusy, Inbox, Outbox, ReceivedFile
from workers.rails.sepa_files import (
    CURRENCY,
    NAME_LENGTH_MAX,
    Debtor,
    Item,
    Unwritable,
    items_in,
    key_of,
    order,
)

log = structlog.get_logger("sepa")

AMOUNT_MAX = 99_999_999_999
"""999,999,999.99: the SEPA rulebook."""

BATCH_MAX = 500
"""Written, validated and marked in some two seconds."""

ITEMS_MAX = 500
"""Updates per page: each page is written in one transaction."""

HANDLED_BYTES_MAX = 32 * 1024 * 1024
"""Of handled files that are in memory until they are kept in the database; no further one is read before."""

PENDING = PayoutAnswer(PayoutState.PENDING, "it is in a file for the bank")
NOT_FOUND = PayoutAnswer(PayoutState.NOT_FOUND, "it is in no file for the bank")
BUSY = PayoutAnswer(PayoutState.UNKNOWN, "another process writes to the outbox")


class SepaRail:
    """A bank behind two folders; a payment is in exactly one file of the outbox, whatever is repeated or dies."""

    name = "sepa"
    batch_max = BATCH_MAX

    def __init__(self, outbox: Path, inbox: Path, debtor: Debtor) -> None:
        self._outbox, self._inbox, self._debtor = Outbox(outbox), Inbox(inbox), debtor
        self._read: tuple[str, list[Item]] = ("", [])
        self.handled_files: list[BankFile] = []

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Write the payouts that are in no file yet into one file; SEPA's rules may reject some."""
        rejected = {payout.payment_id: answer for payout in payouts if (answer := _rejection(payout))}
        accepted = {payout.payment_id: PENDING for payout in payouts if payout.payment_id not in rejected}
        try:
            with self._outbox.locked():
                new = [payout for payout in payouts if payout.payment_id in accepted and not self._is_written(payout)]
                return {**rejected, **accepted, **self._write(new)}
        except FolderBusy:
            return {**rejected, **dict.fromkeys(accepted, BUSY)}

    def inquire(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """PENDING if the payout is in a file; the bank's answer arrives as an update."""
        try:
            with self._outbox.locked():
                return {payout.payment_id: PENDING if self._is_written(payout) else NOT_FOUND for payout in payouts}
        except FolderBusy:
            return {payout.payment_id: BUSY for payout in payouts}

    def updates(self, position: str) -> tuple[list[Item], str]:
        """The next items of the first file in the inbox that has any left.

        The position is the hash of a file and the number of its committed items. A file is moved away only when the
        position says that all are committed; a file read again gives the same items.
        """
        hash, _, count = position.partition(" ")
        try:
            for file in self._inbox.files():
                if sum(len(handled.content or b"") for handled in self.handled_files) >= HANDLED_BYTES_MAX:
                    break
                items, start = self._items(file), int(count) if file.hash == hash else 0
                if items is None:
                    self.handled_files.append(BankFile(BROKEN, self._inbox.put_away(file, BROKEN), None, file.data))
                elif start >= len(items):
                    name = self._inbox.put_away(file, DONE)
                    self.handled_files.append(BankFile("read", name, len(items), file.data))
                    log.info("file of the bank read", file=file.path.name, items=len(items))
                else:
                    page = items[start : start + ITEMS_MAX]
                    return page, f"{file.hash} {start + len(page)}"
        except OSError as error:
            raise RailUnavailable(f"{type(error).__name__}: {error}") from error
        return [], position

    def _is_written(self, payout: Payout) -> bool:
        return self._outbox.is_written(key_of(payout.payment_id))

    def _write(self, payouts: Sequence[Payout]) -> dict[str, PayoutAnswer]:
        """Write one file; a payout that does not fit the schema is rejected without the others."""
        if not payouts:
            return {}
        keys = sorted(key_of(payout.payment_id) for payout in payouts)
        message_id = hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
        try:
            data = order(self._debtor, message_id, payouts)
        except Unwritable:
            if len(payouts) == 1:
                return {payouts[0].payment_id: PayoutAnswer(PayoutState.REJECTED, "it does not fit pain.001")}
            return {id: answer for payout in payouts for id, answer in self._write([payout]).items()}
        self._outbox.write(message_id, data, keys)
        self.handled_files.append(BankFile("written", f"{message_id}.xml", len(keys), data))
        log.info("file for the bank written", message=message_id, payments=len(keys))
        return {}

    def _items(self, file: ReceivedFile) -> list[Item] | None:
        """The items of the file, None if it is invalid; the last file is cached while it is read by pages."""
        if file.hash == self._read[0]:
            return self._read[1]
        try:
            if file.data is None:
                raise InvalidFile("Too large.")
            items, unreadable = items_in(file.data, self._outbox.keys_of)
        except InvalidFile as broken:
            log.error("a file of the bank is invalid", file=file.path.name, error=str(broken))
            return None
        for entry in unreadable:
            log.error("an entry of a file of the bank is set aside", file=file.path.name, **entry._asdict())
        self._read = (file.hash, items)
        return items


def _rejection(payout: Payout) -> PayoutAnswer | None:
    """The rejection by SEPA's rules, if any."""
    if payout.currency != CURRENCY:
        return PayoutAnswer(PayoutState.REJECTED, f"SEPA pays {CURRENCY} alone, not {payout.currency}")
    if payout.amount > AMOUNT_MAX:
        return PayoutAnswer(PayoutState.REJECTED, "SEPA pays 999999999.99 at most")
    if not is_in_sepa(payout.iban):
        return PayoutAnswer(PayoutState.REJECTED, "the account is outside SEPA")
    if not plain(payout.name, NAME_LENGTH_MAX):
        return PayoutAnswer(PayoutState.REJECTED, "the name cannot be written in Latin letters")
    return None
