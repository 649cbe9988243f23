"""Users, wallets and payments in a migrated database, each made by the role that makes it in life."""

import secrets
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from uuid_utils import compat as uuids

from models import account, payment, quote, user
from models.payment import NewPayment
from models.quote import Quote
from models.rules.exchange import RATE_ONE, Offer, rate_text
from models.session import transaction
from models.user import Role
from tests.support import Database, engine_of
from workers.posting.poster import Poster


def new_id() -> str:
    """A new UUIDv7."""
    return str(uuids.uuid7())


class Builder(NamedTuple):
    """A database as its three roles see it; deposits are open to everybody."""

    owner: Engine
    worker: Engine
    gateway: Engine

    @classmethod
    def of(cls, database: Database) -> "Builder":
        """The world in a migrated database."""
        return cls(*map(engine_of, (database.owner, database.worker, database.gateway)))

    def user(self, role: Role = Role.CLIENT, name: str = "Ann") -> str:
        """A new user's id."""
        id = new_id()
        with transaction(self.worker) as connection:
            assert user.create(connection, id, f"{id}@example.com", role, name)
        return id

    def wallet(self, owner_id: str, currency: str = "EUR", funds: int = 0) -> str:
        """The id of a new wallet, with a deposit of `funds` minor units posted to it."""
        id = new_id()
        with transaction(self.gateway) as connection:
            account.open_wallet(connection, id, f"wal_{secrets.token_urlsafe(24)}", owner_id, currency, None)
        if funds:
            self.accept(self.deposit(owner_id, id, funds, currency))
            self.post()
        return id

    def technical(self, code: str, currency: str = "EUR") -> str:
        """The id of a technical account."""
        with transaction(self.owner) as connection:
            return account.technical_parties(connection)[code, currency].id

    def deposit(self, user_id: str, target_id: str, amount: int, currency: str = "EUR") -> NewPayment:
        """A wish to pay into the wallet by wire."""
        return self.wish("deposit", user_id, self.technical("wire", currency), target_id, amount, currency)

    def wish(
        self,
        type: str,
        user_id: str,
        source_id: str,
        target_id: str,
        amount: int,
        currency: str = "EUR",
        **rest: Any,
    ) -> NewPayment:
        """A wish under a key of its own, unless one is given."""
        given = {"key": secrets.token_hex(8), "fingerprint": bytes(32), **rest}
        return NewPayment(new_id(), type, user_id, source_id, target_id, amount, currency, **given)

    def accept(self, *wishes: NewPayment) -> list[str]:
        """Keep the wishes as the gateway does; the ids of those that were new."""
        with transaction(self.gateway) as connection:
            return list(payment.accept(connection, wishes))

    def transfer(self, user_id: str, source_id: str, target_id: str, amount: int) -> str:
        """The id of an accepted transfer, not yet posted."""
        [id] = self.accept(self.wish("transfer", user_id, source_id, target_id, amount))
        return id

    def exchange(self, user_id: str, source_id: str, target_id: str, amount: int, arriving: int) -> str:
        """The id of an accepted exchange from EUR to USD, by a quote of its own, not yet posted."""
        quote_id, rate = new_id(), arriving * RATE_ONE // amount
        by = {"quote_id": quote_id, "target_amount": arriving, "target_currency": "USD", "rate": rate_text(rate)}
        with transaction(self.gateway) as connection:
            offer, until = Offer(amount, arriving, 0), quote.expiry_time(connection, 60)
            quote.keep(connection, Quote(quote_id, user_id, "EUR", "USD", rate, offer, None, until))
            [id] = payment.accept(connection, [self.wish("exchange", user_id, source_id, target_id, amount, **by)])
            assert quote.use(connection, quote_id, id)
        return id

    def refunded_charge(self, source_id: str, captured: int, refunded: int) -> str:
        """The id of a COMPLETED charge of a new merchant's, of which a part was given back."""
        shop = self.user(Role.MERCHANT)
        wallet = self.wallet(shop, funds=captured)
        [charge] = self.accept(self.wish("charge", shop, source_id, wallet, captured))
        self.post()
        [refund] = self.accept(self.wish("refund", shop, wallet, source_id, refunded, parent_id=charge))
        self.post()
        assert (self.state(charge), self.state(refund)) == ("COMPLETED", "COMPLETED")
        return charge

    def post(self) -> int:
        """Post all that is due, as the worker does; how many payments became final."""
        posted, _ = Poster(self.worker, deposits_open=True, linger_seconds=0).drain()
        return posted

    def state(self, payment_id: str) -> str:
        """The payment's state."""
        with transaction(self.worker) as connection:
            return payment.states(connection, [payment_id])[payment_id]

    def balance(self, account_id: str) -> int:
        """The account's balance in minor units."""
        with transaction(self.worker) as connection:
            return int(scalar(connection, "SELECT balance FROM accounts WHERE id = %s", account_id))

    def park(self, payment_id: str) -> None:
        """Set a due payment aside for a person."""
        with transaction(self.worker) as connection:
            attempts = payment.attempts(connection, payment_id) + 1
            assert payment.postpone(connection, payment_id, attempts, "no luck", 0.0, park=True)


def scalar(connection: Connection, statement: str, *parameters: object) -> object:
    """The one value that the statement answers with."""
    return connection.exec_driver_sql(statement, parameters).scalar_one()
