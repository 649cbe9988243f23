"""Which values of a payment its viewer sees: by one table they are shown in Python, and searched in SQL.

A rule has conditions and values in order: the value of the first condition that holds is shown. Both are names of facts
about a payment and its viewer, which `models/representations.py` and `models/payment_list.py` define. A rule without a
condition that holds hides its value.
"""

from collections.abc import Mapping
from typing import Any

Rule = tuple[tuple[str, str], ...]

SEES_COMMISSION: Rule = (("reads_all", "reads_all"), ("is_borne_by_target", "owns_target"), ("always", "owns_source"))
"""The merchant bears the commission of a charge and of its refunds, the owner that of a deposit, otherwise the payer
does."""

_AMOUNT = (("sees_commission", "amount"), ("is_undecided", "nothing"), ("owns_target", "arrived"), ("always", "moved"))

VISIBLE: Mapping[str, Rule] = {
    "source": (("owns_source", "source_token"), ("gave_source", "source_token")),
    "target": (("owns_target", "target_token"), ("gave_target", "target_token")),
    "amount": _AMOUNT,
    "currency": (("sees_commission", "currency"), ("owns_target", "arrived_currency"), ("always", "currency")),
    "commission": (("sees_commission", "commission"),),
    "target_amount": (("sees_commission", "arrived"), ("is_exchanged", "arrived"), *_AMOUNT[1:]),
    "metadata": (("reads_all", "metadata"), ("is_initiator", "metadata")),
    "balance_after": (("owns_source", "source_balance"), ("owns_target", "target_balance")),
}
"""A token, by which merchants may charge a wallet, is for its owner, and for the initiator who gave it. Without the
commission the payee sees the amount that arrived, others the amount that left. The amount that arrives of a transfer is
known once its commission is taken: while that `is_undecided`, its payee sees none."""


def decide(rule: Rule, facts: Mapping[str, Any]) -> Any:
    """The value that the rule shows; None if hidden."""
    for condition, value in rule:
        if facts[condition]:
            return facts[value]
    return None
