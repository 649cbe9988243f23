"""What a client lets merchants take out of a wallet: by one charge, in a day, or nothing at all."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from models.rules.failure_codes import Failure
from models.rules.types import ClaimedPayment, PaymentType


class ChargeLimit(NamedTuple):
    """The most that a merchant, or with None any, may take by one charge and in one day (UTC); in minor units.

    At least one of the two is a number. A day of any merchant's is what all of them take together.
    """

    merchant_id: str | None
    per_charge: int | None
    per_day: int | None


class Allowance(NamedTuple):
    """What merchants may take out of one wallet, and what each `took` on a day, in minor units."""

    limits: tuple[ChargeLimit, ...] = ()
    blocked: frozenset[str] = frozenset()
    took: Mapping[tuple[date | None, str], int] = MappingProxyType({})

    def refusal(self, payment: ClaimedPayment) -> Failure | None:
        """What forbids the payment, or None: every limit that applies must allow a charge; nothing else is limited."""
        if not is_taking(payment):
            return None
        merchant_id, amount = payment.user_id, payment.amount
        if merchant_id in self.blocked:
            return Failure.MERCHANT_BLOCKED
        for limit in self.limits:
            if limit.merchant_id not in {None, merchant_id}:
                continue
            if limit.per_charge is not None and amount > limit.per_charge:
                return Failure.LIMIT_EXCEEDED
            if limit.per_day is not None and self._taken(payment.day, limit.merchant_id) + amount > limit.per_day:
                return Failure.LIMIT_EXCEEDED
        return None

    def _taken(self, day: date | None, merchant_id: str | None) -> int:
        return sum(took for (on, by), took in self.took.items() if on == day and merchant_id in {None, by})

    def after(self, payment: ClaimedPayment) -> "Allowance":
        """The allowance that the payment leaves if it is not refused."""
        if not is_taking(payment):
            return self
        taker = payment.day, payment.user_id
        return self._replace(took={**self.took, taker: self.took.get(taker, 0) + payment.amount})


def is_taking(payment: ClaimedPayment) -> bool:
    """Whether it is a charge that is decided for the first time: what has been held is promised."""
    return payment.type == PaymentType.CHARGE and payment.ending is None


UNLIMITED = Allowance()
NO_ALLOWANCES: Mapping[str, Allowance] = MappingProxyType({})
