"""Payments by id: those asked for at the same time are read by one statement, and answers about final ones are kept.

Answers about charges are not kept: their refunded amount still changes.
"""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from gateway.auth.tokens import Caller
from gateway.http.grouped_calls import GroupedCalls
from models import archive, payment_view
from models.payment_view import PaymentView
from models.rules.types import PaymentType
from models.session import Engine, statements

FRESH_SECONDS = 60.0
"""Only the names and tokens of the parties of a final payment can change; they are reread after this time."""

KEPT_BYTES_MAX = 16 * 1024 * 1024
"""Memory for answers: some 12,000 of the usual length."""

ENTRY_BYTES = 600
"""What an answer takes besides its body."""


class KeptAnswer(NamedTuple):
    """The answer to a viewer of a final payment."""

    fresh_until: float
    etag: str
    body: bytes


class FinalPaymentCache:
    """The payments, and the answers about final ones: what a viewer sees depends on id and `reads_all`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = GroupedCalls[str, PaymentView | None]("reads", self._read)
        self._answers: dict[tuple[str, str, bool], KeptAnswer] = {}
        self._older: dict[tuple[str, str, bool], KeptAnswer] = {}
        """What was kept before the newer half of the memory was filled."""
        self._bytes = 0
        self._lock = threading.Lock()

    def payment(self, id: str) -> PaymentView | None:
        """The payment as it is now, or None; raises PaymentArchived for an id of an archived month."""
        view = self._reads.ask(id)
        if view is None:
            with statements(self._engine) as connection:
                archive.refuse(connection, id)
        return view

    def answer(self, id: str, viewer: Caller) -> KeptAnswer | None:
        """The answer that is kept for this viewer."""
        key = id, viewer.id, viewer.reads_all
        answer = self._answers.get(key) or self._older.get(key)
        return answer if answer is not None and answer.fresh_until > time.monotonic() else None

    def keep(self, view: PaymentView, viewer: Caller, read_at: float, etag: str, body: bytes) -> None:
        """Keep an answer for the next time, if it will be the same; `read_at` is by the monotonic clock."""
        if view.finalized_at is None or view.type == PaymentType.CHARGE:
            return
        with self._lock:
            self._answers[view.id, viewer.id, viewer.reads_all] = KeptAnswer(read_at + FRESH_SECONDS, etag, body)
            self._bytes += len(body) + ENTRY_BYTES
            if self._bytes > KEPT_BYTES_MAX // 2:
                self._older, self._answers, self._bytes = self._answers, {}, 0

    def _read(self, ids: Sequence[str]) -> list[PaymentView | None]:
        with statements(self._engine) as connection:
            views = payment_view.by_ids(connection, ids)
        return [views.get(id) for id in ids]
