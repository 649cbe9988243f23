"""The JSON of wallets: for their owner, and for ops users."""

from typing import Any

from models.account import Wallet
from models.representations import amount_or_none
from models.rules.charge_limits import ChargeLimit
from models.rules.money import render


def wallet_body(wallet: Wallet) -> dict[str, Any]:
    """The wallet as its owner sees it."""
    return {
        "token": wallet.token,
        "label": wallet.label,
        "currency": wallet.currency,
        "balance": render(wallet.balance, wallet.digits),
        "held": render(wallet.held, wallet.digits),
        "available": render(wallet.available, wallet.digits),
        "is_active": wallet.is_active,
        "is_frozen": wallet.is_frozen,
        "charge_limits": [limit_body(limit, wallet.digits) for limit in wallet.charge_limits],
        "blocked_merchants": list(wallet.blocked_merchants),
        "created_at": wallet.created_at.isoformat(),
    }


def limit_body(limit: ChargeLimit, digits: int) -> dict[str, Any]:
    """The limit, with amounts in a currency with this number of digits."""
    return {
        "merchant": limit.merchant_id,
        "per_charge": amount_or_none(limit.per_charge, digits),
        "per_day": amount_or_none(limit.per_day, digits),
    }


def account_body(wallet: Wallet) -> dict[str, Any]:
    """The wallet as ops see it: without its token."""
    body = wallet_body(wallet)
    token = body.pop("token")
    return {
        "id": wallet.id,
        "owner": wallet.owner_id,
        "last4": token[-4:],
        **body,
    }
