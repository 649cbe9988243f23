"""How the fake reads an order: what it refuses, and the payment that it makes of the rest."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from payments_client.testing.books import DIGITS, FakePayment, FakeWallet, User
from payments_client.testing.problems import Refused

if TYPE_CHECKING:
    from payments_client.testing.fake import FakePayments

POINTERS = {
    "deposits": ("/wallet",),
    "transfers": ("/source", "/target"),
    "charges": ("/wallet", "/target"),
    "refunds": ("/charge",),
}
"""Where orders name the wallets that must be active; that which a refund goes to need not be."""

ENDINGS = ("capture", "void", "cancel")
AMOUNT = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
WALLET = re.compile(r"wal_[A-Za-z0-9_-]{22,64}")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
KEY = re.compile(r"[!-~]{1,255}")
Body = dict[str, Any]


def created(fake: FakePayments, user: User, path: str, body: Body, key: str | None) -> tuple[FakePayment, bool]:
    """The payment of an order, and whether it is new; raises Refused."""
    if path in ("charges", "refunds") and user.role != "merchant":
        raise Refused(403, "scope_missing")
    if earlier := _earlier(fake, user, [path, body], key):
        return earlier, False
    payment = READERS[path](fake, user, body)
    if any(wallet.currency != payment.currency for wallet in payment.wallets):
        raise Refused(422, "currency_mismatch", "/currency")
    for pointer, wallet in zip(POINTERS[path], payment.wallets, strict=False):
        if not wallet.is_active:
            raise Refused(422, "account_inactive", pointer)
    reference = body.get("reference")
    for other in fake.payments.values():
        if reference and other.user is user and other.given.get("reference") == reference and other.state != "FAILED":
            raise Refused(409, "duplicate_reference", payment=other.id)
    fake.by_key[user.token, key or ""] = [path, body], payment
    return payment, True


def ended(
    fake: FakePayments, user: User, payment: FakePayment | None, action: str, body: Body, key: str | None
) -> bool:
    """Order the capture, void or cancellation of a payment, and return whether that is new; raises Refused."""
    if action != "cancel" and user.role != "merchant":
        raise Refused(403, "scope_missing")
    if payment is None or payment.user is not user:
        raise Refused(404, "not_found")
    if _earlier(fake, user, [payment.id, action, body], key):
        return False
    if payment.ending:
        raise Refused(409, "ending_ordered")
    if payment.state != ("INITIATED" if action == "cancel" else "AUTHORIZED"):
        raise Refused(409, "illegal_transition")
    amount = _amount({**body, "currency": payment.currency}) if "amount" in body else payment.amount
    payment.ending = action, amount
    fake.by_key[user.token, key or ""] = [payment.id, action, body], payment
    return True


def _earlier(fake: FakePayments, user: User, asked: Any, key: str | None) -> FakePayment | None:
    """The payment of an earlier request with the same key."""
    if key is None:
        raise Refused(400, "idempotency_key_missing")
    if not KEY.fullmatch(key):
        raise Refused(400, "idempotency_key_invalid")
    known, payment = fake.by_key.get((user.token, key), (asked, None))
    if known != asked:
        raise Refused(422, "idempotency_key_reused")
    return payment


def _amount(body: Body) -> Decimal:
    text = body["amount"]
    if not isinstance(text, str):
        raise Refused(422, "amount_must_be_string", "/amount")
    if not AMOUNT.fullmatch(text):
        raise Refused(422, "amount_invalid", "/amount")
    if body["currency"] not in DIGITS:
        raise Refused(422, "currency_unknown", "/currency")
    if len(text.partition(".")[2]) > DIGITS[body["currency"]]:
        raise Refused(422, "amount_precision", "/amount")
    if not Decimal(text):
        raise Refused(422, "amount_not_positive", "/amount")
    return Decimal(text)


def _wallet(fake: FakePayments, body: Body, member: str, owner: User | None = None) -> FakeWallet:
    """The wallet that a member names, which is the owner's if there is one."""
    if not WALLET.fullmatch(body[member]):
        raise Refused(422, "invalid_value", f"/{member}")
    wallet = fake.wallets.get(body[member])
    if wallet is None or owner not in (None, wallet.owner):
        raise Refused(404, "not_found", f"/{member}")
    return wallet


def _deposit(fake: FakePayments, user: User, body: Body) -> FakePayment:
    amount, wallet = _amount(body), _wallet(fake, body, "wallet", user)
    return FakePayment("deposit", user, body["source"], wallet, amount, body["currency"], body)


def _transfer(fake: FakePayments, user: User, body: Body) -> FakePayment:
    amount = _amount(body)
    source, target = _wallet(fake, body, "source", user), _wallet(fake, body, "target")
    if source is target:
        raise Refused(422, "same_source_and_target", "/target")
    return FakePayment("transfer", user, source, target, amount, body["currency"], body)


def _charge(fake: FakePayments, user: User, body: Body) -> FakePayment:
    amount = _amount(body)
    own = [w for w in fake.wallets.values() if w.owner is user and w.is_active and w.currency == body["currency"]]
    source = _wallet(fake, body, "wallet")
    if "target" not in body and not own:
        raise Refused(422, "target_missing", "/target")
    target = _wallet(fake, body, "target", user) if "target" in body else own[0]
    return FakePayment("charge", user, source, target, amount, body["currency"], body)


def _refund(fake: FakePayments, user: User, body: Body) -> FakePayment:
    if body["reason"] not in REASONS:
        raise Refused(422, "invalid_value", "/reason")
    charge = fake.payments.get(body["charge"])
    if charge is None or charge.user is not user or charge.type != "charge":
        raise Refused(404, "not_found", "/charge")
    rest = charge.moved - charge.refunded or charge.moved
    amount = _amount({**body, "currency": charge.currency}) if "amount" in body else rest
    payer, payee = charge.wallets
    return FakePayment("refund", user, payee, payer, amount, charge.currency, body, charge)


READERS = {"deposits": _deposit, "transfers": _transfer, "charges": _charge, "refunds": _refund}
