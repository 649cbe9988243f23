"""A fake of the API in memory: a transport for the clients, for unit tests without a server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

from payments_client import AsyncClient, Client
from payments_client.testing.books import FAILURES, FINAL, FakePayment, FakeWallet, User
from payments_client.testing.orders import ENDINGS, READERS, created, ended
from payments_client.testing.problems import Refused, problem
from payments_client.testing.queries import filtered, page
from payments_client.testing.views import payment_json, wallet_json

JSON = {"Content-Type": "application/json"}
TOKEN, ID = r"(wal_\w+)", r"([0-9a-f-]{36})"


class FakeEvent(NamedTuple):
    """What happened to a payment."""

    sequence: int
    type: str
    payment: FakePayment
    version: int
    timestamp: str


class Asked(NamedTuple):
    """A request: who asks, with which body, query and headers."""

    user: User
    body: dict[str, Any]
    query: httpx.QueryParams
    headers: httpx.Headers


class FakePayments(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Wallets, deposits, transfers, charges, refunds, payments and events, as the API has them, in memory.

    What is ordered is INITIATED, and decided before the next request, or at once with `wait`; while `is_posting` is
    False nothing is decided. Other operations raise NotImplementedError.
    """

    url = "http://payments.fake"

    def __init__(self) -> None:
        self.is_posting = True
        self.users: dict[str, User] = {}
        self.wallets: dict[str, FakeWallet] = {}
        self.payments: dict[str, FakePayment] = {}
        self.by_key: dict[tuple[str, str], tuple[Any, FakePayment]] = {}
        self.events: list[FakeEvent] = []
        self.routes: list[tuple[str, str, Callable[..., httpx.Response]]] = [
            ("POST", "/v1/wallets", self._open_wallet),
            ("GET", "/v1/wallets", self._list_wallets),
            ("GET", f"/v1/wallets/{TOKEN}", self._get_wallet),
            ("PATCH", f"/v1/wallets/{TOKEN}", self._update_wallet),
            ("POST", f"/v1/({'|'.join(READERS)})", self._order),
            ("POST", f"/v1/(?:charges|payments)/{ID}/({'|'.join(ENDINGS)})", self._end),
            ("GET", "/v1/payments", self._list_payments),
            ("GET", f"/v1/payments/{ID}", self._get_payment),
            ("GET", "/v1/events", self._list_events),
        ]

    def user(self, role: str = "merchant", name: str = "Shop") -> str:
        """The token of a new user, a `client` or a `merchant`."""
        user = User(role, name)
        self.users[user.token] = user
        return user.token

    def wallet(
        self, owner: str, funds: Decimal | str = "0", currency: str = "EUR", *, fails_with: str | None = None
    ) -> str:
        """The token of a new wallet of the user with this token.

        Each payment out of or into it FAILS with the code `fails_with`, one of `FAILURES`.
        """
        if fails_with is not None and fails_with not in FAILURES:
            raise ValueError(f"{fails_with} is no failure code: {', '.join(FAILURES)}")
        wallet = FakeWallet(self.users[owner], currency, balance=Decimal(funds), fails_with=fails_with)
        self.wallets[wallet.token] = wallet
        return wallet.token

    def client(self, token: str) -> Client:
        """A client of the user with this token."""
        return Client(self.url, token, transport=self)

    def async_client(self, token: str) -> AsyncClient:
        """A client to be awaited of the user with this token."""
        return AsyncClient(self.url, token, transport=self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a `Client`."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an `AsyncClient`."""
        await request.aread()
        return self._answer(request)

    def post(self) -> None:
        """Decide what is due, as a worker does."""
        for payment in list(self.payments.values()):
            if payment.decide():
                self._tell(payment, payment.state.lower())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_posting:
            self.post()
        for method, pattern, answer in self.routes:
            match = re.fullmatch(pattern, request.url.path)
            if match and method == request.method:
                try:
                    body = json.loads(request.content) if request.content else {}
                    asked = Asked(self._caller(request), body, request.url.params, request.headers)
                    return answer(asked, *match.groups())
                except Refused as refused:
                    return problem(refused, request.url.path)
        raise NotImplementedError(f"FakePayments has no {request.method} {request.url.path}")

    def _caller(self, request: httpx.Request) -> User:
        user = self.users.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if user is None:
            raise Refused(401, "token_invalid")
        return user

    def _open_wallet(self, asked: Asked) -> httpx.Response:
        if asked.user.role == "merchant" and any(w.owner is asked.user for w in self.wallets.values()):
            raise Refused(409, "wallet_limit_reached")
        wallet = self.wallets[self.wallet(asked.user.token, currency=asked.body["currency"])]
        wallet.label = asked.body.get("label")
        return _of_wallet(wallet, 201)

    def _own_wallet(self, asked: Asked, token: str) -> FakeWallet:
        wallet = self.wallets.get(token)
        if wallet is None or wallet.owner is not asked.user:
            raise Refused(404, "not_found")
        return wallet

    def _get_wallet(self, asked: Asked, token: str) -> httpx.Response:
        return _of_wallet(self._own_wallet(asked, token))

    def _update_wallet(self, asked: Asked, token: str) -> httpx.Response:
        wallet = self._own_wallet(asked, token)
        if asked.headers["If-Match"] not in ("*", _etag(wallet)):
            raise Refused(412, "precondition_failed")
        wallet.label = asked.body.get("label", wallet.label)
        wallet.is_active = asked.body.get("is_active", wallet.is_active)
        wallet.version += 1
        return _of_wallet(wallet)

    def _list_wallets(self, asked: Asked) -> httpx.Response:
        rows = [wallet_json(wallet) for wallet in self.wallets.values() if wallet.owner is asked.user]
        query = httpx.QueryParams({"is_active": "true"}).merge(asked.query)
        return httpx.Response(200, json=page(filtered(rows[::-1], query), query))

    def _order(self, asked: Asked, kind: str) -> httpx.Response:
        payment, is_new = created(self, asked.user, kind, asked.body, asked.headers.get("Idempotency-Key"))
        if is_new:
            self.payments[payment.id] = payment
            self._tell(payment, "initiated")
        return self._of_payment(payment, asked, accepted=201, is_replayed=not is_new)

    def _end(self, asked: Asked, id: str, action: str) -> httpx.Response:
        key = asked.headers.get("Idempotency-Key")
        is_new = ended(self, asked.user, self.payments.get(id), action, asked.body, key)
        return self._of_payment(self.payments[id], asked, accepted=200, is_replayed=not is_new)

    def _of_payment(self, payment: FakePayment, asked: Asked, *, accepted: int, is_replayed: bool) -> httpx.Response:
        """202 and the payment, or its outcome if that is waited for."""
        headers = {"Idempotent-Replayed": "true"} if is_replayed else {}
        if "Prefer" in asked.headers and self.is_posting:
            self.post()
            headers["Preference-Applied"] = asked.headers["Prefer"]
        status = accepted if payment.state in FINAL and "Prefer" in asked.headers else 202
        return self._shown(payment, asked, status, headers)

    def _shown(self, payment: FakePayment, asked: Asked, status: int, headers: dict[str, str]) -> httpx.Response:
        headers = {"ETag": _etag(payment), "Location": f"/v1/payments/{payment.id}", **headers}
        return httpx.Response(status, json=payment_json(payment, asked.user), headers=headers)

    def _get_payment(self, asked: Asked, id: str) -> httpx.Response:
        payment = self.payments.get(id)
        if payment is None or not _concerns(payment, asked.user):
            raise Refused(404, "not_found")
        if asked.headers.get("If-None-Match") == _etag(payment):
            return httpx.Response(304, headers={"ETag": _etag(payment)})
        return self._shown(payment, asked, 200, {})

    def _list_payments(self, asked: Asked) -> httpx.Response:
        own = [payment for payment in self.payments.values() if _concerns(payment, asked.user)]
        rows = [payment_json(payment, asked.user) for payment in reversed(own)]
        return httpx.Response(200, json=page(filtered(rows, asked.query), asked.query))

    def _list_events(self, asked: Asked) -> httpx.Response:
        after = asked.query.get("after", "0")
        place = len(self.events) if after == "now" else int(after)
        own = [event for event in self.events[place:] if _concerns(event.payment, asked.user)]
        rows = [event_json(event, asked.user) for event in own]
        names = asked.query.get("type", "*").split(",")
        data = [row for row in rows if {row["type"], "payment.*", "*"} & set(names)]
        return httpx.Response(200, json={"data": data, "has_more": False, "next_cursor": str(len(self.events))})

    def _tell(self, payment: FakePayment, what: str) -> None:
        at = (payment.finalized_at or payment.created_at).isoformat()
        self.events.append(FakeEvent(len(self.events) + 1, f"payment.{what}", payment, payment.version, at))


def event_json(event: FakeEvent, viewer: User) -> dict[str, Any]:
    """An event as the feed and webhooks have it for the viewer."""
    return {
        "id": str(event.sequence),
        "type": event.type,
        "timestamp": event.timestamp,
        "version": event.version,
        "data": payment_json(event.payment, viewer),
    }


def _concerns(payment: FakePayment, user: User) -> bool:
    return user is payment.user or any(wallet.owner is user for wallet in payment.wallets)


def _etag(kept: FakePayment | FakeWallet) -> str:
    return f'W/"{kept.version}"'


def _of_wallet(wallet: FakeWallet, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=wallet_json(wallet), headers={"ETag": _etag(wallet)})
