"""What ops users may do about a payment, by its facts."""

import pytest

from gateway.http.errors import PROBLEMS
from models.rules.ops_actions import DETAILS, OpsAction, PaymentFacts, Refusal, possible, refusal
from models.rules.state import State
from models.rules.types import PaymentType

RETRY, ASK, CANCEL, FAIL, CAPTURE, VOID, RESOLVE = OpsAction
ENDINGS = {CANCEL, FAIL, CAPTURE, VOID}

NEW = PaymentFacts(PaymentType.TRANSFER, State.INITIATED)
HELD = PaymentFacts(PaymentType.CHARGE, State.AUTHORIZED)
UNSENT = PaymentFacts(PaymentType.WITHDRAWAL, State.AUTHORIZED, is_payout=True, is_due=True)
SENT = UNSENT._replace(is_sent=True)
SPENT = SENT._replace(is_parked=True, is_due=False)


@pytest.mark.parametrize(
    ("facts", "actions"),
    [
        (NEW, {RETRY, CANCEL, FAIL}),
        (NEW._replace(is_parked=True), {RETRY, CANCEL, FAIL}),
        (NEW._replace(is_ordered=True), {RETRY}),
        (NEW._replace(type=PaymentType.WITHDRAWAL, is_payout=True), {RETRY, CANCEL, FAIL}),
        (NEW._replace(type=PaymentType.WITHDRAWAL, is_payout=True, is_atomic=True), {RETRY}),
        (NEW._replace(type=PaymentType.RETURN), {RETRY}),
        (HELD, {FAIL, CAPTURE, VOID}),
        (HELD._replace(is_parked=True), {RETRY, FAIL, CAPTURE, VOID}),
        (HELD._replace(is_ordered=True), set()),
        (UNSENT, {FAIL}),
        (UNSENT._replace(is_atomic=True), {FAIL}),
        (UNSENT._replace(is_due=False, is_parked=True), {RETRY, FAIL}),
        (SENT, {ASK}),
        (SPENT, {RETRY, ASK, RESOLVE}),
        (SPENT._replace(is_due=True), {RETRY, ASK}),
        (SPENT._replace(is_proposed=True), {RETRY, ASK}),
        (SPENT._replace(is_answered=True), {RETRY}),
        (SENT._replace(is_answered=True), set()),
        *((facts._replace(state=state), set()) for state in (State.COMPLETED, State.FAILED) for facts in (NEW, SPENT)),
    ],
)
def test_possible_actions_follow_from_the_facts(facts: PaymentFacts, actions: set[OpsAction]) -> None:
    assert set(possible(facts)) == actions


@pytest.mark.parametrize(
    ("action", "facts", "refused"),
    [
        (FAIL, SENT, Refusal.OUTSIDE),
        (FAIL, SPENT, Refusal.OUTSIDE),
        (FAIL, UNSENT._replace(is_answered=True), Refusal.OUTSIDE),
        (FAIL, NEW._replace(type=PaymentType.RETURN), Refusal.OUTSIDE),
        (CANCEL, UNSENT, Refusal.STATE),
        (CANCEL, HELD, Refusal.STATE),
        (CANCEL, NEW._replace(is_atomic=True), Refusal.ATOMIC),
        (CAPTURE, NEW, Refusal.STATE),
        (VOID, UNSENT, Refusal.STATE),
        (VOID, HELD._replace(is_ordered=True), Refusal.ORDERED),
        (ASK, HELD, Refusal.STATE),
        (ASK, UNSENT, Refusal.NOT_SENT),
        (ASK, SENT._replace(is_answered=True), Refusal.ANSWERED),
        (RESOLVE, SENT, Refusal.IN_PROGRESS),
        (RESOLVE, UNSENT._replace(is_due=False, is_parked=True), Refusal.NOT_SENT),
        (RESOLVE, SPENT._replace(is_proposed=True), Refusal.PROPOSED),
        (RETRY, SENT, Refusal.STATE),
    ],
)
def test_refusal_names_the_reason(action: OpsAction, facts: PaymentFacts, refused: Refusal) -> None:
    assert refusal(action, facts) is refused


def test_nothing_is_possible_once_it_is_final() -> None:
    for facts in (NEW, HELD, SPENT):
        assert {refusal(action, facts._replace(state=State.FAILED)) for action in OpsAction} == {Refusal.FINAL}


def test_every_refusal_has_a_sentence_and_a_problem() -> None:
    assert DETAILS.keys() == set(Refusal)
    assert {refused.value for refused in Refusal} - PROBLEMS.keys() == {Refusal.PEOPLE}, "no call is refused with it"
