"""An accepted payment: the row just written, or the earlier one of its idempotency key."""

from datetime import datetime
from typing import NamedTuple

from gateway.acceptance.payment_request import PaymentRequest
from models.account import Party
from models.payment_view import Payee, PaymentView
from models.rules.state import State

VERSION_OF_NEW = 1


class AcceptedPayment(NamedTuple):
    """A payment about to be answered; `is_replay` when its key had been used before, `written`: a consistency token."""

    view: PaymentView
    is_replay: bool
    written: str | None = None


def new_payment(request: PaymentRequest, source: Party, target: Party, created_at: datetime) -> AcceptedPayment:
    """The payment that was just stored, without reading it again."""
    new, counterparty = request.payment, request.counterparty
    due_at = max(created_at, new.scheduled_at or created_at)
    payee = Payee(counterparty.name, counterparty.iban[-4:]) if counterparty else None
    view = PaymentView(
        new.id, new.type, State.INITIATED.value, new.user_id, new.amount, new.currency, request.digits, 0,
        new.summary, new.reference, new.metadata, None, 0, due_at, None, created_at, None, VERSION_OF_NEW,
        new.capture, None, new.scheduled_at, new.expires_at, new.parent_id, new.reason, 0, source, target, None,
        None, request.conversion, None, payee,
    )  # fmt: skip
    return AcceptedPayment(view, is_replay=False)
