"""Decides each payment: a ladder of named refusals, then its movements.

`decide` takes the due payments in order and the locked accounts, and returns what is to be written.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from models.rules.bulk import release_reserved, update_counts
from models.rules.charge_limits import NO_ALLOWANCES, UNLIMITED, Allowance
from models.rules.checks import first_refusal
from models.rules.commission import commission, returned_fee
from models.rules.failure_codes import Failure
from models.rules.money import MINOR_UNITS_MAX
from models.rules.state import State, move_to
from models.rules.types import (
    BANK_ACTIONS,
    NO_ADJUSTMENTS,
    NO_BULKS,
    NO_CHARGES,
    NO_QUOTES,
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
    initiators: Mapping[str, Initiator],
    charges: Mapping[str, RefundableAmount] = NO_CHARGES,
    quotes: Mapping[str, QuotedAmounts] = NO_QUOTES,
    adjustments: Mapping[str, ApprovedAdjustment] = NO_ADJUSTMENTS,
    allowances: Mapping[str, Allowance] = NO_ALLOWANCES,
    bulks: Mapping[str, LockedBulk] = NO_BULKS,
    *,
    deposits_open: bool,
) -> Decision:
    """Decide the payments in order, each on the balances that the previous ones left.

    `accounts`, `initiators`, `bulks` and `charges` (the payments that are refunded or returned) are by id; a missing
    one fails its payment, never the batch. `quotes` are by the payment that used them, `adjustments` by the payment
    they ordered, `allowances` by the limited account. Commission goes to the account with code `commission`, exchanges
    through those with code `exchange`.
    """
    batch = _Batch(accounts, initiators, charges, quotes, adjustments, allowances, bulks, deposits_open=deposits_open)
    decided = [(payment, batch.verdict(payment)) for payment in payments if is_action_possible(payment)]
    update_counts(batch.bulks, decided)
    return Decision(
        [verdict for _, verdict in decided],
        [batch.books[id] for id in sorted(batch.books) if batch.books[id] != accounts[id]],
        [batch.bulks[id] for id in sorted(batch.bulks) if batch.bulks[id] != bulks[id]],
    )


class _Batch:
    """The balances and counts that a batch is decided on, updated by each verdict."""

    def __init__(
        self,
        accounts: Mapping[str, LockedAccount],
        initiators: Mapping[str, Initiator],
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
        self.initiators, self.quotes, self.adjustments = initiators, quotes, adjustments
        self.technical_account_ids = {
            (account.code, account.currency): account.id for account in accounts.values() if account.code
        }
        self.deposits_open = deposits_open

    def verdict(self, payment: ClaimedPayment) -> Verdict:
        """Decide one payment and update the books accordingly."""
        books = self.books
        source, target = books.get(payment.source_id), books.get(payment.target_id)
        initiator = self.initiators.get(payment.user_id)
        if source is None or target is None or initiator is None:
            return _failed(payment, Failure.ACCOUNT_UNKNOWN)
        charge, quote = self.charges.get(payment.parent_id or ""), self.quotes.get(payment.id)
        fee = _fee(payment, source, target, charge, quote)
        refused = partial(
            first_refusal,
            target=target,
            initiator=initiator,
            charge=charge,
            quote=quote,
            adjustment=self.adjustments.get(payment.id),
            allowance=self.allowances.get(source.id, UNLIMITED),
            fee=fee,
            deposits_open=self.deposits_open,
        )
        failure, is_promised = action_failure(payment), False
        bulk = self.bulks.get(payment.bulk_id or "")
        if payment.state == State.AUTHORIZED:  # its hold ends now, whatever the verdict
            source = books[source.id] = source._replace(held=source.held - payment.amount)
        elif bulk is not None and bulk.is_atomic:
            self.bulks[bulk.id], source, uncovered = release_reserved(bulk, payment, source, refused)
            books[source.id], failure, is_promised = source, failure or uncovered, True
        if failure is None and payment.action is not PaymentAction.CONFIRM:  # what the bank has paid out is not refused
            failure = refused(payment, source, is_promised=is_promised)
        movements = _movements(payment, fee, self.technical_account_ids) if failure is None else []
        if failure is None and quote is not None and _overflows(movements, books):
            failure = Failure.LIMIT_EXCEEDED
        if failure is not None:
            return _failed(payment, failure)
        # From here it must succeed.
        if source.id in self.allowances:
            self.allowances[source.id] = self.allowances[source.id].after(payment)
        sends_payout = payment.type == PaymentType.WITHDRAWAL and target.code == "wire"
        if payment.action is None and (sends_payout or not payment.captures):
            books[source.id] = source._replace(held=source.held + payment.amount)
            authorized = move_to(State(payment.state), State.AUTHORIZED)
            taken = fee if sends_payout else 0  # the bank is told what arrives
            return Verdict(payment.id, authorized, None, (), commission=taken, sends_payout=sends_payout)
        operations = _apply(payment.id, movements, books)
        self._note(payment, charge, fee)
        completed = move_to(State(payment.state), State.COMPLETED)
        captured = None if payment.captures else payment.moved
        return Verdict(payment.id, completed, None, operations, captured, fee)

    def _note(self, payment: ClaimedPayment, charge: RefundableAmount | None, fee: int) -> None:
        """Update how much of another payment this one gave back, and how much of itself can be given back."""
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
    """The commission taken (as quoted, with a quote) or given back by a refund; none between accounts of one owner."""
    if quote is not None:
        return quote.commission
    if charge is not None and charge.captured:
        return returned_fee(charge.commission, charge.captured, charge.refunded, payment.amount)
    if source.owner_id == target.owner_id:
        return 0
    return commission(payment.moved, payment.terms)


def _movements(payment: ClaimedPayment, fee: int, technical_ids: Mapping[tuple[str, str], str]) -> list[Movement]:
    """Movements of the amount and of the commission, which is taken from the payer or the merchant, or given back."""
    amount, currency = payment.moved, payment.currency
    source_id, target_id = payment.source_id, payment.target_id
    if payment.target_amount is not None:
        buys_id, sells_id = technical_ids["exchange", currency], technical_ids["exchange", payment.received_currency]
        legs = [
            Movement(source_id, buys_id, amount - fee, currency, OperationKind.EXCHANGE),
            Movement(sells_id, target_id, payment.target_amount, payment.received_currency, OperationKind.EXCHANGE),
        ]
        if fee:
            commission_id = technical_ids["commission", currency]
            legs.insert(0, Movement(source_id, commission_id, fee, currency, OperationKind.COMMISSION))
        return legs
    if not fee:
        return [Movement(source_id, target_id, amount, currency)]
    commission_id = technical_ids["commission", currency]
    if payment.type == PaymentType.REFUND:
        back = Movement(commission_id, source_id, fee, currency, OperationKind.COMMISSION)
        return [back, Movement(source_id, target_id, amount, currency)]
    if payment.type == PaymentType.CHARGE:
        taken = Movement(target_id, commission_id, fee, currency, OperationKind.COMMISSION)
        return [Movement(source_id, target_id, amount, currency), taken]
    taken = Movement(source_id, commission_id, fee, currency, OperationKind.COMMISSION)
    return [Movement(source_id, target_id, amount - fee, currency), taken]


ACTION_STATES = {
    PaymentAction.CAPTURE: {State.AUTHORIZED},
    PaymentAction.VOID: {State.AUTHORIZED},
    PaymentAction.CANCEL: {State.INITIATED},
    PaymentAction.FAIL: {State.INITIATED, State.AUTHORIZED},
    PaymentAction.EXPIRE: {State.INITIATED, State.AUTHORIZED},
    PaymentAction.CONFIRM: {State.AUTHORIZED},
    PaymentAction.REJECT: {State.AUTHORIZED},
}
"""States from which each action is possible."""


def action_failure(payment: ClaimedPayment) -> Failure | None:
    """The failure code of an action that moves no money; None for other actions."""
    match payment.action:
        case PaymentAction.VOID | PaymentAction.CANCEL:
            return Failure.CANCELED_BY_OPS if payment.is_by_ops else Failure.CANCELED
        case PaymentAction.FAIL:
            return Failure.SYSTEM_FAILURE
        case PaymentAction.EXPIRE:
            return Failure.EXPIRED
        case PaymentAction.REJECT:
            return Failure.REJECTED_BY_BANK
    return None


def is_action_possible(payment: ClaimedPayment) -> bool:
    """Whether the payment's action applies to its state; a payment that has moved on meanwhile is left as it is."""
    if payment.action is None:
        return True
    if payment.is_refused or (payment.type == PaymentType.RETURN and payment.action is PaymentAction.CANCEL):
        return False  # a return is the customer's money, which the bank sent back
    waits_for_bank = payment.state == State.AUTHORIZED and payment.type == PaymentType.WITHDRAWAL
    if waits_for_bank != (payment.action in BANK_ACTIONS) and payment.action is not PaymentAction.FAIL:
        return False
    is_covered = payment.capture_amount is None or payment.capture_amount <= payment.amount
    return payment.state in ACTION_STATES[payment.action] and is_covered


