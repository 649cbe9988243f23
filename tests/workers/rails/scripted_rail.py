"""A rail whose answers are set by a test."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from models.bank_return import Return
from models.payout import Payout
from tests.workers.rails.conftest import Withdrawals
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState

CONFIRMED, REJECTED = PayoutAnswer(PayoutState.CONFIRMED), PayoutAnswer(PayoutState.REJECTED, "no such account")
PENDING, UNKNOWN, NOT_FOUND = (
    PayoutAnswer(PayoutState.PENDING),
    PayoutAnswer(PayoutState.UNKNOWN),
    PayoutAnswer(PayoutState.NOT_FOUND),
)

WithdrawalsBy = Callable[[object], Withdrawals]


class Death(BaseException):
    """Ends the worker at once."""


class Script:
    """A rail with preset outcomes that records its calls."""

    name = "script"
    batch_max = 10

    def __init__(
        self, submit: PayoutAnswer | BaseException = CONFIRMED, inquire: PayoutAnswer | BaseException = CONFIRMED
    ) -> None:
        self.says = {"submit": submit, "inquire": inquire}
        self.calls: list[tuple[str, Payout]] = []
        self.pages: list[list[BankUpdate | Return]] = []

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("submit", payouts)

    def inquire(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        return self._answer("inquire", payouts)

    def updates(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        number = int(position or 0)
        return (self.pages[number], str(number + 1)) if number < len(self.pages) else ([], position)

    def _answer(self, call: str, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        self.calls += [(call, payout) for payout in payouts]
        said = self.says[call]
        if isinstance(said, BaseException):
            raise said
        return {payout.payment_id: said for payout in payouts}

    @property
    def happened(self) -> list[str]:
        return [call for call, _ in self.calls]


def die(withdrawals: Withdrawals) -> None:
    with pytest.raises(Death):
        withdrawals.sender.drain()


def returns(withdrawals: Withdrawals) -> list[tuple[str, str | None]]:
    with withdrawals.books.as_owner() as connection:
        rows = connection.exec_driver_sql("SELECT bank_id, payment_id::text FROM returns ORDER BY bank_id")
        return [tuple(row) for row in rows]
