"""Group commit: payments requested at the same time are stored by one statement; each is answered after the commit."""

import time
from collections.abc import Mapping, Sequence

import structlog

import bell
import metrics
from gateway.acceptance.accepted import AcceptedPayment, new_payment
from gateway.acceptance.backpressure import Backpressure
from gateway.acceptance.payment_request import Parties, PaymentRequest, find_parties, resolve
from gateway.acceptance.reference_data import ReferenceData
from gateway.http import event_loop
from gateway.http.errors import ApiError
from gateway.http.grouped_calls import GroupedCalls
from gateway.http.idempotency import key_reused
from gateway.reads import Reads
from models import idempotency, maker, payment, payment_view, payout, quote, wallet_payment
from models.account import Party
from models.archive import PaymentArchived
from models.payment import NewPayment
from models.session import CommitUnknown, Connection, Contention, DatabaseUnavailable, Engine, statements, transaction

UNRESPONSIVE_SECONDS = 5.0
"""A group that took longer met an unresponsive database, and is not tried again."""

Answer = AcceptedPayment | Exception
"""The accepted payment, new or replayed, or the exception that prevented it."""


class GroupCommit:
    """Stores the payments that are requested at the same time."""

    def __init__(self, engine: Engine, reference_data: ReferenceData, backpressure: Backpressure, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads
        self._reference_data = reference_data
        self._backpressure = backpressure
        self._calls = GroupedCalls[PaymentRequest, AcceptedPayment]("group-commit", self._settle)

    def submit(self, request: PaymentRequest) -> AcceptedPayment:
        """Store the payment, or find the earlier one of its key; raises ApiError, DatabaseUnavailable or Contention."""
        if not request.needs_own_transaction:
            return self._calls.ask(request)
        [answer] = event_loop.run_in_thread(self._settle, [request])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _settle(self, requests: Sequence[PaymentRequest]) -> list[Answer]:
        """An answer for each request; a group that fails as a whole is tried one by one."""
        try:
            answers = self._store_with_retry(requests)
        except DatabaseUnavailable as error:
            return [error] * len(requests)
        except Exception as error:
            if len(requests) == 1:
                return [error]
            return [answer for request in requests for answer in self._settle([request])]
        new = [answer.view for answer in answers if isinstance(answer, AcceptedPayment) and not answer.is_replay]
        if new:
            bell.ring(structlog.contextvars.get_contextvars().get("request_id"))
            metrics.count_transitions((view.type, view.state) for view in new)
        return answers

    def _store_with_retry(self, requests: Sequence[PaymentRequest]) -> list[Answer]:
        began = time.monotonic()
        try:
            return self._store(requests)
        except CommitUnknown:
            if time.monotonic() - began > UNRESPONSIVE_SECONDS:
                raise  # other requests wait behind this group; the client repeats its own with the same key
            # Storing again starts with the keys, so a commit that succeeded after all is found.
            return self._store(requests)

    def _store(self, requests: Sequence[PaymentRequest]) -> list[Answer]:
        """Store the payments: those between wallets with one statement, all others with one more; one with a reference,
        a quote or a bank counterparty is alone, in a transaction with that.

        Raises ApiError only for such a one: a reference in use, or a used quote, rolls both back. Refunds are stored
        whatever waits: they end what was accepted.
        """
        between_wallets: dict[tuple[str, str], PaymentRequest] = {}
        others = []
        refusals: dict[str, Answer] = {}
        for request in requests:
            refusal = None if request.charge is not None else self._backpressure.refusal()
            if refusal is not None:
                refusals[request.id] = refusal
            elif request.is_between_wallets and request.user_and_key not in between_wallets:
                between_wallets[request.user_and_key] = request
            else:
                others.append(request)
        answers = refusals
        scope = transaction if any(request.needs_own_transaction for request in requests) else statements
        with scope(self._engine) as connection:
            if between_wallets:
                answers |= self._store_between_wallets(connection, list(between_wallets.values()))
            if others:
                answers |= self._store_others(connection, others)
            unsettled = [request for request in requests if not isinstance(answers.get(request.id), AcceptedPayment)]
            if unsettled:
                answers |= self._find_replays(connection, unsettled, answers)
            written = self._reads.written(connection) if scope is statements else None
        written = written or self._reads.token()
        return [_with_token(answers[request.id], written) for request in requests]

    def _store_between_wallets(self, connection: Connection, requests: Sequence[PaymentRequest]) -> dict[str, Answer]:
        """Answers by id; without those whose key is taken."""
        answers: dict[str, Answer] = {}
        tokens = [request.source for request in requests], [request.target or "" for request in requests]
        outcomes = wallet_payment.accept(connection, [request.payment for request in requests], *tokens)
        for request in requests:
            source, target, created_at = outcomes[request.id]
            if source is not None and target is not None and created_at is not None:
                answers[request.id] = new_payment(request, source, target, created_at)
                continue
            found = {party.token or "": party for party in (source, target) if party is not None}
            try:
                resolve(request, Parties(found, {}, self._reference_data))
            except ApiError as error:
                answers[request.id] = error
        return answers

    def _store_others(self, connection: Connection, requests: Sequence[PaymentRequest]) -> dict[str, Answer]:
        """Answers by id; without those whose key is taken."""
        answers: dict[str, Answer] = {}
        parties = find_parties(connection, requests, self._reference_data)
        payments: dict[tuple[str, str], NewPayment] = {}
        accounts: dict[str, tuple[Party, Party]] = {}
        for request in requests:
            try:
                source, target = accounts[request.id] = resolve(request, parties)
            except ApiError as error:
                answers[request.id] = error
            else:
                new = request.payment._replace(source_id=source.id, target_id=target.id)
                payments.setdefault(request.user_and_key, new)
        created = payment.accept(connection, list(payments.values())) if payments else {}
        for request in requests:
            if request.id in created:
                self._store_more(connection, request)
                answers[request.id] = new_payment(request, *accounts[request.id], created[request.id])
        return answers

    def _store_more(self, connection: Connection, request: PaymentRequest) -> None:
        """Store what a payment needs its own transaction for."""
        new = request.payment
        if new.reference is not None:
            earlier = payment.keep_reference(connection, new.user_id, new.reference, new.id)
            if earlier is not None:
                detail = "Another charge that did not fail has this reference; see payment."
                raise ApiError("duplicate_reference", detail, payment=earlier)
        if new.quote_id is not None and not quote.use(connection, new.quote_id, new.id):
            raise ApiError("quote_used", "This quote has already been used.")
        if request.maker_id is not None:
            maker.note(connection, new.id, request.maker_id)
        if request.counterparty is not None:
            payout.keep(connection, {new.id: request.counterparty})

    def _find_replays(
        self, connection: Connection, requests: Sequence[PaymentRequest], errors: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        """The earlier payments of these keys; without one, the error of the request."""
        stored_keys = idempotency.find(connection, {request.user_and_key for request in requests})
        ids = [stored.object_id for stored in stored_keys.values()]
        views = payment_view.by_ids(connection, ids) if ids else {}
        answers: dict[str, Answer] = {}
        for request in requests:
            stored = stored_keys.get(request.user_and_key)
            if stored is None:
                answers[request.id] = errors.get(request.id) or Contention()
            elif stored.fingerprint != request.payment.fingerprint:
                answers[request.id] = key_reused()
            else:
                view = views.get(stored.object_id)
                is_replay = stored.object_id != request.id
                answers[request.id] = PaymentArchived() if view is None else AcceptedPayment(view, is_replay)
        return answers


def _with_token(answer: Answer, written: str | None) -> Answer:
    return AcceptedPayment(*answer[:2], written) if written and isinstance(answer, AcceptedPayment) else answer
