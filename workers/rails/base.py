"""The interface of a rail: submits payouts to a bank, asks about them, and reads the bank's later updates."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from models.bank_return import Return
from models.payout import Payout
from models.rail import BankFile


class PayoutState(StrEnum):
    """The state of a payout after a call of the bank."""

    CONFIRMED = "confirmed"
    """The bank has paid it out, or certainly will."""
    REJECTED = "rejected"
    """The bank has not paid it out, and never will."""
    PENDING = "pending"
    """The bank has it; its answer comes later."""
    UNKNOWN = "unknown"
    """A time-out, an error of the bank or a lost connection: it may have acted."""
    NOT_FOUND = "not_found"
    """The bank says that it never received the payout."""
    UNREACHABLE = "unreachable"
    """The bank was not reached."""


class PayoutAnswer(NamedTuple):
    """The answer of a bank about a payout, with its reason and reference."""

    state: PayoutState
    reason: str | None = None
    bank_reference: str | None = None


class BankUpdate(NamedTuple):
    """A later message of the bank about a payment: CONFIRMED or REJECTED, perhaps repeated.

    `amount` is in minor units, None if the bank does not state it.
    """

    payment_id: str
    answer: PayoutAnswer
    amount: int | None = None


class RailUnavailable(Exception):
    """The bank could not be asked for updates."""


class Rail(Protocol):
    """A connection to a bank that recognizes a payout by its payment's id, and executes it once."""

    name: str
    batch_max: int
    """Most payouts per call: its answers must arrive within the lease."""

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Order the payouts; returns the answers by payment id, never NOT_FOUND."""
        ...

    def inquire(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Ask about payouts that may have been submitted."""
        ...

    def updates(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        """One page of updates since that position (empty: from the start), and the position after it.

        Raises RailUnavailable.
        """
        ...


@runtime_checkable
class FileRail(Protocol):
    """A rail that exchanges files with its bank."""

    handled_files: list[BankFile]
    """Files that were written and read, and are not noted in the database yet; who notes them removes them."""
