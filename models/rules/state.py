"""How far a payment has come, and the only edges along which it may move."""

from enum import StrEnum


class State(StrEnum):
    """The state of a payment; the same word in the table, the API and the events."""

    INITIATED = "INITIATED"
    """Accepted and kept; no money has moved."""
    AUTHORIZED = "AUTHORIZED"
    """Money is held and an outside word is awaited."""
    COMPLETED = "COMPLETED"
    """Posted; final."""
    FAILED = "FAILED"
    """Refused with a failure code, balances untouched; final."""

    @property
    def is_final(self) -> bool:
        """Whether nothing can ever change it again."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[State, frozenset[State]] = {
    State.INITIATED: frozenset({State.AUTHORIZED, State.COMPLETED, State.FAILED}),
    State.AUTHORIZED: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
}
"""State to the states it may become; the trigger payments_move_along_edges says the same."""


class IllegalTransition(Exception):
    """A move along an edge that does not exist: a fault of ours, never a client's."""


def move_to(state: State, target: State) -> State:
    """`target`, if the edge from `state` exists; raises IllegalTransition."""
    if target not in TRANSITIONS[state]:
        raise IllegalTransition(f"{state} -> {target}")
    return target
