"""What becomes of each payment: a ladder of named refusals, then its movements.

`decide` takes the due payments in their order and the locked accounts, and returns what is to be written.
"""

from collections.abc import Iterable, Mapping

from models.rules.commission import commission, returned
from models.rules.failure import Failure
from models.rules.limits import NO_ALLOWANCES, UNLIMITED, Allowance
from models.rules.money import MINOR_UNITS_MAX
from models.rules.state import State, move_to
from models.rules.values import (
    NO_CHARGES,
    NO_QUOTES,
    NOTHING_AGREED,
    OUTSIDE,
    Account,
    Agreed,
    Charge,
    Decision,
    Ending,
    Kind,
    Maker,
    Movement,
    Operation,
    Payment,
    PaymentType,
    Quoted,
    Verdict,
)


def decide(
    payments: Iterable[Payment],
    accounts: Mapping[str, Account],
    makers: Mapping[str, Maker],
    charges: Mapping[str, Charge] = NO_CHARGES,
    quotes: Mapping[str, Quoted] = NO_QUOTES,
    adjustments: Mapping[str, Agreed] = NOTHING_AGREED,
    allowances: Mapping[str, Allowance] = NO_ALLOWANCES,
    *,
    deposits_open: bool,
) -> Decision:
    """Decide the payments in order, each on the balances that the ones before it left behind.

    `accounts`, `makers` and `charges`, those that are refunded, are by id; one that is missing fails its payment,
    never the batch. `quotes` are by the payment that used them, `adjustments` by the one they ordered, `allowances` by
    the account that is limited. Commission goes to the account of code `commission` among them, exchange through those
    of code `exchange`.
    """
    books, refundable, allowed = dict(accounts), dict(charges), dict(allowances)
    houses = {(account.code, account.currency): account.id for account in accounts.values() if account.code}
    verdicts = []
    for payment in payments:
        if not may_end(payment):
            continue
        source, target = books.get(payment.source_id), books.get(payment.target_id)
        maker = makers.get(payment.user_id)
        if source is None or target is None or maker is None:
            verdicts.append(_failed(payment, Failure.ACCOUNT_UNKNOWN))
            continue
        if payment.state == State.AUTHORIZED:  # its hold ends now, whatever becomes of it
            source = books[source.id] = source._replace(held=source.held - payment.amount)
        charge = refundable.get(payment.parent_id or "")
        quote = quotes.get(payment.id)
        fee = _fee(payment, source, target, charge, quote)
        agreed, allowance = adjustments.get(payment.id), allowed.get(source.id, UNLIMITED)
        failure = ended_by(payment) or refusal(
            payment, source, target, maker, charge, quote, agreed, allowance, fee, deposits_open=deposits_open
        )
        if failure is None and quote is not None and _overflows(_movements(payment, fee, houses), books):
            failure = Failure.LIMIT_EXCEEDED
        if failure is not None:
            verdicts.append(_failed(payment, failure))
            continue
        # From here it must succeed.
        if source.id in allowed:
            allowed[source.id] = allowance.after(payment)
        if not payment.captures and payment.ending is None:
            books[source.id] = source._replace(held=source.held + payment.amount)
            verdicts.append(Verdict(payment.id, move_to(State(payment.state), State.AUTHORIZED), None, ()))
            continue
        operations = _apply(payment.id, _movements(payment, fee, houses), books)
        captured = None if payment.captures else _moved(payment)
        if charge is not None and payment.parent_id is not None:
            refundable[payment.parent_id] = charge._replace(refunded=charge.refunded + payment.amount)
        if payment.id in refundable:
            refundable[payment.id] = refundable[payment.id]._replace(captured=_moved(payment), commission=fee)
        completed = move_to(State(payment.state), State.COMPLETED)
        verdicts.append(Verdict(payment.id, completed, None, operations, captured, fee))
    return Decision(verdicts, [books[id] for id in sorted(books) if books[id] != accounts[id]])


