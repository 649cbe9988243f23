"""The rail to the simulated bank: JSON over HTTP, under the payment's id as the key."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from http import HTTPStatus
from typing import Any

import httpx

from models.bank_return import Return
from models.payout import Payout
from models.rules import money
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState, RailAway

CALLS_MAX = 32
"""At once: one slow answer does not hold up the others of its batch."""

CONNECT_SECONDS = 1.0

SLACK_SECONDS = 1.0
"""What a call takes beside its time-outs: those are of each part of an answer, however many parts it comes in."""

NEWS_ITEMS_MAX = 200

ANSWERS = {"confirmed": PayoutState.CONFIRMED, "rejected": PayoutState.REJECTED, "pending": PayoutState.PENDING}

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Before a byte of the request went out; after any other error the bank may have read it."""


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
        self._patience_seconds = CONNECT_SECONDS + timeout_seconds + SLACK_SECONDS

    def close(self) -> None:
        """Hang up."""
        self._client.close()
        self._callers.shutdown(wait=False)

    def submit(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Tell the bank, each by a call of its own."""
        return self._each(self._submit, instructions)

    def inquire(self, instructions: Sequence[Payout]) -> Mapping[str, PayoutAnswer]:
        """Ask, each by a call of its own."""
        return self._each(self._inquire, instructions)

    def news(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        """The next page of what the bank tells by itself; raises RailAway."""
        asked = {"after": position or "0", "limit": str(NEWS_ITEMS_MAX)}
        try:
            answer = self._callers.submit(self._client.get, "/news", params=asked).result(self._patience_seconds)
            answer.raise_for_status()
        except (httpx.HTTPError, TimeoutError) as error:
            raise RailAway(f"{type(error).__name__}: {error}") from error
        page = answer.json()
        return [_item(told) for told in page["items"]], str(page["position"])

    def _each(
        self, ask: Callable[[Payout], PayoutAnswer], instructions: Sequence[Payout]
    ) -> Mapping[str, PayoutAnswer]:
        """What is known in time; an answer that trickles in is none."""
        calls = {one.payment_id: self._callers.submit(ask, one) for one in instructions}
        done, late = wait(calls.values(), self._patience_seconds)
        for call in late:
            call.cancel()
        return {id: call.result() for id, call in calls.items() if call in done}

    def _submit(self, one: Payout) -> PayoutAnswer:
        body = {
            "amount": money.render(one.amount, one.digits),
            "currency": one.currency,
            "iban": one.iban,
            "bic": one.bic,
            "name": one.name,
            "description": one.description,
        }
        if one.creditor_reference is not None:
            body["creditor_reference"] = one.creditor_reference
        return self._call("POST", "/payouts", headers={"Idempotency-Key": one.payment_id}, json=body)

    def _inquire(self, one: Payout) -> PayoutAnswer:
        return self._call("GET", f"/payouts/{one.payment_id}")

    def _call(self, method: str, path: str, **rest: Any) -> PayoutAnswer:
        """What is known afterwards; only what the bank says in its own words is more than UNKNOWN."""
        try:
            answer = self._client.request(method, path, **rest)
        except NOT_SENT as error:
            return PayoutAnswer(PayoutState.AWAY, f"{type(error).__name__}: {error}")
        except httpx.HTTPError as error:
            return PayoutAnswer(PayoutState.UNKNOWN, f"{type(error).__name__}: {error}")
        try:
            said = answer.json()
        except ValueError:
            said = None
        if isinstance(said, dict):
            if answer.is_success and said.get("status") in ANSWERS:
                return _outcome(said)
            if answer.status_code == HTTPStatus.NOT_FOUND and said.get("code") == "payout_unknown":
                return PayoutAnswer(PayoutState.NOT_FOUND, "the bank does not know it")
            if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and said.get("code") == "payout_refused":
                return PayoutAnswer(PayoutState.REJECTED, str(said.get("reason")))
        return PayoutAnswer(PayoutState.UNKNOWN, f"the bank answered {answer.status_code}")


def _outcome(said: dict[str, Any]) -> PayoutAnswer:
    return PayoutAnswer(ANSWERS[said["status"]], said.get("reason"), said.get("reference"))


def _item(told: dict[str, Any]) -> BankUpdate | Return:
    if told["kind"] == "return":
        amount = money.parse(told["amount"], len(told["amount"].partition(".")[2]))  # with all digits, as it was told
        return Return(told["id"], told["key"], amount, told.get("reason"))
    return BankUpdate(told["key"], _outcome(told))
