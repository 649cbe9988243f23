"""An accepted payment: the row just written, or the earlier one of its idempotency key."""

from datetime import datetime
from typing import NamedTuple

from gateway.acceptance.payment_request import PaymentRequest
from models.account import Party
from models.payment_view import Payee, PaymentView
from models.rules.state import State

VERSION_OF_NEW = 1


class AcceptedPayment(NamedTuple):
    """A payment about to be answered; `is_replay` when its key had been used before."""

    view: PaymentView
    is_replay: bool


def new_payment(order: PaymentRequest, source: Party, target: Party, created_at: datetime) -> AcceptedPayment:
    """The payment that was just stored, without reading it again."""
    due_at = max(created_at, order.scheduled_at or created_at)
    payee = Payee(order.counterparty.name, order.counterparty.iban[-4:]) if order.counterparty else None
    view = PaymentView(
        order.id, order.type.value, State.INITIATED.value, order.user_id, order.amount, order.currency, order.digits, 0,
        order.summary, order.reference, order.metadata, None, 0, due_at, None, created_at, None, VERSION_OF_NEW,
        order.capture, None, order.scheduled_at, order.expires_at, order.parent, order.reason, 0, source, target, None,
        None, order.arrival, None, payee,
    )  # fmt: skip
    return AcceptedPayment(view, is_replay=False)
