"""A rail whose answers a test writes."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from models.bank_return import Return
from models.payout import Payout
from tests.workers.rails.conftest import Desk
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState

CONFIRMED, REJECTED = PayoutAnswer(PayoutState.CONFIRMED), PayoutAnswer(PayoutState.REJECTED, "no such account")
PENDING, UNKNOWN, NOT_FOUND = (
    PayoutAnswer(PayoutState.PENDING),
    PayoutAnswer(PayoutState.UNKNOWN),
    PayoutAnswer(PayoutState.NOT_FOUND),
)

DeskAt = Callable[[object], Desk]


class Death(BaseException):
    """Ends the worker where it stands."""


class Script:
    """A rail whose outcomes are set beforehand, and which remembers what it was told and asked."""

    name = "script"
    batch_max = 10

    def __init__(
        self, told: PayoutAnswer | BaseException = CONFIRMED, asked: PayoutAnswer | BaseException = CONFIRMED
    ) -> None:
        self.says = {"told": told, "asked": asked}
        self.calls: list[tuple[str, Payout]] = []
        self.pages: list[list[BankUpdate | Return]] = []

    def submit(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("told", instructions)

    def inquire(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("asked", instructions)

    def news(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        number = int(position or 0)
        return (self.pages[number], str(number + 1)) if number < len(self.pages) else ([], position)

    def _answer(self, call: str, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        self.calls += [(call, one) for one in instructions]
        said = self.says[call]
        if isinstance(said, BaseException):
            raise said
        return {one.payment_id: said for one in instructions}

    @property
    def happened(self) -> list[str]:
        return [call for call, _ in self.calls]


def die(desk: Desk) -> None:
    with pytest.raises(Death):
        desk.instructor.drain()


def returns(desk: Desk) -> list[tuple[str, str | None]]:
    with desk.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT bank_id, payment_id::text FROM returns ORDER BY bank_id")
        return [tuple(row) for row in rows]
