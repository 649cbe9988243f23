"""Published failure codes of payments."""

from enum import StrEnum


class Failure(StrEnum):
    """A failure code; the value is the contract, the message is for people."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    """The payer's available balance does not cover the amount."""
    ACCOUNT_UNKNOWN = "account_unknown"
    """The payment names an account that does not exist."""
    ACCOUNT_INACTIVE = "account_inactive"
    """One of the accounts, or the user who ordered the payment, has been deactivated."""
    ACCOUNT_FROZEN = "account_frozen"
    """One of the accounts has been frozen by the operator."""
    MERCHANT_BLOCKED = "merchant_blocked"
    """The payer has blocked this merchant from charging the wallet."""
    CURRENCY_MISMATCH = "currency_mismatch"
    """The accounts do not both hold the payment's currency."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """The payee's balance would exceed its ceiling, or a charge the payer's limits."""
    NOT_PERMITTED = "not_permitted"
    """The user who ordered the payment was not permitted to."""
    COMMISSION_EXCEEDS_AMOUNT = "commission_exceeds_amount"
    """The minimum commission would leave nothing of the amount."""
    QUOTE_EXPIRED = "quote_expired"
    """Its quote had expired, was used, or was for another payment, when it was accepted."""
    REFUND_EXCEEDS_CHARGE = "refund_exceeds_charge"
    """Together with earlier refunds it would give back more than was charged."""
    REJECTED_BY_BANK = "rejected_by_bank"
    """The bank did not pay it out; the hold is released."""
    CANCELED = "canceled"
    """It was canceled before it moved money."""
    CANCELED_BY_OPS = "canceled_by_ops"
    """Ops canceled it before it moved money, or released its hold."""
    EXPIRED = "expired"
    """It was not posted or captured in time."""
    SYSTEM_FAILURE = "system_failure"
    """A person gave the payment up after it could not be posted."""

    @property
    def is_retryable(self) -> bool:
        """Whether a new payment of the same kind may succeed later without another change of order."""
        return self in {Failure.INSUFFICIENT_FUNDS, Failure.LIMIT_EXCEEDED, Failure.SYSTEM_FAILURE}


MESSAGES = {
    Failure.INSUFFICIENT_FUNDS: "The payer's available balance does not cover the amount.",
    Failure.ACCOUNT_UNKNOWN: "An account of this payment does not exist.",
    Failure.ACCOUNT_INACTIVE: "An account or user of this payment is inactive.",
    Failure.ACCOUNT_FROZEN: "An account of this payment is frozen.",
    Failure.MERCHANT_BLOCKED: "The payer has blocked this merchant.",
    Failure.CURRENCY_MISMATCH: "An account of this payment holds another currency.",
    Failure.LIMIT_EXCEEDED: "It would pass a limit: of the payee's balance, or of what the payer lets merchants take.",
    Failure.NOT_PERMITTED: "The payment was ordered without the right to it.",
    Failure.COMMISSION_EXCEEDS_AMOUNT: "The commission would leave nothing of the amount.",
    Failure.QUOTE_EXPIRED: "The quote had expired, or was not for this payment.",
    Failure.REFUND_EXCEEDS_CHARGE: "More would be refunded than was charged.",
    Failure.REJECTED_BY_BANK: "The bank did not carry out the payment.",
    Failure.CANCELED: "The payment was canceled, or its hold released.",
    Failure.CANCELED_BY_OPS: "The operator canceled the payment, or released its hold.",
    Failure.EXPIRED: "The payment was not posted or captured in time.",
    Failure.SYSTEM_FAILURE: "The payment could not be posted.",
}
"""Failure to one sentence for people."""
