"""Wallets: opened, changed, and their history."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import httpx

from payments_client.model import time_of
from payments_client.requests import JSON_LINES
from payments_client.testing.books import Books, FakeWallet
from payments_client.testing.money import CURRENCIES, text
from payments_client.testing.payment import FINAL
from payments_client.testing.problems import Refused, invalid
from payments_client.testing.queries import Row, file, listed
from payments_client.testing.routing import Asked, answers
from payments_client.testing.views import history_json, wallet_json

LONGEST_MONTH = timedelta(days=31)


@answers("create_wallet")
def open_wallet(books: Books, asked: Asked) -> httpx.Response:
    """A new wallet; a merchant has one."""
    key, request = asked.headers.get("Idempotency-Key"), ["wallets", asked.body]
    if key and (earlier := books.earlier(asked.user, request, key)):
        return _shown(earlier, 201, {"Idempotent-Replayed": "true"})
    if asked.body["currency"] not in CURRENCIES:
        raise Refused(422, "currency_unknown", "/currency")
    if asked.user.role == "merchant" and any(w.owner is asked.user for w in books.wallets.values()):
        raise Refused(409, "wallet_limit_reached")
    wallet = FakeWallet(asked.user, asked.body["currency"], asked.body.get("label"))
    books.wallets[wallet.token] = wallet
    if key:
        books.by_key[asked.user.id, key] = request, wallet
    return _shown(wallet, 201)


def own_wallet(books: Books, asked: Asked, token: str) -> FakeWallet:
    """The caller's wallet with this token; raises Refused."""
    wallet = books.wallets.get(token)
    if wallet is None or wallet.owner is not asked.user:
        raise Refused(404, "not_found")
    return wallet


def require_version(asked: Asked, version: int) -> None:
    """Refuse a change of another version than this."""
    if asked.headers["If-Match"] not in ("*", f'W/"{version}"'):
        raise Refused(412, "precondition_failed")


