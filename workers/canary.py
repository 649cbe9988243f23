"""The canary: pays a cent between two wallets of one user over HTTP, as a client would, and says what became of it."""

import time
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from models.rules.state import State

CONNECT_SECONDS = 5.0

ANSWER_SECONDS = 15.0
"""An answer that does not wait takes milliseconds; longer than the gateway's own time-outs."""

WAIT_SECONDS_MAX = 30
"""The longest time for which a request may ask to wait."""


class CanaryFailed(Exception):
    """The payment was not completed; the message says why, in one line."""


class CanaryLogin(NamedTuple):
    """A token, or the e-mail address and password of a user to sign in."""

    token: str
    email: str = ""
    password: str = ""


class CanaryOutcome(NamedTuple):
    """A completed payment, and the time from the request to the outcome."""

    payment: str
    amount: str
    currency: str
    seconds: float


class Canary:
    """Pays between `wallets`, from the one that holds more, so that neither runs out."""

    def __init__(self, url: str, login: CanaryLogin, wallets: tuple[str, str]) -> None:
        self._login = login
        self._wallets = wallets
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.Client(base_url=url, timeout=timeout, trust_env=False)

    def pay(self, amount: str, seconds: float) -> CanaryOutcome:
        """Pay, and wait for the outcome until `seconds` have passed; raises CanaryFailed."""
        deadline = time.monotonic() + seconds
        with self._client:
            token = self._login.token or self._sign_in()
            try:
                return self._pay(token, amount, deadline, seconds)
            finally:
                if not self._login.token:
                    with suppress(CanaryFailed):  # the session ends by itself, too
                        self._call("DELETE", "/v1/sessions/current", token)

    def _sign_in(self) -> str:
        body = {"email": self._login.email, "password": self._login.password}
        token: str = self._call("POST", "/v1/sessions", json=body)["token"]
        return token

    def _pay(self, token: str, amount: str, deadline: float, seconds: float) -> CanaryOutcome:
        wallets = [self._call("GET", f"/v1/wallets/{wallet}", token) for wallet in self._wallets]
        source, target = sorted(wallets, key=lambda wallet: Decimal(wallet["available"]), reverse=True)
        order = {"source": source["token"], "target": target["token"], "amount": amount, "currency": source["currency"]}
        began = time.monotonic()
        headers = {"Idempotency-Key": f"canary-{uuid4()}", **_wait_until(deadline)}
        payment = self._call("POST", "/v1/transfers", token, json=order, headers=headers)
        while payment["finalized_at"] is None:
            if time.monotonic() >= deadline:
                raise CanaryFailed(f"payment {payment['id']} is {payment['state']} after {seconds:g} s")
            payment = self._call("GET", f"/v1/payments/{payment['id']}", token, headers=_wait_until(deadline))
        if payment["state"] != State.COMPLETED:
            reason = (payment["failure"] or {}).get("code", "no reason")
            raise CanaryFailed(f"payment {payment['id']} is {payment['state']}: {reason}")
        return CanaryOutcome(payment["id"], amount, source["currency"], round(time.monotonic() - began, 3))

    def _call(
        self, method: str, path: str, token: str = "", json: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The body of a successful answer; raises CanaryFailed. The query and all headers stay out of its message."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        timeout = httpx.Timeout(ANSWER_SECONDS + WAIT_SECONDS_MAX, connect=CONNECT_SECONDS) if headers else None
        try:
            answer = self._client.request(
                method, path, json=json, headers=sent, timeout=timeout or self._client.timeout
            )
        except httpx.HTTPError as error:
            raise CanaryFailed(f"{method} {_shown(path)}: {type(error).__name__}: {error}") from error
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return {}
        try:
            body: dict[str, Any] = answer.json()
        except ValueError:
            body = {}
        if answer.is_success and body:
            return body
        code = body.get("code", "no problem that it names")
        raise CanaryFailed(f"{method} {_shown(path)}: {answer.status_code} {code}")


def _wait_until(deadline: float) -> dict[str, str]:
    seconds = min(WAIT_SECONDS_MAX, max(1, round(deadline - time.monotonic())))
    return {"Prefer": f"wait={seconds}"}


def _shown(path: str) -> str:
    """The path without a wallet's token."""
    return "/v1/wallets/{wallet}" if path.startswith("/v1/wallets/") else path
