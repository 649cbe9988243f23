"""A fake of the API in memory: a transport for the clients, for unit tests without a server."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx

from payments_client import AsyncClient, Client
from payments_client._routes import ROUTES
from payments_client.requests import JSON
from payments_client.testing import (  # noqa: F401  each registers what it answers
    api_key_routes,
    bank_account_routes,
    bulk_routes,
    exchange_routes,
    identity_routes,
    payment_routes,
    service_routes,
    wallet_routes,
    webhook_routes,
)
from payments_client.testing.books import FAILURES, Books, FakeWallet
from payments_client.testing.payment import FakePayment
from payments_client.testing.people import MOVES_MONEY, SCOPES, Token, User, now
from payments_client.testing.problems import Refused, problem
from payments_client.testing.routing import HANDLERS, Asked, find

ANYONE = Token(User("nobody", ""), "none")


class FakePayments(Books, httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The API for clients and merchants, in memory; what it leaves out raises NotImplementedError.

    What is ordered is INITIATED, and decided before the next request, or at once with `wait`; while `is_posting` is
    False nothing is decided. Charges and transfers between different owners cost `commission_percent`.
    """

    url = "http://payments.fake"

    def user(self, role: str = "merchant", name: str = "Shop", **details: Any) -> str:
        """An API key of a new user, a `client`, a `merchant`, or `ops`; `details` such as `email` and `password`."""
        if role not in SCOPES:
            raise ValueError(f"{role} is no role of the fake: {', '.join(SCOPES)}")
        user = User(role, name, **details)
        token = Token(user, "api_key")
        self.users.append(user)
        self.tokens[token.text] = token
        return token.text

    def wallet(
        self, owner: str, funds: Decimal | str = "0", currency: str = "EUR", *, fails_with: str | None = None
    ) -> str:
        """The token of a new wallet of the user with this token.

        Each payment out of or into it FAILS with the code `fails_with`, one of `FAILURES`.
        """
        if fails_with is not None and fails_with not in FAILURES:
            raise ValueError(f"{fails_with} is no failure code: {', '.join(FAILURES)}")
        wallet = FakeWallet(self.tokens[owner].user, currency, balance=Decimal(funds), fails_with=fails_with)
        self.wallets[wallet.token] = wallet
        return wallet.token

    def mailed(self, email: str) -> str:
        """The token of the newest mail to the address, which confirms it, or sets a new password."""
        return [token for token, (user, _) in self.mails.items() if user.email == email][-1]

    def return_payout(self, id: str, reason: str) -> None:
        """Let the bank send back what it paid out by the withdrawal with this id, as a payment of type `return`."""
        sent = self.payments[id]
        back = (sent.target, sent.source, sent.amount, sent.currency, {"summary": reason})
        self.keep(FakePayment("return", sent.user, *back, parent=sent))

    def client(self, token: str | None = None) -> Client:
        """A client of the user with this token."""
        return Client(self.url, token, transport=self)

    def async_client(self, token: str | None = None) -> AsyncClient:
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

    def _answer(self, request: httpx.Request) -> httpx.Response:
        id, places = find(request.method, request.url.path)
        if id not in HANDLERS:
            raise NotImplementedError(f"FakePayments has no {id}: {request.method} {request.url.path}")
        if self.is_posting:
            self.post()
        try:
            token, headers = self._caller(request, id), request.headers
            is_json = bool(request.content) and headers.get("Content-Type") == JSON
            body = json.loads(request.content) if is_json else {}
            asked = Asked(id, token, body, request.content, request.url.params, headers)
            return HANDLERS[id](self, asked, *places)
        except Refused as refused:
            return problem(refused, request.url.path)

    def _caller(self, request: httpx.Request, id: str) -> Token:
        """Whose token it is, if that may do this; raises Refused."""
        scopes = set(ROUTES[id].scopes)
        if not scopes:
            return ANYONE
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Refused(401, "token_missing")
        token = self.tokens.get(text)
        if token is None or not token.is_valid:
            raise Refused(401, "token_invalid")
        token.last_used_at = now()
        in_effect = token.in_effect if token.user.is_confirmed else token.in_effect - MOVES_MONEY
        if not scopes & in_effect:
            raise Refused(403, "email_unconfirmed" if scopes & token.in_effect else "scope_missing")
        return token