def _moved(payment: Payment) -> int:
    """What moves if it moves: the amount, or the part of it that is captured."""
    return payment.capture_amount or payment.amount


def _fee(payment: Payment, source: Account, target: Account, charge: Charge | None, quote: Quoted | None = None) -> int:
    """The commission taken, as quoted if it was, or given back by a refund; none between accounts of one owner."""
    if quote is not None:
        return quote.commission
    if charge is not None and charge.captured:
        return returned(charge.commission, charge.captured, charge.refunded, payment.amount)
    if source.owner_id == target.owner_id:
        return 0
    return commission(_moved(payment), payment.terms)


def _movements(payment: Payment, fee: int, houses: Mapping[tuple[str, str], str]) -> list[Movement]:
    """The amount, and the commission: taken out of what a payer sends, of what a merchant charged, or given back."""
    amount, currency = _moved(payment), payment.currency
    source_id, target_id = payment.source_id, payment.target_id
    if payment.target_amount is not None:
        ours, theirs = houses["exchange", currency], houses["exchange", payment.arrives_in]
        legs = [
            Movement(source_id, ours, amount - fee, currency, Kind.EXCHANGE),
            Movement(theirs, target_id, payment.target_amount, payment.arrives_in, Kind.EXCHANGE),
        ]
        if fee:
            legs.insert(0, Movement(source_id, houses["commission", currency], fee, currency, Kind.COMMISSION))
        return legs
    if not fee:
        return [Movement(source_id, target_id, amount, currency)]
    house_id = houses["commission", currency]
    if payment.type == PaymentType.REFUND:
        back = Movement(house_id, source_id, fee, currency, Kind.COMMISSION)
        return [back, Movement(source_id, target_id, amount, currency)]
    if payment.type == PaymentType.CHARGE:
        taken = Movement(target_id, house_id, fee, currency, Kind.COMMISSION)
        return [Movement(source_id, target_id, amount, currency), taken]
    taken = Movement(source_id, house_id, fee, currency, Kind.COMMISSION)
    return [Movement(source_id, target_id, amount - fee, currency), taken]


ENDS = {
    Ending.CAPTURE: {State.AUTHORIZED},
    Ending.VOID: {State.AUTHORIZED},
    Ending.CANCEL: {State.INITIATED},
    Ending.EXPIRE: {State.INITIATED, State.AUTHORIZED},
}
"""What a payment can be ended from."""


def ended_by(payment: Payment) -> Failure | None:
    """The reason that an ending without a movement leaves; None for others."""
    match payment.ending:
        case Ending.VOID | Ending.CANCEL:
            return Failure.CANCELED
        case Ending.EXPIRE:
            return Failure.EXPIRED
    return None


def may_end(payment: Payment) -> bool:
    """Whether the payment can be ended as it is to be; one that has moved on meanwhile is left as it is."""
    if payment.ending is None:
        return True
    is_covered = payment.capture_amount is None or payment.capture_amount <= payment.amount
    return payment.state in ENDS[payment.ending] and is_covered


