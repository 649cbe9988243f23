"""Circuit breaker: after a failure a server is left alone for a while, so that callers do not wait for it in turn."""

import time


class CircuitBreaker:
    """Open for `seconds` after each failure that is reported to it; one per server and process."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server is to be left alone now."""
        return time.monotonic() < self._open_until

    def open(self) -> None:
        """Report a failure."""
        self._open_until = time.monotonic() + self.seconds
