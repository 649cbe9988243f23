"""Group commit: payments requested at the same time are stored by one statement; each is answered after the commit."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

import structlog

import bell
from gateway.acceptance.accepted import AcceptedPayment, new_payment
from gateway.acceptance.payment_request import PaymentRequest, find_parties, resolve
from gateway.acceptance.reference_data import ReferenceData
from gateway.http.errors import ApiError
from gateway.http.idempotency import key_reused
from models import idempotency, payment, payment_view, payout, quote
from models.account import Party
from models.payment import NewPayment
from models.session import CommitUnknown, Connection, Contention, DatabaseAway, Engine, statements, transaction

GROUP_MAX = 256
"""Enough for every connection of a process; larger groups gain nothing."""

WAIT_SECONDS_MAX = 15.0
"""Longer than the time-outs of the database: after this the group will not answer."""

UNRESPONSIVE_SECONDS = 5.0
"""A group that took longer met an unresponsive database, and is not tried again."""

Answer = AcceptedPayment | Exception
"""The accepted payment, new or replayed, or the exception that prevented it."""


class GroupCommit:
    """A leader among the waiting threads (or greenlets) stores the payments of all; then the next one leads."""

    def __init__(self, engine: Engine, reference_data: ReferenceData) -> None:
        self._engine = engine
        self._reference_data = reference_data
        self._lock = threading.Lock()
        self._waiting: deque[_Pending] = deque()
        self._is_led = False

    def submit(self, order: PaymentRequest) -> AcceptedPayment:
        """Store the payment, or find the earlier one of its key; raises ApiError, DatabaseAway or Contention."""
        answer = self._settle([order])[0] if order.comes_alone else self._share(order)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _share(self, order: PaymentRequest) -> Answer:
        pending = _Pending(order)
        with self._lock:
            self._waiting.append(pending)
            pending.leads = not self._is_led
            self._is_led = True
        if not pending.leads and not pending.woken.wait(WAIT_SECONDS_MAX):
            with self._lock:
                if not pending.leads and pending in self._waiting:
                    self._waiting.remove(pending)
        if pending.leads:
            self._lead()
        return pending.answer

    def _lead(self) -> None:
        """Store one group of the waiting requests, its own first; then another thread leads."""
        time.sleep(0)  # lets ready requests join: half as many commits at 8 connections
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
        try:
            answers = self._settle([pending.order for pending in group])
            for pending, answer in zip(group, answers, strict=True):
                pending.answer = answer
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].woken.set()
                else:
                    self._is_led = False
            for pending in group:
                pending.woken.set()

    def _settle(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        """An answer for each request; a group that fails as a whole is tried one by one."""
        try:
            answers = self._store_with_retry(orders)
        except DatabaseAway as error:
            return [error] * len(orders)
        except Exception as error:
            if len(orders) == 1:
                return [error]
            return [answer for order in orders for answer in self._settle([order])]
        if any(isinstance(answer, AcceptedPayment) and not answer.is_replay for answer in answers):
            bell.ring(structlog.contextvars.get_contextvars().get("request_id"))
        return answers

    def _store_with_retry(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        began = time.monotonic()
        try:
            return self._store(orders)
        except CommitUnknown:
            if time.monotonic() - began > UNRESPONSIVE_SECONDS:
                raise  # other requests wait behind this group; the client repeats its own with the same key
            # Storing again starts with the keys, so a commit that succeeded after all is found.
            return self._store(orders)

    def _store(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        """Store all payments with one statement; one with a reference, a quote or a bank counterparty is alone, in a
        transaction with that.

        Raises ApiError only for such a one: a reference in use, or a used quote, rolls both back.
        """
        answers: dict[str, Answer] = {}
        scope = transaction if any(order.comes_alone for order in orders) else statements
        with scope(self._engine) as connection:
            parties = find_parties(connection, orders, self._reference_data)
            wishes: dict[tuple[str, str], NewPayment] = {}
            sides: dict[str, tuple[Party, Party]] = {}
            for order in orders:
                try:
                    sides[order.id] = resolve(order, parties)
                    wishes.setdefault(order.claim, order.wish(*sides[order.id]))
                except ApiError as error:
                    answers[order.id] = error
            created = payment.accept(connection, list(wishes.values())) if wishes else {}
            for order in orders:
                if order.id in created:
                    if order.reference is not None:
                        self._take_reference(connection, order, order.reference)
                    if order.quote_id is not None and not quote.use(connection, order.quote_id, order.id):
                        raise ApiError("quote_used", "This quote has already been used.")
                    if order.counterparty is not None:
                        payout.keep(connection, {order.id: order.counterparty})
                    answers[order.id] = new_payment(order, *sides[order.id], created[order.id])
            unsettled = [order for order in orders if order.id not in created]
            if unsettled:
                answers.update(self._recall(connection, unsettled, answers))
        return [answers[order.id] for order in orders]

    def _take_reference(self, connection: Connection, order: PaymentRequest, reference: str) -> None:
        earlier = payment.keep_reference(connection, order.user_id, reference, order.id)
        if earlier is not None:
            detail = "Another charge that did not fail has this reference; see payment."
            raise ApiError("duplicate_reference", detail, payment=earlier)

    def _recall(
        self, connection: Connection, orders: Sequence[PaymentRequest], errors: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        """The earlier payments of these keys; without one, the error of the request."""
        kept = idempotency.find(connection, {order.claim for order in orders})
        ids = {found.object_id for found in kept.values()}
        rows = payment_view.by_ids(connection, list(ids)) if ids else {}
        answers: dict[str, Answer] = {}
        for order in orders:
            found = kept.get(order.claim)
            if found is None:
                answers[order.id] = errors.get(order.id) or Contention()
            elif found.fingerprint != order.fingerprint:
                answers[order.id] = key_reused()
            else:
                answers[order.id] = AcceptedPayment(rows[found.object_id], is_replay=found.object_id != order.id)
        return answers


class _Pending:
    """A request that waits for its group."""

    __slots__ = ("answer", "leads", "order", "woken")

    def __init__(self, order: PaymentRequest) -> None:
        self.order = order
        self.answer: Answer = CommitUnknown()
        self.leads = False
        self.woken = threading.Event()