def refusal(
    payment: Payment,
    source: Account,
    target: Account,
    maker: Maker,
    charge: Charge | None = None,
    quote: Quoted | None = None,
    agreed: Agreed | None = None,
    allowance: Allowance = UNLIMITED,
    fee: int = 0,
    *,
    deposits_open: bool,
) -> Failure | None:
    """The first rung of the ladder that refuses the payment, or None; `fee` is taken of it, or given back."""
    if not _is_permitted(payment, source, target, maker, charge, agreed, deposits_open=deposits_open):
        return Failure.NOT_PERMITTED
    if source.currency != payment.currency or target.currency != payment.arrives_in:
        return Failure.CURRENCY_MISMATCH
    may_receive = target.is_active or payment.type == PaymentType.REFUND  # what was taken can always be given back
    if not (maker.is_active and source.is_active and may_receive):
        return Failure.ACCOUNT_INACTIVE
    if source.is_frozen or target.is_frozen:
        return Failure.ACCOUNT_FROZEN
    forbidden = allowance.refusal(payment)
    if forbidden is not None:
        return forbidden
    if payment.quote_id is not None and not (quote is not None and quote.fits(payment)):
        return Failure.QUOTE_EXPIRED
    if charge is not None and charge.refunded + payment.amount > charge.captured:
        return Failure.REFUND_EXCEEDS_CHARGE
    gives_back = payment.type == PaymentType.REFUND
    if fee >= _moved(payment) and not gives_back:
        return Failure.COMMISSION_EXCEEDS_AMOUNT
    floor = -MINOR_UNITS_MAX if source.floor is None else source.floor
    if source.balance - source.held - payment.amount + (fee if gives_back else 0) < floor:
        return Failure.INSUFFICIENT_FUNDS
    ceiling = MINOR_UNITS_MAX if target.ceiling is None else target.ceiling
    arriving = payment.target_amount or _moved(payment) - (0 if gives_back else fee)
    if target.balance + arriving > ceiling:
        return Failure.LIMIT_EXCEEDED
    return None


def _is_permitted(
    payment: Payment,
    source: Account,
    target: Account,
    maker: Maker,
    charge: Charge | None,
    agreed: Agreed | None,
    *,
    deposits_open: bool,
) -> bool:
    """What the gateway promised, looked at again: who may order this between these accounts."""
    if source.id == target.id:
        return False
    if payment.type == PaymentType.WITHDRAWAL:
        return source.owner_id == maker.id and target.code in OUTSIDE
    if payment.type == PaymentType.ADJUSTMENT:
        return agreed is not None and agreed.fits(payment, source, target)
    if target.owner_id is None:
        return False
    match payment.type:
        case PaymentType.DEPOSIT:
            own = deposits_open and target.owner_id == maker.id
            return source.code in OUTSIDE and (maker.may_deposit or own)
        case PaymentType.TRANSFER:
            return source.owner_id == maker.id
        case PaymentType.EXCHANGE:
            return source.owner_id == target.owner_id == maker.id and payment.quote_id is not None
        case PaymentType.CHARGE:
            customers = source.owner_id is not None and source.owner_id != maker.id
            return maker.role == "merchant" and target.owner_id == maker.id and customers
        case PaymentType.REFUND:
            return charge is not None and charge[:3] == (maker.id, target.id, source.id)
        case PaymentType.BONUS:
            return source.code == "internal" and target.owner_id == maker.id
    raise ValueError(f"no rule for payments of type {payment.type}")


def _overflows(movements: list[Movement], books: Mapping[str, Account]) -> bool:
    """Whether an account, one of ours too, would pass what numbers hold."""
    after = {account_id: books[account_id].balance for movement in movements for account_id in movement[:2]}
    for movement in movements:
        after[movement.source_id] -= movement.amount
        after[movement.target_id] += movement.amount
    return any(abs(balance) > MINOR_UNITS_MAX for balance in after.values())


def _failed(payment: Payment, failure: Failure) -> Verdict:
    return Verdict(payment.id, move_to(State(payment.state), State.FAILED), failure, ())


def _apply(payment_id: str, movements: Iterable[Movement], books: dict[str, Account]) -> tuple[Operation, ...]:
    """Write the movements into `books`; returns their operations, two a movement."""
    operations: list[Operation] = []
    for movement in movements:
        sides = ((movement.source_id, -movement.amount), (movement.target_id, movement.amount))
        for account_id, amount in sides:
            before = books[account_id]
            after = before._replace(balance=before.balance + amount, last_seq=before.last_seq + 1)
            books[account_id] = after
            operations.append(
                Operation(
                    payment_id,
                    len(operations),
                    account_id,
                    amount,
                    movement.currency,
                    movement.kind,
                    after.balance,
                    after.last_seq,
                )
            )
    return tuple(operations)
