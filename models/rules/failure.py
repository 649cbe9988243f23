"""The published reasons why a payment FAILED."""

from enum import StrEnum


class Failure(StrEnum):
    """A failure code; the value is the contract, the message is for people."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    """The payer's available balance does not cover the amount."""
    ACCOUNT_UNKNOWN = "account_unknown"
    """The order names an account that does not exist."""
    ACCOUNT_INACTIVE = "account_inactive"
    """One of the accounts, or the user who ordered, has been deactivated."""
    ACCOUNT_FROZEN = "account_frozen"
    """One of the accounts has been frozen by the operator."""
    CURRENCY_MISMATCH = "currency_mismatch"
    """The accounts do not both hold the payment's currency."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """The payee's balance would pass the most it may hold."""
    NOT_PERMITTED = "not_permitted"
    """Whoever ordered the payment had no right to it."""
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
    Failure.CURRENCY_MISMATCH: "An account of this payment holds another currency.",
    Failure.LIMIT_EXCEEDED: "The payee's balance would pass its limit.",
    Failure.NOT_PERMITTED: "The payment was ordered without the right to it.",
    Failure.SYSTEM_FAILURE: "The payment could not be posted.",
}
"""Failure to one sentence for people."""
