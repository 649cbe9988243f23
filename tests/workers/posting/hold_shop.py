"""A merchant whose charges are held."""

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


class Shop:
    """A merchant with a wallet, and a customer whose 100.00 are held in part."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.merchant = books.user("merchant")
        self.till = books.wallet(self.merchant)
        _, self.purse = books.client(FUNDS)
        self.actor = Actor(self.merchant, str(uuid7()), "192.0.2.7", str(uuid4()))

    def charge(self, amount: int = AMOUNT) -> str:
        """The id of a charge that will be held, not yet posted."""
        return self.books.order("charge", self.merchant, self.purse, self.till, amount, capture=False)

    def hold(self, amount: int = AMOUNT) -> str:
        """The id of a charge that is held."""
        id = self.charge(amount)
        self.books.poster().drain()
        assert self.books.kept(id).state == "AUTHORIZED"
        return id

    def end(self, id: str, kind: PaymentAction, amount: int | None = None) -> bool:
        """Whether this was the first command to end it; an expiry needs none."""
        if kind is PaymentAction.EXPIRE:
            with self.books.as_owner() as connection:
                return connection.exec_driver_sql(EXPIRE, (id,)).rowcount == 1
        with transaction(self.books.gateway) as connection:
            return payment_command.order_action(connection, str(uuid7()), kind, id, amount, self.actor)

    def outcomes(self, id: str) -> list[tuple[str, str | None]]:
        """The commands about a payment, oldest first."""
        with transaction(self.books.worker) as connection:
            return [(str(one["kind"]), one["outcome"]) for one in payment_command.about(connection, id)]

    @property
    def money(self) -> tuple[int, int, int]:
        """The purse's balance, what is held of it, and the till's balance."""
        return self.books.balance(self.purse), self.books.held(self.purse), self.books.balance(self.till)
