"""The world that is measured: clients with 10,000 wallets in one currency, funded through the product itself.

Everything is written with the gateway's role, as the gateway would write it, and posted by the product's own
posting; so every balance stands on operations and every invariant can be checked afterwards.
"""

import hashlib
import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from uuid_utils.compat import uuid7

from bench import load
from models import payment, pg_arrays, token, user
from models.payment import NewPayment
from models.session import transaction
from models.user import Role

CURRENCY = "EUR"
ACCOUNTS = 10_000

DEPOSIT_MINOR = 100_000_00
"""Initial balance of each wallet: no measured transfer fails for lack of money."""

TRANSFER_MINOR = 1_00

BATCH = 5_000
"""Rows per statement when seeding: well below the gateway's statement_timeout."""

FINGERPRINT = hashlib.sha256(b"bench").digest()


@dataclass(frozen=True)
class User:
    """A user with a bearer token."""

    id: str
    token: str


@dataclass(frozen=True)
class Account:
    """A wallet and its owner."""

    id: str
    token: str
    owner: User


@dataclass(frozen=True)
class World:
    """The accounts to transfer among, and one more that is to be hot."""

    accounts: list[Account]
    hot: Account
    ops: User
    wire: str

    def deposits(self) -> list[NewPayment]:
        """The deposits that fund all accounts; the hot one gets as much as all others together."""
        fortune = DEPOSIT_MINOR * len(self.accounts)
        orders = [new_payment(self.ops, "deposit", self.wire, account.id, DEPOSIT_MINOR) for account in self.accounts]
        return [*orders, new_payment(self.ops, "deposit", self.wire, self.hot.id, fortune)]

    def spread(self, count: int, chance: random.Random) -> list[NewPayment]:
        """Transfers between random accounts."""
        return [transfer(*chance.sample(self.accounts, 2)) for _ in range(count)]

    def into_hot(self, count: int, chance: random.Random) -> list[NewPayment]:
        """Transfers from random accounts to the hot one."""
        return [transfer(account, self.hot) for account in chance.choices(self.accounts, k=count)]

    def out_of_hot(self, count: int, chance: random.Random) -> list[NewPayment]:
        """Transfers from the hot account to random ones."""
        return [transfer(self.hot, account) for account in chance.choices(self.accounts, k=count)]

    def posts(self, count: int, chance: random.Random, *headers: str) -> tuple[list[bytes], list[str]]:
        """Requests that submit transfers between random accounts, and beside each the token that sends it."""
        requests, tokens = [], []
        for _ in range(count):
            source, target = chance.sample(self.accounts, 2)
            order = {"source": source.token, "target": target.token, "amount": "1.00", "currency": CURRENCY}
            requests.append(load.post("/v1/transfers", source.owner.token, json.dumps(order).encode(), *headers))
            tokens.append(source.owner.token)
        return requests, tokens


def new_payment(user: User, kind: str, source: str, target: str, amount: int) -> NewPayment:
    """A payment of the given type, with a key of its own."""
    id = str(uuid7())
    return NewPayment(id, kind, user.id, source, target, amount, CURRENCY, f"bench-{id}", FINGERPRINT)


def transfer(source: Account, target: Account) -> NewPayment:
    """A transfer of 1.00 that the source's owner orders."""
    return new_payment(source.owner, "transfer", source.id, target.id, TRANSFER_MINOR)


def newcomer(connection: Connection, name: str, role: Role) -> User:
    """Create a user with a token."""
    person = User(str(uuid7()), token.new())
    user.create(connection, person.id, f"{name}@bench.example", role, name)
    token.keep(connection, str(uuid7()), person.id, person.token)
    return person


def make(gateway: Engine, clients: Sequence[User], ops: User, accounts: int = ACCOUNTS) -> World:
    """Open the wallets, dealt out to the clients in turn; they hold nothing yet."""
    opened = [
        Account(str(uuid7()), f"wal_{secrets.token_urlsafe(24)}", clients[n % len(clients)])
        for n in range(accounts + 1)
    ]
    with transaction(gateway) as connection:
        for some in batches(opened):
            connection.execute(
                OPEN_ACCOUNTS,
                {
                    "ids": pg_arrays.plain(account.id for account in some),
                    "tokens": pg_arrays.plain(account.token for account in some),
                    "owners": pg_arrays.plain(account.owner.id for account in some),
                    "currency": CURRENCY,
                },
            )
        wire = connection.scalar(WIRE_ACCOUNT, {"currency": CURRENCY})
    *others, hot = opened
    return World(others, hot, ops, wire)


def submit(gateway: Engine, payments: Sequence[NewPayment]) -> None:
    """Accept the payments as the gateway does, many per statement, without a bell."""
    for some in batches(payments):
        with transaction(gateway) as connection:
            payment.accept(connection, some)


def batches(rows: Sequence) -> list[Sequence]:
    """The rows in runs of BATCH."""
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


OPEN_ACCOUNTS = text("""
    INSERT INTO accounts (id, token, owner_id, currency)
    SELECT id, token, owner_id, :currency
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS text[]), CAST(:owners AS uuid[]))
         AS account (id, token, owner_id)
""")
WIRE_ACCOUNT = text("SELECT id::text FROM accounts WHERE code = 'wire' AND currency = :currency")