def _shown(wallet: FakeWallet, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    headers = {"ETag": f'W/"{wallet.version}"', **(headers or {})}
    return httpx.Response(status, json=wallet_json(wallet), headers=headers)


@answers("get_wallet")
def get(books: Books, asked: Asked, token: str) -> httpx.Response:
    """A wallet of the caller."""
    return _shown(own_wallet(books, asked, token))


@answers("list_wallets")
def list_wallets(books: Books, asked: Asked) -> httpx.Response:
    """The caller's wallets, the newest first; inactive ones if asked for."""
    wanted = asked.query.get("is_active", "true") == "true"
    own = [w for w in reversed(books.wallets.values()) if w.owner is asked.user and w.is_active is wanted]
    return listed(asked, [wallet_json(wallet) for wallet in own], ("is_active",))


@answers("update_wallet")
def update(books: Books, asked: Asked, token: str) -> httpx.Response:
    """A wallet with another label, use, limits or blocked merchants."""
    wallet, body = own_wallet(books, asked, token), asked.body
    require_version(asked, wallet.version)
    limits, blocked = body.get("charge_limits") or [], body.get("blocked_merchants") or []
    named = {f"/charge_limits/{n}/merchant": limit.get("merchant") for n, limit in enumerate(limits)}
    named |= {f"/blocked_merchants/{n}": id for n, id in enumerate(blocked)}
    merchants = {user.id for user in books.users if user.role == "merchant"}
    if unknown := [(where, "merchant_unknown") for where, id in named.items() if id and id not in merchants]:
        raise invalid(unknown)
    wallet.label = body.get("label", wallet.label)
    wallet.is_active = body.get("is_active", wallet.is_active)
    if "charge_limits" in body:
        wallet.charge_limits = sorted(limits, key=lambda limit: limit.get("merchant") or "")
    if "blocked_merchants" in body:
        wallet.blocked_merchants = sorted(blocked)
    wallet.version += 1
    return _shown(wallet)


@answers("rotate_wallet")
def rotate(books: Books, asked: Asked, token: str) -> httpx.Response:
    """A wallet with a new token; the old one is no longer known."""
    wallet = own_wallet(books, asked, token)
    del books.wallets[token]
    wallet.token = FakeWallet(asked.user, wallet.currency).token
    books.wallets[wallet.token] = wallet
    return _shown(wallet)


@answers("list_wallet_merchants")
def list_merchants(books: Books, asked: Asked, token: str) -> httpx.Response:
    """Who has charged a wallet, the last one first."""
    wallet, rows = own_wallet(books, asked, token), dict[str, Row]()
    charges = [payment for payment in reversed(wallet.payments) if payment.type == "charge"]
    for user in {charge.user.id: charge.user for charge in charges}.values():
        own = [charge for charge in charges if charge.user is user]
        taken = [charge.moved for charge in own if charge.state in ("COMPLETED", "AUTHORIZED")]
        rows[user.id] = {
            "merchant": user.id,
            "name": user.name,
            "charges": len(taken),
            "total": text(sum(taken, Decimal(0)), wallet.currency),
            "last_charged_at": own[0].created_at.isoformat(),
            "is_blocked": user.id in wallet.blocked_merchants,
        }
    return listed(asked, list(rows.values()))


@answers("list_wallet_operations")
def list_operations(books: Books, asked: Asked, token: str) -> httpx.Response:
    """What decided payments did to a wallet, the newest first; filtered by amounts without their sign."""
    wallet, directions = own_wallet(books, asked, token), asked.query.get("direction", "in,out").split(",")
    decided = [payment for payment in reversed(wallet.payments) if payment.state in FINAL]
    wanted = [payment for payment in decided if ("in" if payment.target is wallet else "out") in directions]
    signed = {payment.id: history_json(payment, wallet) for payment in wanted}
    return listed(asked, list(signed.values()), ("direction",))


@answers("get_wallet_balance")
def get_balance(books: Books, asked: Asked, token: str) -> httpx.Response:
    """The balance of a wallet at a time."""
    wallet, at = own_wallet(books, asked, token), time_of(asked.query["at"])
    balance = wallet.balance_before(at + timedelta(microseconds=1))
    body = {"wallet": token, "balance": text(balance, wallet.currency), "currency": wallet.currency}
    return httpx.Response(200, json={**body, "at": at.isoformat()})


@answers("get_wallet_statement")
def get_statement(books: Books, asked: Asked, token: str) -> httpx.Response:
    """The statement of a month, whose lines are the payments that were completed in it, the oldest first."""
    wallet, month = own_wallet(books, asked, token), asked.query["month"]
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=timezone.utc)
    end = (start + LONGEST_MONTH).replace(day=1)
    within = [p for p in wallet.payments if p.state == "COMPLETED" and p.finalized_at and start <= p.finalized_at < end]
    lines = [history_json(payment, wallet) for payment in sorted(within, key=lambda p: p.finalized_at or start)]
    opening, closing = (text(wallet.balance_before(moment), wallet.currency) for moment in (start, end))
    if asked.accepts(JSON_LINES):
        empty = dict.fromkeys(lines[0] if lines else ())
        ends = [
            {**empty, "type": name, "currency": wallet.currency, "balance_after": balance}
            for name, balance in (("opening", opening), ("closing", closing))
        ]
        return file([ends[0], *lines, ends[1]])
    amounts = [Decimal(line["amount"]) for line in lines]
    received, paid = (sum((a for a in signed if a > 0), Decimal(0)) for signed in (amounts, [-a for a in amounts]))
    totals = {"lines": len(lines), "received": text(received, wallet.currency), "paid": text(paid, wallet.currency)}
    body = {"wallet": token, "currency": wallet.currency, "month": month, "opening": opening, "closing": closing}
    return httpx.Response(200, json={**body, "totals": totals, "is_complete": True, "lines": lines})
