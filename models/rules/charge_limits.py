"""Limits that a client sets on merchants' charges to a wallet: per charge and per day; a merchant can be blocked."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from models.rules.failure_codes import Failure
from models.rules.types import ClaimedPayment, PaymentType


class ChargeLimit(NamedTuple):
    """Maximum per charge and per day (UTC) for one merchant, or for all if `merchant_id` is None; in minor units.

    At least one of the two is set. For all merchants, `per_day` bounds the sum over all merchants.
    """

    merchant_id: str | None
    per_charge: int | None
    per_day: int | None


class Allowance(NamedTuple):
    """Limits of one wallet, and the amount `charged` by day and merchant, in minor units."""

    limits: tuple[ChargeLimit, ...] = ()
    blocked: frozenset[str] = frozenset()
    charged: Mapping[tuple[date | None, str], int] = MappingProxyType({})

    def refusal(self, payment: ClaimedPayment) -> Failure | None:
        """The reason to refuse a payment, or None: a new charge must pass each limit that applies to it."""
        if not is_new_charge(payment):
            return None
        merchant_id, amount = payment.user_id, payment.amount
        if merchant_id in self.blocked:
            return Failure.MERCHANT_BLOCKED
        for limit in self.limits:
            if limit.merchant_id not in {None, merchant_id}:
                continue
            if limit.per_charge is not None and amount > limit.per_charge:
                return Failure.LIMIT_EXCEEDED
            if limit.per_day is not None and self._charged_on(payment.day, limit.merchant_id) + amount > limit.per_day:
                return Failure.LIMIT_EXCEEDED
        return None

    def _charged_on(self, day: date | None, merchant_id: str | None) -> int:
        return sum(amount for (on, by), amount in self.charged.items() if on == day and merchant_id in {None, by})

    def after(self, payment: ClaimedPayment) -> "Allowance":
        """The allowance after the payment was posted."""
        if not is_new_charge(payment):
            return self
        key = payment.day, payment.user_id
        return self._replace(charged={**self.charged, key: self.charged.get(key, 0) + payment.amount})


def is_new_charge(payment: ClaimedPayment) -> bool:
    """Whether it is a charge on its first decision: limits do not apply again to an amount already held."""
    return payment.type == PaymentType.CHARGE and payment.action is None


UNLIMITED = Allowance()
NO_ALLOWANCES: Mapping[str, Allowance] = MappingProxyType({})
