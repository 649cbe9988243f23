"""Users, wallets, payments and webhook endpoints in a migrated database."""

import secrets
from collections.abc import Sequence
from typing import Any

from psycopg2 import extensions
from sqlalchemy import Connection, Engine, event
from uuid_utils import compat as uuids

from models import account, payment, payout, quote, token, user, webhook_endpoint
from models.payment import NewPayment
from models.payout import Counterparty
from models.quote import Quote
from models.rules.exchange import RATE_ONE, Offer, rate_text
from models.session import transaction
from models.user import Role
from tests.support import Database, engine_of
from workers.posting.poster import Poster

DRAIN_SECONDS_MAX = 600.0
"""More than any test's payments take, however busy the machine is."""

COUNTERPARTY = Counterparty("DE89370400440532013000", "Ann Example", "COBADEFFXXX", "Rent")


def new_id() -> str:
    """A new UUIDv7."""
    return str(uuids.uuid7())


class Builder:
    """Makes users, wallets and payments in a migrated database, each row in the role that writes it.

    Amounts are in minor units; deposits are open to all users. The worker's transactions may stand still for longer
    than a worker's own: the machine may be busy.
    """

    def __init__(self, owner: Engine, worker: Engine, gateway: Engine) -> None:
        self.owner, self.worker, self.gateway = owner, worker, gateway
        event.listen(worker, "connect", _be_patient)

    @classmethod
    def of(cls, database: Database) -> "Builder":
        """The builder of a migrated database."""
        return cls(*map(engine_of, (database.owner, database.worker, database.gateway)))

    def user(self, role: str = Role.CLIENT, name: str = "Ann") -> str:
        """A new user's id."""
        id = new_id()
        with transaction(self.worker) as connection:
            assert user.create(connection, id, f"{id}@example.com", Role(role), name)
        return id

    def token(self, user_id: str, scopes: list[str] | None = None) -> str:
        """A new access token of the user's."""
        access_token = token.new()
        with transaction(self.worker) as connection:
            token.keep(connection, new_id(), user_id, access_token, scopes)
        return access_token

    def wallet(self, owner_id: str, funds: int = 0, currency: str = "EUR") -> str:
        """The id of a new wallet, with a deposit of `funds` posted to it."""
        id = new_id()
        with transaction(self.gateway) as connection:
            account.open_wallet(connection, id, account.new_wallet_token(), owner_id, currency, None)
        if funds:
            [deposit] = self.accept(self.deposit(owner_id, id, funds, currency))
            self.post_payments()
            assert self.state(deposit) == "COMPLETED"
        return id

    def client(self, funds: int = 0) -> tuple[str, str]:
        """A new client and their wallet: (user id, account id)."""
        id = self.user()
        return id, self.wallet(id, funds)

    def endpoint(
        self,
        user_id: str,
        url: str = "https://shop.example/",
        types: Sequence[str] = ("*",),
        payment_types: list[str] | None = None,
    ) -> tuple[str, str]:
        """A new webhook endpoint: its id and secret."""
        id, secret = new_id(), webhook_endpoint.new_secret()
        with transaction(self.gateway) as connection:
            assert webhook_endpoint.create(connection, id, user_id, url, list(types), None, payment_types)
            webhook_endpoint.add_secret(connection, new_id(), id, secret)
        return id, secret

    def technical(self, code: str, currency: str = "EUR") -> str:
        """The id of a technical account."""
        with transaction(self.owner) as connection:
            return account.technical_parties(connection)[code, currency].id

    def deposit(self, user_id: str, target_id: str, amount: int, currency: str = "EUR") -> NewPayment:
        """A deposit into the wallet by wire, not yet accepted."""
        return self.new_payment("deposit", user_id, self.technical("wire", currency), target_id, amount, currency)

    def new_payment(
        self,
        type: str,
        user_id: str,
        source_id: str,
        target_id: str,
        amount: int,
        currency: str = "EUR",
        **members: Any,
    ) -> NewPayment:
        """A payment to be accepted; its id, key and fingerprint are new unless they are among the members."""
        members = {"id": new_id(), "key": secrets.token_hex(8), "fingerprint": bytes(32), **members}
        return NewPayment(
            type=type,
            user_id=user_id,
            source_id=source_id,
            target_id=target_id,
            amount=amount,
            currency=currency,
            **members,
        )

    def accept(self, *payments: NewPayment) -> list[str]:
        """Store the payments as the gateway does; the ids of those that were new."""
        with transaction(self.gateway) as connection:
            return list(payment.accept(connection, payments))

    def order(self, *columns: Any, **members: Any) -> str:
        """The id of a payment (see `new_payment`), not yet posted; by wire it goes to `COUNTERPARTY`."""
        new = self.new_payment(*columns, **members)
        with transaction(self.gateway) as connection:
            assert payment.accept(connection, [new]).keys() == {new.id}
            if new.type == "withdrawal" and new.target_id == self.technical("wire", new.currency):
                payout.keep(connection, {new.id: COUNTERPARTY})
        return new.id

    def transfer(self, user_id: str, source_id: str, target_id: str, amount: int) -> str:
        """The id of an accepted transfer, not yet posted."""
        return self.order("transfer", user_id, source_id, target_id, amount)

    def exchange(self, user_id: str, source_id: str, target_id: str, amount: int, arriving: int) -> str:
        """The id of an accepted exchange from EUR to USD, by a quote of its own, not yet posted."""
        quote_id, rate = new_id(), arriving * RATE_ONE // amount
        by = {"quote_id": quote_id, "target_amount": arriving, "target_currency": "USD", "rate": rate_text(rate)}
        with transaction(self.gateway) as connection:
            offer, until = Offer(amount, arriving, 0), quote.expiry_time(connection, 60)
            quote.keep(connection, Quote(quote_id, user_id, "EUR", "USD", rate, offer, None, until))
            [id] = payment.accept(
                connection, [self.new_payment("exchange", user_id, source_id, target_id, amount, **by)]
            )
            assert quote.use(connection, quote_id, id)
        return id

    def refunded_charge(self, source_id: str, captured: int, refunded: int) -> str:
        """The id of a COMPLETED charge of a new merchant's, of which a part was given back."""
        shop = self.user(Role.MERCHANT)
        wallet = self.wallet(shop, captured)
        charge = self.order("charge", shop, source_id, wallet, captured)
        self.post_payments()
        refund = self.order("refund", shop, wallet, source_id, refunded, parent_id=charge)
        self.post_payments()
        assert (self.state(charge), self.state(refund)) == ("COMPLETED", "COMPLETED")
        return charge

    def post_payments(self) -> int:
        """Post all that is due, as the worker does; how many payments became final."""
        posted, may_remain = Poster(self.worker, deposits_open=True, linger_seconds=0).drain(DRAIN_SECONDS_MAX)
        assert not may_remain
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


def _be_patient(connection: Any, _record: object) -> None:
    with connection.cursor(cursor_factory=extensions.cursor) as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{DRAIN_SECONDS_MAX:g}s'")
    connection.commit()


def scalar(connection: Connection, statement: str, *parameters: object) -> object:
    """The one value that the statement answers with."""
    return connection.exec_driver_sql(statement, parameters).scalar_one()
