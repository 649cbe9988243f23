"""States of a payment, and the only transitions between them."""

from enum import StrEnum


class State(StrEnum):
    """The state of a payment; the same word in the table, the API and the events."""

    INITIATED = "INITIATED"
    """Accepted and stored; no money has moved."""
    AUTHORIZED = "AUTHORIZED"
    """Money is held; a capture or the bank's answer is awaited."""
    COMPLETED = "COMPLETED"
    """Posted; final."""
    FAILED = "FAILED"
    """Refused with a failure code, balances untouched; final."""

    @property
    def is_final(self) -> bool:
        """Whether no transition leaves this state."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[State, frozenset[State]] = {
    State.INITIATED: frozenset({State.AUTHORIZED, State.COMPLETED, State.FAILED}),
    State.AUTHORIZED: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
}
"""Allowed next states; the trigger payments_move_along_edges enforces the same."""


class IllegalTransition(Exception):
    """Raised for a transition that does not exist: a bug, never a client's mistake."""


def move_to(state: State, target: State) -> State:
    """Return `target` if the transition from `state` exists; raises IllegalTransition."""
    if target not in TRANSITIONS[state]:
        raise IllegalTransition(f"{state} -> {target}")
    return target
