"""Payments that can be waited for."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from payments_client.core import ClientCore
from payments_client.errors import NoAnswer, PaymentFailed, RateLimited, ServerError, StillPending
from payments_client.flows import Flow, Policy, ServerEvent, Sleep, send, stream
from payments_client.models import Payment
from payments_client.requests import EVENT_STREAM, WAIT_SECONDS_MAX

if TYPE_CHECKING:
    from payments_client import AsyncClient, Client

P = TypeVar("P", bound=Payment)

FINAL = ("COMPLETED", "FAILED")
NOT_MODIFIED = 304
POLL_SECONDS = 1.0
"""Between two reads where the service has no room for one more who waits."""


class SyncPayment(Payment):
    """A payment of a `Client`."""

    __slots__ = ()

    def wait(
        self,
        timeout: float = 30.0,
        *,
        until: Collection[str] = FINAL,
        raise_on_failure: bool = False,
        by_stream: bool = False,
    ) -> SyncPayment:
        """The payment once it is final, or in one of these states.

        Raises StillPending with the payment as it is when the time is over; PaymentFailed if you ask for that.
        `by_stream` listens to its events instead of asking again.
        """
        client: Client = asked_by(self)
        return client.run(wait(self, timeout, until, raise_on_failure, by_stream))


class AsyncPayment(Payment):
    """A payment of an `AsyncClient`."""

    __slots__ = ()

    async def wait(
        self,
        timeout: float = 30.0,
        *,
        until: Collection[str] = FINAL,
        raise_on_failure: bool = False,
        by_stream: bool = False,
    ) -> AsyncPayment:
        """As `SyncPayment.wait`, to be awaited."""
        client: AsyncClient = asked_by(self)
        return await client.run(wait(self, timeout, until, raise_on_failure, by_stream))


def asked_by(payment: Payment) -> Any:
    """The client that asked for the payment; raises ValueError for one that came from elsewhere."""
    if payment.origin.client is None:
        raise ValueError("this payment was not read by a client: wait for that of client.payments.get(id)")
    return payment.origin.client


def wait(payment: P, timeout: float, until: Collection[str], raise_on_failure: bool, by_stream: bool) -> Flow[P]:
    """The payment in a state that is waited for, or final."""
    ends = {*until, *FINAL}
    deadline = time.monotonic() + timeout
    try:
        while payment.state not in ends:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StillPending(payment)
            payment = yield from (_listened if by_stream else _polled)(payment, left, ends)
    except (NoAnswer, RateLimited, ServerError) as lost:
        raise StillPending(payment) from lost
    if raise_on_failure and payment.state == "FAILED":
        raise PaymentFailed(payment)
    return payment


def _polled(payment: P, left: float, _: Collection[str]) -> Flow[P]:
    """The payment when it has changed, or as it is after some time."""
    client: ClientCore = payment.origin.client
    known = {"If-None-Match": payment.etag} if payment.etag else {}
    seconds = min(WAIT_SECONDS_MAX, int(left))
    request = client.request("get_payment", {"id": payment.id, "wait": seconds}, headers=known)
    response = yield from send(request, Policy(max(left - seconds, POLL_SECONDS), retries=seconds))
    if response.status != NOT_MODIFIED:
        origin = replace(client.origin(request, response), idempotency_key=payment.origin.idempotency_key)
        return type(payment)(response.json(), origin)
    if "preference-applied" not in response.headers:
        yield Sleep(min(POLL_SECONDS, left))
    return payment


def _listened(payment: P, left: float, ends: Collection[str]) -> Flow[P]:
    """The payment of the event that ends the wait."""
    client: ClientCore = payment.origin.client

    def told(event: ServerEvent) -> P:
        return type(payment)(event.data["data"], payment.origin)

    request = client.request("stream_payment_events", {"id": payment.id}, accept=EVENT_STREAM)
    last: P | None = yield from stream(
        request, client.policy, told, is_last=lambda heard: heard.state in ends, seconds=left
    )
    return last or (yield from _polled(payment, left, ends))
