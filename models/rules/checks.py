"""The ladder of named refusals: the first reason not to post a payment."""

from models.rules.charge_limits import UNLIMITED, Allowance
from models.rules.failure_codes import Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.types import (
    EXTERNAL_CODES,
    ApprovedAdjustment,
    ClaimedPayment,
    Initiator,
    LockedAccount,
    PaymentType,
    QuotedAmounts,
    RefundableAmount,
)


def first_refusal(
    payment: ClaimedPayment,
    source: LockedAccount,
    target: LockedAccount,
    initiator: Initiator,
    charge: RefundableAmount | None = None,
    quote: QuotedAmounts | None = None,
    adjustment: ApprovedAdjustment | None = None,
    allowance: Allowance = UNLIMITED,
    fee: int = 0,
    *,
    is_promised: bool = False,
    deposits_open: bool,
) -> Failure | None:
    """The first rung of the ladder that refuses the payment, or None; `fee` is taken from it, or given back.

    `is_promised` for a line of an atomic bulk already decided: its accounts' activity is not checked again.
    """
    if not _is_permitted(payment, source, target, initiator, charge, adjustment, deposits_open=deposits_open):
        return Failure.NOT_PERMITTED
    if source.currency != payment.currency or target.currency != payment.received_currency:
        return Failure.CURRENCY_MISMATCH
    is_return = payment.type == PaymentType.RETURN  # the money is already here, whatever the state of the account
    is_settled = is_return or is_promised
    may_receive = target.is_active or payment.type == PaymentType.REFUND  # a charge can always be given back
    if not (is_settled or (initiator.is_active and source.is_active and may_receive)):
        return Failure.ACCOUNT_INACTIVE
    if (source.is_frozen or target.is_frozen) and not is_settled:
        return Failure.ACCOUNT_FROZEN
    over_limit = allowance.refusal(payment)
    if over_limit is not None:
        return over_limit
    if payment.quote_id is not None and not (quote is not None and quote.fits(payment)):
        return Failure.QUOTE_EXPIRED
    if charge is not None and charge.refunded + payment.amount > charge.captured:
        return Failure.REFUND_EXCEEDS_CHARGE
    gives_back = payment.type == PaymentType.REFUND
    if fee >= payment.moved and not gives_back:
        return Failure.COMMISSION_EXCEEDS_AMOUNT
    floor = -MINOR_UNITS_MAX if source.floor is None else source.floor
    if source.balance - source.held - payment.amount + (fee if gives_back else 0) < floor:
        return Failure.INSUFFICIENT_FUNDS
    ceiling = MINOR_UNITS_MAX if target.ceiling is None else target.ceiling
    arriving = payment.target_amount or payment.moved - (0 if gives_back else fee)
    if target.balance + arriving > ceiling and not is_return:
        return Failure.LIMIT_EXCEEDED
    return None


def _is_permitted(
    payment: ClaimedPayment,
    source: LockedAccount,
    target: LockedAccount,
    initiator: Initiator,
    charge: RefundableAmount | None,
    adjustment: ApprovedAdjustment | None,
    *,
    deposits_open: bool,
) -> bool:
    """Whether the initiator may order this between these accounts; the gateway checked the same at acceptance."""
    if source.id == target.id:
        return False
    if payment.type == PaymentType.WITHDRAWAL:
        return source.owner_id == initiator.id and target.code in EXTERNAL_CODES
    if payment.type == PaymentType.ADJUSTMENT:
        return adjustment is not None and adjustment.fits(payment, source, target)
    if target.owner_id is None:
        return False
    match payment.type:
        case PaymentType.DEPOSIT:
            own = deposits_open and target.owner_id == initiator.id
            return source.code in EXTERNAL_CODES and (initiator.may_deposit or own)
        case PaymentType.TRANSFER:
            return source.owner_id == initiator.id
        case PaymentType.EXCHANGE:
            return source.owner_id == target.owner_id == initiator.id and payment.quote_id is not None
        case PaymentType.CHARGE:
            is_customers = source.owner_id is not None and source.owner_id != initiator.id
            return initiator.role == "merchant" and target.owner_id == initiator.id and is_customers
        case PaymentType.REFUND:
            return charge is not None and charge[:4] == (PaymentType.CHARGE, initiator.id, target.id, source.id)
        case PaymentType.RETURN:
            return charge is not None and charge[:4] == (PaymentType.WITHDRAWAL, initiator.id, target.id, source.id)
        case PaymentType.BONUS:
            return source.code == "internal" and target.owner_id == initiator.id
    raise ValueError(f"no rule for payments of type {payment.type}")
