"""A cache of final payments, which never change; visibility is checked on each read.

Charges are not cached: their refunded amount still changes.
"""

import threading
import time
from typing import NamedTuple

from gateway.http.event_loop import run_in_thread
from models import payment_view
from models.payment_view import PaymentView
from models.rules.types import PaymentType
from models.session import Engine, statements

FRESH_SECONDS = 60.0
"""Only the names and tokens of the parties of a final payment can change; they are reread after this time."""

CACHED_MAX = 2_000
"""Some ten megabytes; above that the cache is cleared."""

VIEWERS_MAX = 3
"""Viewers of a payment whose answers are kept: usually who ordered it, and the owners of its wallets."""

Answer = tuple[str, bytes, dict[str, str]]
"""Status, body and headers."""


class FinalPayment(NamedTuple):
    """A cached payment, and the answers to those who have read it: what they see depends on id and `reads_all`."""

    fresh_until: float
    view: PaymentView
    answers: dict[tuple[str, bool], Answer]

    def keep(self, viewer: tuple[str, bool], answer: Answer) -> None:
        """Keep an answer for the viewer's next read."""
        if len(self.answers) >= VIEWERS_MAX:
            self.answers.clear()
        self.answers[viewer] = answer


class FinalPaymentCache:
    """Payments by id, from the database or, if final, from the cache."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cached: dict[str, FinalPayment] = {}
        self._lock = threading.Lock()

    def payment(self, id: str) -> PaymentView | None:
        """The payment as it is now, or None."""
        final = self.cached(id)
        return run_in_thread(self._read, id) if final is None else final.view

    def cached(self, id: str) -> FinalPayment | None:
        """The payment if it is final and cached."""
        final = self._cached.get(id)
        return final if final is not None and final.fresh_until > time.monotonic() else None

    def _read(self, id: str) -> PaymentView | None:
        read_at = time.monotonic()
        with statements(self._engine) as connection:
            view = payment_view.by_id(connection, id)
        if view is not None and view.finalized_at is not None and view.type != PaymentType.CHARGE:
            with self._lock:
                if len(self._cached) >= CACHED_MAX:
                    self._cached.clear()
                self._cached[id] = FinalPayment(read_at + FRESH_SECONDS, view, {})
        return view
