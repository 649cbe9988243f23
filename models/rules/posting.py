"""What becomes of each payment: a ladder of named refusals, then its movements.

`decide` takes the due payments in their order and the locked accounts, and returns what is to be written.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from models.rules.bulk import release_reserved, update_counts
from models.rules.charge_limits import NO_ALLOWANCES, UNLIMITED, Allowance
from models.rules.checks import first_refusal
from models.rules.commission import commission, returned
from models.rules.failure_codes import Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.state import State, move_to
from models.rules.types import (
    BANKS_WORDS,
    NO_BULKS,
    NO_CHARGES,
    NO_QUOTES,
    NOTHING_AGREED,
    ApprovedAdjustment,
    ClaimedPayment,
    Decision,
    Initiator,
    LockedAccount,
    LockedBulk,
    Movement,
    Operation,
    OperationKind,
    PaymentAction,
    PaymentType,
    QuotedAmounts,
    RefundableAmount,
    Verdict,
)


def decide(
    payments: Iterable[ClaimedPayment],
    accounts: Mapping[str, LockedAccount],
    makers: Mapping[str, Initiator],
    charges: Mapping[str, RefundableAmount] = NO_CHARGES,
    quotes: Mapping[str, QuotedAmounts] = NO_QUOTES,
    adjustments: Mapping[str, ApprovedAdjustment] = NOTHING_AGREED,
    allowances: Mapping[str, Allowance] = NO_ALLOWANCES,
    bulks: Mapping[str, LockedBulk] = NO_BULKS,
    *,
    deposits_open: bool,
) -> Decision:
    """Decide the payments in order, each on the balances that the ones before it left behind.

    `accounts`, `makers`, `charges`, those that are refunded or returned, and `bulks` are by id; one that is missing
    fails its payment, never the batch. `quotes` are by the payment that used them, `adjustments` by the one they
    ordered, `allowances` by the account that is limited. Commission goes to the account of code `commission`,
    exchange through those of code `exchange`.
    """
    batch = _Batch(accounts, makers, charges, quotes, adjustments, allowances, bulks, deposits_open=deposits_open)
    decided = [(payment, batch.verdict(payment)) for payment in payments if may_end(payment)]
    update_counts(batch.bulks, decided)
    return Decision(
        [verdict for _, verdict in decided],
        [batch.books[id] for id in sorted(batch.books) if batch.books[id] != accounts[id]],
        [batch.bulks[id] for id in sorted(batch.bulks) if batch.bulks[id] != bulks[id]],
    )


class _Batch:
    """What payments are decided on, as the ones before have left it."""

    def __init__(
        self,
        accounts: Mapping[str, LockedAccount],
        makers: Mapping[str, Initiator],
        charges: Mapping[str, RefundableAmount],
        quotes: Mapping[str, QuotedAmounts],
        adjustments: Mapping[str, ApprovedAdjustment],
        allowances: Mapping[str, Allowance],
        bulks: Mapping[str, LockedBulk],
        *,
        deposits_open: bool,
    ) -> None:
        self.books, self.charges = dict(accounts), dict(charges)
        self.allowances, self.bulks = dict(allowances), dict(bulks)
        self.makers, self.quotes, self.adjustments = makers, quotes, adjustments
        self.houses = {(account.code, account.currency): account.id for account in accounts.values() if account.code}
        self.deposits_open = deposits_open

    def verdict(self, payment: ClaimedPayment) -> Verdict:
        """What becomes of the payment; the books are then as it leaves them."""
        books = self.books
        source, target = books.get(payment.source_id), books.get(payment.target_id)
        maker = self.makers.get(payment.user_id)
        if source is None or target is None or maker is None:
            return _failed(payment, Failure.ACCOUNT_UNKNOWN)
        charge, quote = self.charges.get(payment.parent_id or ""), self.quotes.get(payment.id)
        fee = _fee(payment, source, target, charge, quote)
        refused = partial(
            first_refusal,
            target=target,
            maker=maker,
            charge=charge,
            quote=quote,
            agreed=self.adjustments.get(payment.id),
            allowance=self.allowances.get(source.id, UNLIMITED),
            fee=fee,
            deposits_open=self.deposits_open,
        )
        failure, is_promised = ended_by(payment), False
        bulk = self.bulks.get(payment.bulk_id or "")
        if payment.state == State.AUTHORIZED:  # its hold ends now, whatever becomes of it
            source = books[source.id] = source._replace(held=source.held - payment.amount)
        elif bulk is not None and bulk.is_atomic:
            self.bulks[bulk.id], source, uncovered = release_reserved(bulk, payment, source, refused)
            books[source.id], failure, is_promised = source, failure or uncovered, True
        if (
            failure is None and payment.ending is not PaymentAction.CONFIRM
        ):  # what the bank has paid out is not asked again
            failure = refused(payment, source, is_promised=is_promised)
        movements = _movements(payment, fee, self.houses) if failure is None else []
        if failure is None and quote is not None and _overflows(movements, books):
            failure = Failure.LIMIT_EXCEEDED
        if failure is not None:
            return _failed(payment, failure)
        # From here it must succeed.
        if source.id in self.allowances:
            self.allowances[source.id] = self.allowances[source.id].after(payment)
        instructs = payment.type == PaymentType.WITHDRAWAL and target.code == "wire"
        if payment.ending is None and (instructs or not payment.captures):
            books[source.id] = source._replace(held=source.held + payment.amount)
            authorized = move_to(State(payment.state), State.AUTHORIZED)
            taken = fee if instructs else 0  # the bank is told what arrives
            return Verdict(payment.id, authorized, None, (), commission=taken, instructs=instructs)
        operations = _apply(payment.id, movements, books)
        self._note(payment, charge, fee)
        completed = move_to(State(payment.state), State.COMPLETED)
        captured = None if payment.captures else payment.moved
        return Verdict(payment.id, completed, None, operations, captured, fee)

    def _note(self, payment: ClaimedPayment, charge: RefundableAmount | None, fee: int) -> None:
        """Note how much more the payment gives back of another, and what there is to give back of itself."""
        if charge is not None and payment.parent_id is not None:
            self.charges[payment.parent_id] = charge._replace(refunded=charge.refunded + payment.amount)
        own = self.charges.get(payment.id)
        if own is not None and payment.type == PaymentType.WITHDRAWAL:
            self.charges[payment.id] = own._replace(captured=payment.amount - fee)
        elif own is not None:
            self.charges[payment.id] = own._replace(captured=payment.moved, commission=fee)


def _fee(
    payment: ClaimedPayment,
    source: LockedAccount,
    target: LockedAccount,
    charge: RefundableAmount | None,
    quote: QuotedAmounts | None = None,
) -> int:
    """The commission taken, as quoted if it was, or given back by a refund; none between accounts of one owner."""
    if quote is not None:
        return quote.commission
    if charge is not None and charge.captured:
        return returned(charge.commission, charge.captured, charge.refunded, payment.amount)
    if source.owner_id == target.owner_id:
        return 0
    return commission(payment.moved, payment.terms)


def _movements(payment: ClaimedPayment, fee: int, houses: Mapping[tuple[str, str], str]) -> list[Movement]:
    """The amount, and the commission: taken out of what a payer sends, of what a merchant charged, or given back."""
    amount, currency = payment.moved, payment.currency
    source_id, target_id = payment.source_id, payment.target_id
    if payment.target_amount is not None:
        ours, theirs = houses["exchange", currency], houses["exchange", payment.arrives_in]
        legs = [
            Movement(source_id, ours, amount - fee, currency, OperationKind.EXCHANGE),
            Movement(theirs, target_id, payment.target_amount, payment.arrives_in, OperationKind.EXCHANGE),
        ]
        if fee:
            legs.insert(0, Movement(source_id, houses["commission", currency], fee, currency, OperationKind.COMMISSION))
        return legs
    if not fee:
        return [Movement(source_id, target_id, amount, currency)]
    house_id = houses["commission", currency]
    if payment.type == PaymentType.REFUND:
        back = Movement(house_id, source_id, fee, currency, OperationKind.COMMISSION)
        return [back, Movement(source_id, target_id, amount, currency)]
    if payment.type == PaymentType.CHARGE:
        taken = Movement(target_id, house_id, fee, currency, OperationKind.COMMISSION)
        return [Movement(source_id, target_id, amount, currency), taken]
    taken = Movement(source_id, house_id, fee, currency, OperationKind.COMMISSION)
    return [Movement(source_id, target_id, amount - fee, currency), taken]


ENDS = {
    PaymentAction.CAPTURE: {State.AUTHORIZED},
    PaymentAction.VOID: {State.AUTHORIZED},
    PaymentAction.CANCEL: {State.INITIATED},
    PaymentAction.EXPIRE: {State.INITIATED, State.AUTHORIZED},
    PaymentAction.CONFIRM: {State.AUTHORIZED},
    PaymentAction.REJECT: {State.AUTHORIZED},
}
"""What a payment can be ended from."""


def ended_by(payment: ClaimedPayment) -> Failure | None:
    """The reason that an ending without a movement leaves; None for others."""
    match payment.ending:
        case PaymentAction.VOID | PaymentAction.CANCEL:
            return Failure.CANCELED
        case PaymentAction.EXPIRE:
            return Failure.EXPIRED
        case PaymentAction.REJECT:
            return Failure.REJECTED_BY_BANK
    return None


def may_end(payment: ClaimedPayment) -> bool:
    """Whether the payment can be ended as it is to be; one that has moved on meanwhile is left as it is."""
    if payment.ending is None:
        return True
    waits_for_bank = payment.state == State.AUTHORIZED and payment.type == PaymentType.WITHDRAWAL
    if waits_for_bank != (payment.ending in BANKS_WORDS):
        return False
    is_covered = payment.capture_amount is None or payment.capture_amount <= payment.amount
    return payment.state in ENDS[payment.ending] and is_covered


def _overflows(movements: list[Movement], books: Mapping[str, LockedAccount]) -> bool:
    """Whether an account, one of ours too, would pass what numbers hold."""
    after = {account_id: books[account_id].balance for movement in movements for account_id in movement[:2]}
    for movement in movements:
        after[movement.source_id] -= movement.amount
        after[movement.target_id] += movement.amount
    return any(abs(balance) > MINOR_UNITS_MAX for balance in after.values())


def _failed(payment: ClaimedPayment, failure: Failure) -> Verdict:
    return Verdict(payment.id, move_to(State(payment.state), State.FAILED), failure, ())


def _apply(payment_id: str, movements: Iterable[Movement], books: dict[str, LockedAccount]) -> tuple[Operation, ...]:
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
