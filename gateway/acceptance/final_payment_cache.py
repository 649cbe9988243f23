"""A cache of final payments, which never change; visibility is checked on each read.

Charges are not cached: their refunded amount still changes.
"""

import threading
import time

from gateway.http.event_loop import run_in_thread
from models import payment_view
from models.payment_view import PaymentView
from models.rules.types import PaymentType
from models.session import Engine, statements

FRESH_SECONDS = 60.0
"""Only the names and tokens of the parties of a final payment can change; they are reread after this time."""

CACHED_MAX = 2_000
"""Some eight megabytes; above that the cache is cleared."""


class FinalPaymentCache:
    """Payments by id, from the database or, if final, from the cache."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cached: dict[str, tuple[float, PaymentView]] = {}
        self._lock = threading.Lock()

    def payment(self, id: str) -> PaymentView | None:
        """The payment as it is now, or None."""
        cached = self._cached.get(id)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        return run_in_thread(self._read, id)

    def _read(self, id: str) -> PaymentView | None:
        read_at = time.monotonic()
        with statements(self._engine) as connection:
            view = payment_view.by_id(connection, id)
        if view is not None and view.finalized_at is not None and view.type != PaymentType.CHARGE:
            with self._lock:
                if len(self._cached) >= CACHED_MAX:
                    self._cached.clear()
                self._cached[id] = (read_at + FRESH_SECONDS, view)
        return view
