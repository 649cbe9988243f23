"""How the fake reads an order: what it refuses, and the payment that it makes of the rest."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from payments_client.testing.bank_fields import checked_iban, refuse_mismatch
from payments_client.testing.books import Books, FakeWallet
from payments_client.testing.money import CURRENCIES, Offer
from payments_client.testing.payment import FakePayment, Payee, Quote, Step
from payments_client.testing.people import User, now
from payments_client.testing.problems import Refused, invalid
from payments_client.testing.routing import Body

POINTERS = {
    "deposits": (None, "/wallet"),
    "withdrawals": ("/wallet", None),
    "transfers": ("/source", "/target"),
    "exchanges": ("/source", "/target"),
    "charges": ("/wallet", "/target"),
    "refunds": ("/charge", None),
}
"""Where orders name the wallets that must be active; that which a refund goes to need not be."""

AMOUNT = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
WALLET = re.compile(r"wal_[A-Za-z0-9_-]{22,64}")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
KEY = re.compile(r"[!-~]{1,255}")


def checked_key(key: str | None) -> str:
    """The idempotency key; raises Refused."""
    if key is None:
        raise Refused(400, "idempotency_key_missing")
    if not KEY.fullmatch(key):
        raise Refused(400, "idempotency_key_invalid")
    return key


def created(books: Books, user: User, path: str, body: Body, key: str | None) -> tuple[FakePayment, bool]:
    """The payment of an order, and whether it is new; raises Refused."""
    key, asked = checked_key(key), [path, body]
    if earlier := books.earlier(user, asked, key):
        return earlier, False
    payment = READERS[path](books, user, body)
    _refuse_wallets(path, payment)
    refuse_reference(books, user, body.get("reference"))
    payment.key, payment.percent = key, books.commission_percent
    if payment.quote:
        payment.quote.payment = payment
    books.by_key[user.id, key] = asked, payment
    return payment, True


def _refuse_wallets(path: str, payment: FakePayment) -> None:
    """Refuse wallets that hold another currency or are inactive."""
    received = payment.offer.rate.target if payment.offer else payment.currency
    sides = (("source", payment.source, payment.currency), ("target", payment.target, received))
    for name, side, currency in sides:
        if isinstance(side, FakeWallet) and side.currency != currency:
            raise Refused(422, "currency_mismatch", f"/{name}" if payment.offer else "/currency")
    for pointer, (_, side, _) in zip(POINTERS[path], sides, strict=True):
        if pointer and isinstance(side, FakeWallet) and not side.is_active:
            raise Refused(422, "account_inactive", pointer)


def refuse_reference(books: Books, user: User, reference: str | None) -> None:
    """Refuse a reference that another payment of the user has which did not fail."""
    if reference and (other := referenced(books, user, reference)):
        raise Refused(409, "duplicate_reference", payment=other.id)


def referenced(books: Books, user: User, reference: str) -> FakePayment | None:
    """The user's payment with that reference that did not fail."""
    for other in books.payments.values():
        if other.user is user and other.given.get("reference") == reference and other.state != "FAILED":
            return other
    return None


def ended(
    books: Books, user: User, payment: FakePayment | None, action: str, body: Body, key: str | None
) -> tuple[FakePayment, bool]:
    """Order the capture, void or cancellation of a payment, and return whether that is new; raises Refused."""
    if payment is None or payment.user is not user:
        raise Refused(404, "not_found")
    key, asked = checked_key(key), [payment.id, action, body]
    if books.earlier(user, asked, key):
        return payment, False
    if payment.ending:
        raise Refused(409, "ending_ordered")
    wanted = "INITIATED" if action == "cancel" else "AUTHORIZED"
    if payment.state != wanted or (payment.is_wire and action != "cancel"):
        raise Refused(409, "illegal_transition")
    amount = amount_of({**body, "currency": payment.currency}) if "amount" in body else payment.amount
    payment.ending = action, amount
    payment.steps.append(Step(now(), action, "maker", user.id, outcome="done"))
    books.by_key[user.id, key] = asked, payment
    return payment, True


def flaw_of_amount(text: Any, currency: str) -> str | None:
    """The code of what is wrong with an amount."""
    if not isinstance(text, str):
        return "amount_must_be_string"
    if not AMOUNT.fullmatch(text):
        return "amount_invalid"
    if currency not in CURRENCIES:
        return "currency_unknown"
    if len(text.partition(".")[2]) > CURRENCIES[currency][0]:
        return "amount_precision"
    return None if Decimal(text) else "amount_not_positive"


def amount_of(body: Body, currency: str | None = None) -> Decimal:
    """The amount of the body; raises Refused."""
    code = flaw_of_amount(body["amount"], currency or body["currency"])
    if code:
        raise Refused(422, code, "/currency" if code == "currency_unknown" else "/amount")
    return Decimal(body["amount"])


