"""The rail to the simulated bank: JSON over HTTP, with the payment's id as the idempotency key."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from http import HTTPStatus
from typing import Any

import httpx

from models.bank_return import Return
from models.payout import Payout
from models.rules import money
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, RailUnavailable

CALLS_MAX = 32
"""Simultaneous calls: one slow answer does not delay the others of its batch."""

CONNECT_SECONDS = 1.0

SLACK_SECONDS = 1.0
"""Added to the time-outs of a call: those apply to each part of an answer, however many parts there are."""

UPDATES_MAX = 200

STATES = {"confirmed": PayoutState.CONFIRMED, "rejected": PayoutState.REJECTED, "pending": PayoutState.PENDING}

CONNECT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors before any byte of the request was sent; after any other error the bank may have read it."""


class SimulatorRail:
    """The bank at `url`; an answer that takes longer than `timeout_seconds` is unknown."""

    name = "simulator"
    batch_max = CALLS_MAX

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._client = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CALLS_MAX, max_keepalive_connections=CALLS_MAX),
            trust_env=False,
        )
        self._callers = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="bank")
        self._answer_seconds = CONNECT_SECONDS + timeout_seconds + SLACK_SECONDS

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._callers.shutdown(wait=False)

    def submit(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Submit each payout by a call of its own."""
        return self._each(self._submit, payouts)

    def inquire(self, payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Ask about each payout by a call of its own."""
        return self._each(self._inquire, payouts)

    def updates(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        """The next page of updates; raises RailUnavailable."""
        query = {"after": position or "0", "limit": str(UPDATES_MAX)}
        try:
            response = self._callers.submit(self._client.get, "/news", params=query).result(self._answer_seconds)
            response.raise_for_status()
        except (httpx.HTTPError, TimeoutError) as error:
            raise RailUnavailable(f"{type(error).__name__}: {error}") from error
        page = response.json()
        return [_item(item) for item in page["items"]], str(page["position"])

    def _each(self, ask: Callable[[Payout], PayoutAnswer], payouts: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """The answers that arrive in time, by payment id."""
        calls = {payout.payment_id: self._callers.submit(ask, payout) for payout in payouts}
        done, late = wait(calls.values(), self._answer_seconds)
        for call in late:
            call.cancel()
        return {id: call.result() for id, call in calls.items() if call in done}

    def _submit(self, payout: Payout) -> PayoutAnswer:
        body = {
            "amount": money.render(payout.amount, payout.digits),
            "currency": payout.currency,
            "iban": payout.iban,
            "bic": payout.bic,
            "name": payout.name,
            "description": payout.description,
        }
        if payout.creditor_reference is not None:
            body["creditor_reference"] = payout.creditor_reference
        return self._call("POST", "/payouts", headers={"Idempotency-Key": payout.payment_id}, json=body)

    def _inquire(self, payout: Payout) -> PayoutAnswer:
        return self._call("GET", f"/payouts/{payout.payment_id}")

    def _call(self, method: str, path: str, **rest: Any) -> PayoutAnswer:
        """Call the bank; every answer that is not in the bank's own format is UNKNOWN."""
        try:
            response = self._client.request(method, path, **rest)
        except CONNECT_ERRORS as error:
            return PayoutAnswer(PayoutState.UNREACHABLE, f"{type(error).__name__}: {error}")
        except httpx.HTTPError as error:
            return PayoutAnswer(PayoutState.UNKNOWN, f"{type(error).__name__}: {error}")
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            if response.is_success and body.get("status") in STATES:
                return _answer(body)
            if response.status_code == HTTPStatus.NOT_FOUND and body.get("code") == "payout_unknown":
                return PayoutAnswer(PayoutState.NOT_FOUND, "the bank does not know it")
            if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and body.get("code") == "payout_refused":
                return PayoutAnswer(PayoutState.REJECTED, str(body.get("reason")))
        return PayoutAnswer(PayoutState.UNKNOWN, f"the bank answered {response.status_code}")


def _answer(body: dict[str, Any]) -> PayoutAnswer:
    return PayoutAnswer(STATES[body["status"]], body.get("reason"), body.get("reference"))


def _item(item: dict[str, Any]) -> BankUpdate | Return:
    if item["kind"] == "return":
        amount = money.parse(item["amount"], len(item["amount"].partition(".")[2]))  # with all digits that were sent
        return Return(item["id"], item["key"], amount, item.get("reason"))
    return BankUpdate(item["key"], _answer(item))
