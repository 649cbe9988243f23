"""What ops users may do about a payment now: one rule for what is shown, refused, and carried out by a worker."""

from enum import StrEnum
from typing import NamedTuple

from models.rules.state import State
from models.rules.types import PaymentType


class OpsAction(StrEnum):
    """An action of an ops user on one payment."""

    RETRY = "retry"
    """Try again now, with a full set of attempts."""
    ASK = "ask"
    """Ask the bank about it now."""
    CANCEL = "cancel"
    """Do not post it at all."""
    FAIL = "fail"
    """Give it up: no bank knows of it."""
    CAPTURE = "capture"
    """Take what is held for a merchant."""
    VOID = "void"
    """Release what is held for a merchant."""
    RESOLVE = "resolve"
    """Propose, with evidence, whether the bank paid it: another ops user approves."""


class Refusal(StrEnum):
    """Why an action is not possible; the value is the code of the problem, `DETAILS` has a sentence for people."""

    FINAL = "payment_final"
    STATE = "illegal_transition"
    ORDERED = "ending_ordered"
    ATOMIC = "atomic_bulk_line"
    OUTSIDE = "money_may_be_outside"
    NOT_SENT = "payout_not_sent"
    ANSWERED = "payout_answered"
    IN_PROGRESS = "payout_in_progress"
    PROPOSED = "resolution_open"
    PEOPLE = "not_two_ops_users"


DETAILS = {
    Refusal.FINAL: "A payment that is COMPLETED or FAILED does not change.",
    Refusal.STATE: "A payment of this type does not take this action in this state.",
    Refusal.ORDERED: "Another capture, void, cancel or failure of this payment was ordered before.",
    Refusal.ATOMIC: "A line of an atomic bulk is decided with its bulk.",
    Refusal.OUTSIDE: "The bank may have paid it: ask the bank, and resolve it with evidence.",
    Refusal.NOT_SENT: "The bank does not know of it: it can be failed.",
    Refusal.ANSWERED: "It was answered already, and the first answer stands.",
    Refusal.IN_PROGRESS: "The bank is still being asked: only what is parked can be resolved.",
    Refusal.PROPOSED: "A resolution of this payment waits for another ops user, or for a worker.",
    Refusal.PEOPLE: "One of the two people who agreed on it is no longer an ops user.",
}


class PaymentFacts(NamedTuple):
    """What the rule looks at. `is_atomic` for a line of an atomic bulk, `is_ordered` if an action that ends it was
    ordered and not refused, `is_proposed` if a resolution is open.

    Of a payout: `is_sent` if the bank may know of it, `is_answered`, and `is_due` if the rail will act by itself.
    """

    type: str
    state: str
    is_parked: bool = False
    is_atomic: bool = False
    is_ordered: bool = False
    is_proposed: bool = False
    is_payout: bool = False
    is_sent: bool = False
    is_answered: bool = False
    is_due: bool = False


def refusal(action: OpsAction, facts: PaymentFacts) -> Refusal | None:
    """The first reason why the action is not possible, or None."""
    if State(facts.state).is_final:
        return Refusal.FINAL
    match action:
        case OpsAction.RETRY:
            return None if facts.state == State.INITIATED or facts.is_parked else Refusal.STATE
        case OpsAction.ASK:
            return _waits_for_bank(facts)
        case OpsAction.RESOLVE:
            if refused := _waits_for_bank(facts):
                return refused
            if facts.is_due or not facts.is_parked:
                return Refusal.IN_PROGRESS
            return Refusal.PROPOSED if facts.is_proposed else None
    return _cannot_end(action, facts) or (Refusal.ORDERED if facts.is_ordered else None)


def possible(facts: PaymentFacts) -> list[OpsAction]:
    """All actions that are possible now."""
    return [action for action in OpsAction if refusal(action, facts) is None]


def _waits_for_bank(facts: PaymentFacts) -> Refusal | None:
    """Why the payment does not wait for the answer of a bank that may know of it."""
    if facts.state != State.AUTHORIZED or not facts.is_payout:
        return Refusal.STATE
    if facts.is_answered:
        return Refusal.ANSWERED
    return None if facts.is_sent else Refusal.NOT_SENT


def _cannot_end(action: OpsAction, facts: PaymentFacts) -> Refusal | None:
    """Why a capture, void, cancel or failure does not apply: only what is ours alone is ended by hand."""
    if facts.state == State.INITIATED:
        if action not in (OpsAction.CANCEL, OpsAction.FAIL):
            return Refusal.STATE
        if facts.type == PaymentType.RETURN:  # the bank sent this money back: it is the customer's
            return Refusal.OUTSIDE
        return Refusal.ATOMIC if facts.is_atomic else None
    if facts.type == PaymentType.WITHDRAWAL:
        if action is not OpsAction.FAIL:
            return Refusal.STATE
        return Refusal.OUTSIDE if facts.is_sent or facts.is_answered else None
    return Refusal.STATE if action is OpsAction.CANCEL else None
