"""Charges that are held until their merchant captures or voids them."""

from uuid import uuid4

from uuid_utils.compat import uuid7

from models import payment_command
from models.audit import Actor
from models.rules.types import PaymentAction
from models.session import transaction
from tests.workers.books import Books

FUNDS = 100_00
AMOUNT = 40_00
EXPIRE = "UPDATE payments SET hold_expires_at = now() WHERE id = %s AND state = 'AUTHORIZED'"


class HeldCharges:
    """A merchant, a customer with 100.00, and the merchant's charges that hold a part of it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.merchant = books.user("merchant")
        self.merchant_wallet = books.wallet(self.merchant)
        _, self.customer_wallet = books.client(FUNDS)
        self.actor = Actor(self.merchant, str(uuid7()), "192.0.2.7", str(uuid4()))

    def charge(self, amount: int = AMOUNT) -> str:
        """The id of a charge that will be held, not yet posted."""
        return self.books.order(
            "charge", self.merchant, self.customer_wallet, self.merchant_wallet, amount, capture=False
        )

    def hold(self, amount: int = AMOUNT) -> str:
        """The id of a charge that is held."""
        id = self.charge(amount)
        self.books.poster().drain()
        assert self.books.kept(id).state == "AUTHORIZED"
        return id

    def end(self, id: str, kind: PaymentAction, amount: int | None = None) -> bool:
        """Order the action; False if another came first. An expiry needs no command."""
        if kind is PaymentAction.EXPIRE:
            with self.books.as_owner() as connection:
                return connection.exec_driver_sql(EXPIRE, (id,)).rowcount == 1
        with transaction(self.books.gateway) as connection:
            return payment_command.order_action(connection, str(uuid7()), kind, id, amount, self.actor)

    def outcomes(self, id: str) -> list[tuple[str, str | None]]:
        """The commands about a payment, oldest first."""
        with transaction(self.books.worker) as connection:
            return [(str(command["kind"]), command["outcome"]) for command in payment_command.about(connection, id)]

    @property
    def money(self) -> tuple[int, int, int]:
        """Balance and holds of the customer's wallet, and the balance of the merchant's."""
        return (
            self.books.balance(self.customer_wallet),
            self.books.held(self.customer_wallet),
            self.books.balance(self.merchant_wallet),
        )
