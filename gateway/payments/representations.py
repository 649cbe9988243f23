"""The JSON of operations; who sees which of them is decided here alone."""

from collections.abc import Iterable
from typing import Any

from gateway.auth.tokens import Caller
from models.account import Party
from models.operation import OperationView
from models.payment_view import PaymentView
from models.representations import party_body, sees_commission
from models.rules.money import render
from models.rules.types import OperationKind


def operation_bodies(rows: Iterable[OperationView], view: PaymentView, caller: Caller) -> list[dict[str, Any]]:
    """The operations of a payment; those of commission only for viewers who may see it."""
    shows_commission = sees_commission(view, caller)
    return [operation_body(row, caller) for row in rows if shows_commission or row.kind != OperationKind.COMMISSION]


def operation_body(view: OperationView, caller: Caller) -> dict[str, Any]:
    """One side of the double entry; its owner and readers of all see the balance after it."""
    is_owner = view.owner_id == caller.id
    party = Party(view.account_id, view.token, view.owner_id, view.currency, view.name)
    return {
        "line": view.line,
        "account": party_body(party, view.token if is_owner else None),
        "amount": render(view.amount, view.digits),
        "currency": view.currency,
        "kind": view.kind,
        "balance_after": (render(view.balance_after, view.digits) if is_owner or caller.reads_all else None),
        "created_at": view.created_at.isoformat(),
    }
