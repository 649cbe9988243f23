"""Acceptance: orders that arrive together are kept by one statement; each is answered after its own commit."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

import structlog

import celery_config
from gateway.acceptance.accepted import AcceptedPayment, new_payment
from gateway.acceptance.payment_request import PaymentRequest, find_parties, resolve
from gateway.acceptance.reference_data import ReferenceData
from gateway.http.errors import ApiError
from models import idempotency, payment, payment_view, payout, quote
from models.account import Party
from models.payment import NewPayment
from models.session import CommitUnknown, Connection, Contention, DatabaseAway, Engine, statements, transaction

FLUSH_ORDERS_MAX = 256
"""Enough for every connection of a process; a longer statement gains nothing more."""

WAIT_SECONDS_MAX = 15.0
"""Longer than the database's own time-outs: who waits past this will not be answered by the flush."""

MUTE_SECONDS = 5.0
"""A flush that lasted longer met a mute database, and is not tried again."""

Answer = AcceptedPayment | Exception
"""A kept payment, new or replayed, or why there is none."""


class GroupCommit:
    """A leader among the waiting threads (or greenlets) keeps the orders of all; then the next one leads."""

    def __init__(self, engine: Engine, catalogue: ReferenceData) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._waiting: deque[_Pending] = deque()
        self._is_led = False

    def submit(self, order: PaymentRequest) -> AcceptedPayment:
        """Keep the order, or find what its key kept before; raises ApiError, DatabaseAway or Contention."""
        answer = self._settle([order])[0] if order.comes_alone else self._share(order)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _share(self, order: PaymentRequest) -> Answer:
        ticket = _Pending(order)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._is_led
            self._is_led = True
        if not ticket.leads and not ticket.woken.wait(WAIT_SECONDS_MAX):
            with self._lock:
                if not ticket.leads and ticket in self._waiting:
                    self._waiting.remove(ticket)
        if ticket.leads:
            self._lead()
        return ticket.answer

    def _lead(self) -> None:
        """One flush of what waits, our own order first; then another leads."""
        time.sleep(0)  # whoever is ready to order comes along: half as many flushes at 8 connections
        with self._lock:
            flush = [self._waiting.popleft() for _ in range(min(len(self._waiting), FLUSH_ORDERS_MAX))]
        try:
            answers = self._settle([ticket.order for ticket in flush])
            for ticket, answer in zip(flush, answers, strict=True):
                ticket.answer = answer
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].woken.set()
                else:
                    self._is_led = False
            for ticket in flush:
                ticket.woken.set()

    def _settle(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        """An answer for each order; a flush that fails as a whole is tried singly."""
        try:
            answers = self._keep_surely(orders)
        except DatabaseAway as error:
            return [error] * len(orders)
        except Exception as error:
            if len(orders) == 1:
                return [error]
            return [answer for order in orders for answer in self._settle([order])]
        if any(isinstance(answer, AcceptedPayment) and not answer.is_replay for answer in answers):
            celery_config.ring(structlog.contextvars.get_contextvars().get("request_id"))
        return answers

    def _keep_surely(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        began = time.monotonic()
        try:
            return self._keep(orders)
        except CommitUnknown:
            if time.monotonic() - began > MUTE_SECONDS:
                raise  # others wait behind this flush; the caller asks again with the same key
            # Keeping again begins by asking for the keys: what was committed after all is found under them.
            return self._keep(orders)

    def _keep(self, orders: Sequence[PaymentRequest]) -> list[Answer]:
        """One statement keeps all orders; one with a reference, a quote or a bank's counterparty comes alone, in a
        transaction with that.

        Raises ApiError only for that one: a taken reference, or a used quote, rolls both back.
        """
        answers: dict[str, Answer] = {}
        scope = transaction if any(order.comes_alone for order in orders) else statements
        with scope(self._engine) as connection:
            parties = find_parties(connection, orders, self._catalogue)
            wishes: dict[tuple[str, str], NewPayment] = {}
            sides: dict[str, tuple[Party, Party]] = {}
            for order in orders:
                try:
                    sides[order.id] = resolve(order, parties)
                    wishes.setdefault(order.claim, order.wish(*sides[order.id]))
                except ApiError as refusal:
                    answers[order.id] = refusal
            created = payment.accept(connection, list(wishes.values())) if wishes else {}
            for order in orders:
                if order.id in created:
                    if order.reference is not None:
                        self._take_reference(connection, order, order.reference)
                    if order.quote_id is not None and not quote.use(connection, order.quote_id, order.id):
                        raise ApiError("quote_used", "This quote has been used for another payment.")
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
            detail = "A charge with this reference exists, and did not fail; see payment."
            raise ApiError("duplicate_reference", detail, payment=earlier)

    def _recall(
        self, connection: Connection, orders: Sequence[PaymentRequest], refusals: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        """What the keys of these orders kept before; where there is nothing, the refusal stands."""
        kept = idempotency.find(connection, {order.claim for order in orders})
        ids = {found.payment_id for found in kept.values() if found.payment_id}
        rows = payment_view.by_ids(connection, list(ids)) if ids else {}
        answers: dict[str, Answer] = {}
        for order in orders:
            found = kept.get(order.claim)
            if found is None:
                answers[order.id] = refusals.get(order.id) or Contention()
            elif found.fingerprint != order.fingerprint or found.payment_id is None:
                detail = "You used this key for another request."
                answers[order.id] = ApiError("idempotency_key_reused", detail)
            else:
                answers[order.id] = AcceptedPayment(rows[found.payment_id], is_replay=found.payment_id != order.id)
        return answers


class _Pending:
    """An order that waits for its flush."""

    __slots__ = ("answer", "leads", "order", "woken")

    def __init__(self, order: PaymentRequest) -> None:
        self.order = order
        self.answer: Answer = CommitUnknown()
        self.leads = False
        self.woken = threading.Event()
