"""The points of a batch at which tests end the process or look at it."""

from collections.abc import Callable
from enum import StrEnum


class BatchPoint(StrEnum):
    """Points of a batch, in order."""

    CLAIMED = "claimed"
    LOCKED = "locked"
    WRITTEN = "written"
    COMMITTED = "committed"


Hook = Callable[[BatchPoint], None]


def no_hook(_point: BatchPoint) -> None:
    """Nothing happens there."""
