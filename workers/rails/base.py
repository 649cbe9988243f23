"""What a rail is: a way out to a bank, which is told, asked again, and tells what happened later."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from models.bank_return import Return
from models.payout import Payout


class PayoutState(StrEnum):
    """What is known after a call."""

    CONFIRMED = "confirmed"
    """The bank has paid it out, or surely will."""
    REJECTED = "rejected"
    """The bank has not paid it out, and never will."""
    PENDING = "pending"
    """The bank has it; its answer comes later."""
    UNKNOWN = "unknown"
    """A time-out, an error of the bank's, a cut line: it may have acted."""
    NOT_FOUND = "not_found"
    """Asked again, the bank says that it was never told."""
    AWAY = "away"
    """Nobody was reached, so nobody was told or asked."""


class PayoutAnswer(NamedTuple):
    """An answer, with the bank's own words and number."""

    answer: PayoutState
    reason: str | None = None
    bank_reference: str | None = None


class BankUpdate(NamedTuple):
    """What a bank tells of a payment by itself: CONFIRMED or REJECTED, perhaps again.

    `amount`, in minor units, is how much it was, where the bank says so.
    """

    payment_id: str
    outcome: PayoutAnswer
    amount: int | None = None


class RailAway(Exception):
    """The bank could not be asked for news."""


class Rail(Protocol):
    """A way out to a bank that knows an instruction again by its payment's id, and acts on it once."""

    name: str
    batch_max: int
    """How many instructions one call takes: its answers are to come within the lease."""

    def submit(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Tell the bank what to pay; outcomes by payment id, never NOT_FOUND."""
        ...

    def inquire(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Ask what became of what it may have been told."""
        ...

    def news(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        """What has happened since that position (empty: ever), a page at a time, and the position after it.

        Raises RailAway.
        """
        ...
