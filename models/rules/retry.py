"""When a payment that could not be posted is tried again, and when it is set aside for a person."""

ATTEMPTS_MAX = 8
"""After so many failed attempts (about four minutes) a payment is parked: a person sees more than a ninth try."""

BACKOFF_BASE_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 60.0


def backoff_seconds(attempts: int, jitter: float) -> float:
    """The wait before the next attempt, after `attempts` (1 or more) failed ones.

    Doubles from one second up to a minute; `jitter` in [0, 1) takes away up to half, so that
    payments which failed together do not return together.
    """
    wait = min(BACKOFF_MAX_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** min(attempts - 1, 16))
    return wait * (1 - jitter / 2)


def is_spent(attempts: int) -> bool:
    """Whether `attempts` failed ones are enough, so that the payment is to be parked."""
    return attempts >= ATTEMPTS_MAX