def is_decided_by_accounts(
    payments: Iterable[ClaimedPayment], accounts: Iterable[LockedAccount], bulks: Iterable[LockedBulk]
) -> bool:
    """Whether these accounts and the counts of these bulks are all that decides the payments and that they change.

    Not so for what gives back, ends or uses up something else: an earlier payment, a hold, a limit, a bulk's promise.
    """
    return (
        all(payment.action is None and payment.parent_id is None and payment.quote_id is None for payment in payments)
        and not any(account.is_limited for account in accounts)
        and not any(bulk.is_atomic for bulk in bulks)
    )


def _overflows(movements: list[Movement], books: Mapping[str, LockedAccount]) -> bool:
    """Whether any account, technical ones included, would exceed the largest storable balance."""
    after = {account_id: books[account_id].balance for movement in movements for account_id in movement[:2]}
    for movement in movements:
        after[movement.source_id] -= movement.amount
        after[movement.target_id] += movement.amount
    return any(abs(balance) > MINOR_UNITS_MAX for balance in after.values())


def _failed(payment: ClaimedPayment, failure: Failure) -> Verdict:
    return Verdict(payment.id, move_to(State(payment.state), State.FAILED), failure, ())


def _apply(payment_id: str, movements: Iterable[Movement], books: dict[str, LockedAccount]) -> tuple[Operation, ...]:
    """Apply the movements to `books`; returns their operations, two per movement."""
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
