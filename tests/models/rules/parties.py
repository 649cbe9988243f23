"""Accounts, initiators and payments for the examples of posting, and what a decision changed."""

from models.rules.types import ClaimedPayment, Decision, Initiator, LockedAccount

ANN = Initiator("ann", "client", is_active=True, may_deposit=False)
SHOP = Initiator("shop", "merchant", is_active=True, may_deposit=False)
OPS = Initiator("ops", "ops", is_active=True, may_deposit=True)
WALLET = LockedAccount("ann-eur", "ann", None, "EUR", 1000, 0, 0, None, True, False, 1)
OTHER = WALLET._replace(id="ann-eur-2", balance=0, last_seq=0)
BOBS = WALLET._replace(id="bob-eur", owner_id="bob", balance=500)
SHOPS = WALLET._replace(id="shop-eur", owner_id="shop", balance=0, last_seq=0)
E_WALLET = LockedAccount("e-eur", None, "wallet", "EUR", 0, 0, None, None, True, False, 0)
WIRE = LockedAccount("wire-eur", None, "wire", "EUR", 0, 0, None, None, True, False, 0)
DEPOSIT = ClaimedPayment("p", "deposit", "INITIATED", "ann", "wire-eur", "ann-eur", 100, "EUR")
TRANSFER = ClaimedPayment("p", "transfer", "INITIATED", "ann", "ann-eur", "bob-eur", 100, "EUR")
INTERNAL = WIRE._replace(id="internal-eur", code="internal")
BONUS = ClaimedPayment("p", "bonus", "INITIATED", "ann", "internal-eur", "ann-eur", 100, "EUR")
CHARGE = ClaimedPayment("p", "charge", "INITIATED", "shop", "ann-eur", "shop-eur", 100, "EUR")
WITHDRAWAL = ClaimedPayment("p", "withdrawal", "INITIATED", "ann", "ann-eur", "e-eur", 100, "EUR")


def books(decision: Decision) -> dict[str, tuple[int, int]]:
    """Balance and hold of the accounts that changed."""
    return {account.id: (account.balance, account.held) for account in decision.accounts}
