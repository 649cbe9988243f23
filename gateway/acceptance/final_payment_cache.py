"""Final payments never change, so a process may remember those it has read; who may see them is asked each time.

Not so charges: what was refunded of them is part of how they look.
"""

import threading
import time

from models import payment_view
from models.payment_view import PaymentView
from models.rules.types import PaymentType
from models.session import Engine, statements

FRESH_SECONDS = 60.0
"""Of a final payment only the names and tokens of its parties can change; they are read again after so long."""

REMEMBERED_MAX = 2_000
"""Some eight megabytes; past that a process forgets them all and reads again."""


class FinalPaymentCache:
    """Payments by id, read from the database or, if final, remembered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[float, PaymentView]] = {}
        self._lock = threading.Lock()

    def payment(self, id: str) -> PaymentView | None:
        """The payment as it is now, or None."""
        known = self._known.get(id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        read_at = time.monotonic()
        with statements(self._engine) as connection:
            view = payment_view.by_id(connection, id)
        if view is not None and view.finalized_at is not None and view.type != PaymentType.CHARGE:
            with self._lock:
                if len(self._known) >= REMEMBERED_MAX:
                    self._known.clear()
                self._known[id] = (read_at + FRESH_SECONDS, view)
        return view
