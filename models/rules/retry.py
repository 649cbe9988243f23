"""Retry schedule of payments that could not be posted, and when they are parked for a person."""

ATTEMPTS_MAX = 8
"""A payment is parked after this many failed attempts (one to two minutes): a person helps more than a ninth."""

BACKOFF_MIN_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 60.0


def backoff_seconds(
    attempts: int, jitter: float, min_seconds: float = BACKOFF_MIN_SECONDS, max_seconds: float = BACKOFF_MAX_SECONDS
) -> float:
    """The wait before the next attempt, after `attempts` (1 or more) failed ones.

    Doubles from `min_seconds` up to `max_seconds`; `jitter` in [0, 1) takes away up to half, so that
    attempts which failed together are not repeated together.
    """
    wait = min(max_seconds, min_seconds * 2.0 ** min(attempts - 1, 16))
    return wait * (1 - jitter / 2)


def is_spent(attempts: int) -> bool:
    """Whether the payment is to be parked after `attempts` failed ones."""
    return attempts >= ATTEMPTS_MAX
