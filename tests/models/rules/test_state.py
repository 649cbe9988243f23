"""The edges along which a payment may move; that the trigger knows the same ones is in test_payment_guards.py."""

import itertools

import pytest

from models.rules.state import TRANSITIONS, IllegalTransition, State, move_to

EDGES = {
    ("INITIATED", "AUTHORIZED"),
    ("INITIATED", "COMPLETED"),
    ("INITIATED", "FAILED"),
    ("AUTHORIZED", "COMPLETED"),
    ("AUTHORIZED", "FAILED"),
}


@pytest.mark.parametrize(("state", "target"), list(itertools.product(State, State)))
def test_state_moves_along_an_edge_or_raises(state, target):
    if (state, target) in EDGES:
        assert move_to(state, target) is target
    else:
        with pytest.raises(IllegalTransition, match=f"{state} -> {target}"):
            move_to(state, target)


def test_every_state_has_transitions_and_two_are_final():
    assert set(TRANSITIONS) == set(State)
    assert {state for state in State if state.is_final} == {State.COMPLETED, State.FAILED}
