"""A shop: it charges a wallet, waits, refunds a part, and reads its month; for a type checker in its strictest mode."""

import asyncio
from datetime import datetime
from decimal import Decimal

from payments_client import AsyncClient, Client, PaymentFailed, StillPending, SyncPayment, models


def charge(client: Client, wallet: str, amount: Decimal, order: str) -> SyncPayment | None:
    """The charge for an order, once it is final, or as it is if that takes longer; None if it failed.

    The order's number is the key: a second run for the same order charges nothing again.
    """
    try:
        ordered = client.charges.create(wallet=wallet, amount=amount, currency="EUR", idempotency_key=f"order-{order}")
        return ordered.wait(timeout=30, raise_on_failure=True)
    except StillPending as pending:
        return client.payments.get(pending.payment.id)
    except PaymentFailed:
        return None


def refund(client: Client, charge: SyncPayment, amount: Decimal) -> SyncPayment:
    """Give a part of a charge back."""
    return client.refunds.create(charge=charge.id, amount=amount, reason="requested_by_customer").wait()


def takings(client: Client, since: datetime) -> Decimal:
    """What the charges since then brought."""
    charges = client.payments.list(type="charge", state=["COMPLETED"], created_at={"gte": since})
    amounts: list[Decimal] = [charge.amount for charge in charges if charge.amount is not None]
    return sum(amounts, Decimal(0))


async def balances(wallets: list[str]) -> dict[str, Decimal]:
    """What is in these wallets, asked for at once."""
    async with AsyncClient() as client:
        found: list[models.Wallet] = await asyncio.gather(*(client.wallets.get(wallet) for wallet in wallets))
    return {wallet.token: wallet.available for wallet in found}
