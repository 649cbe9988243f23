"""The JSON of wallets."""

from typing import Any

from models.account import Wallet
from models.representations import limit_body
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