def refuse_no_token(text: str, pointer: str) -> None:
    """Refuse what is no token of a wallet."""
    if not WALLET.fullmatch(text):
        raise Refused(422, "invalid_value", pointer)


def wallet_of(books: Books, body: Body, member: str, owner: User | None = None) -> FakeWallet:
    """The wallet that a member names, which is the owner's if there is one; raises Refused."""
    refuse_no_token(body[member], f"/{member}")
    wallet = books.wallets.get(body[member])
    if wallet is None or owner not in (None, wallet.owner):
        raise Refused(404, "not_found", f"/{member}")
    return wallet


def oldest_wallet(books: Books, user: User, currency: str) -> FakeWallet:
    """The user's oldest active wallet in the currency; raises Refused."""
    for wallet in books.wallets.values():
        if wallet.owner is user and wallet.is_active and wallet.currency == currency:
            return wallet
    raise Refused(422, "target_missing", "/target")


def _deposit(books: Books, user: User, body: Body) -> FakePayment:
    amount = amount_of(body)
    wallet = wallet_of(books, body, "wallet", None if user.role == "ops" else user)
    return FakePayment("deposit", user, body["source"], wallet, amount, body["currency"], body)


def _withdrawal(books: Books, user: User, body: Body) -> FakePayment:
    target, payee = body.get("target", "wire"), None
    if target == "wire":
        if missing := [(f"/{name}", "required") for name in ("iban", "name") if name not in body]:
            raise invalid(missing)
        payee = Payee(body["name"], checked_iban(body["iban"], "/iban"))
        refuse_mismatch(payee.iban, body.get("bic"), "/bic")
    elif wrong := [(f"/{name}", "invalid_value") for name in ("iban", "bic", "name") if name in body]:
        raise invalid(wrong)
    amount, wallet = amount_of(body), wallet_of(books, body, "wallet", user)
    return FakePayment("withdrawal", user, wallet, target, amount, body["currency"], body, payee=payee)


def _transfer(books: Books, user: User, body: Body) -> FakePayment:
    if body["source"] == body["target"]:
        raise Refused(422, "same_source_and_target", "/target")
    amount, quote, offer = amount_of(body), None, None
    if "quote" in body:
        quote, offer = _quoted(books, user, body)
        if (amount, body["currency"]) != (offer.source_amount, offer.rate.source):
            raise Refused(422, "quote_mismatch", "/quote")
        _refuse_spent(quote)
    source, target = wallet_of(books, body, "source", user), wallet_of(books, body, "target")
    return FakePayment("transfer", user, source, target, amount, body["currency"], body, quote=quote, offer=offer)


def _exchange(books: Books, user: User, body: Body) -> FakePayment:
    quote, offer = _quoted(books, user, body)
    _refuse_spent(quote)
    source, target = wallet_of(books, body, "source", user), wallet_of(books, body, "target", user)
    if source is target:
        raise Refused(422, "same_source_and_target", "/target")
    amount, currency = offer.source_amount, offer.rate.source
    return FakePayment("exchange", user, source, target, amount, currency, body, quote=quote, offer=offer)


def _quoted(books: Books, user: User, body: Body) -> tuple[Quote, Offer]:
    """The user's quote, and what it offers for that target; raises Refused."""
    quote, target = books.quotes.get(body["quote"]), books.wallets.get(body["target"])
    if quote is None or quote.user is not user:
        raise Refused(404, "not_found", "/quote")
    offer = quote.exchange if target and target.owner is user else quote.transfer
    if offer is None:
        raise Refused(422, "quote_mismatch", "/quote")
    return quote, offer


def _refuse_spent(quote: Quote) -> None:
    if quote.payment or quote.is_expired:
        raise Refused(409, "quote_used" if quote.payment else "quote_expired")


def _charge(books: Books, user: User, body: Body) -> FakePayment:
    amount, currency = amount_of(body), body["currency"]
    source = wallet_of(books, body, "wallet")
    if source.owner is user:
        raise Refused(422, "own_wallet", "/wallet")
    target = wallet_of(books, body, "target", user) if "target" in body else oldest_wallet(books, user, currency)
    return FakePayment("charge", user, source, target, amount, currency, body)


def _refund(books: Books, user: User, body: Body) -> FakePayment:
    if body["reason"] not in REASONS:
        raise Refused(422, "invalid_value", "/reason")
    charge = books.payments.get(body["charge"])
    if charge is None or charge.user is not user or charge.type != "charge":
        raise Refused(404, "not_found", "/charge")
    rest = charge.moved - charge.refunded or charge.moved
    amount = amount_of(body, charge.currency) if "amount" in body else rest
    payer, payee = charge.wallets
    return FakePayment("refund", user, payee, payer, amount, charge.currency, body, parent=charge)


READERS = {
    "deposits": _deposit,
    "withdrawals": _withdrawal,
    "transfers": _transfer,
    "exchanges": _exchange,
    "charges": _charge,
    "refunds": _refund,
}
"""By the path of the order."""
