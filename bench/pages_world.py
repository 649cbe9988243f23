"""A database full of payments, with one of everything that a page shows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text

import settings
from bench import history, world
from bench.measure import Bench
from bench.pages import CUSTOMER, OPS, SHOP
from bench.stack import Stack
from bench.world import Account, User, World
from embedded.business import Business
from models.session import transaction
from models.user import Role

LONG_SPAN, SHORT_SPAN = timedelta(days=150), timedelta(hours=14)
"""Half of the payments are between many wallets, over months; the other half between a customer and a shop, today."""

WALLETS = 10
"""Of each client."""


class Visited(NamedTuple):
    """What the pages are asked for with: values by visitor and name, and the token of each visitor."""

    values: Mapping[str, Mapping[str, str]]
    tokens: Mapping[str, str]


def fill(running: Stack, bench: Bench, accounts: int, payments: int) -> Visited:
    """Write so many payments, and let a small business trade beside them."""
    business = Business(running)
    shop, customer = business.shops[0], business.customers[0]
    many, two = _many(running, accounts), _two(running, shop, customer)
    deposits = [
        world.new_payment(many.ops, "deposit", many.wire, wallet.id, world.DEPOSIT_MINOR)
        for wallet in (*many.accounts, *two.accounts)
    ]
    world.submit(running.engine(settings.GATEWAY_ROLE), deposits)
    bench.wait_until_posted()
    owner = running.engine()
    history.write(owner, many, payments // 2, LONG_SPAN, with_failures=True)
    history.write(owner, two, payments // 2, SHORT_SPAN, with_failures=True)
    business.trade()
    client = many.accounts[0]
    with owner.connect() as connection:
        old = connection.scalar(OLDEST, {"user": client.owner.id})
    long_ago = f"{datetime.now(UTC) - LONG_SPAN / 2:%Y-%m-%dT%H:%M:%SZ}"
    common = {
        **business.ids,
        "old": old,
        "long_ago": long_ago,
        "month": f"{datetime.now(UTC) - SHORT_SPAN / 2:%Y-%m}",
        "shop_id": shop["id"],
        "shop_wallet": shop["wallet"],
        "customer_id": client.owner.id,
        "account": client.id,
    }
    return Visited(
        {
            OPS: common,
            SHOP: {**common, "own": business.ids["refunded"], "wallet": shop["wallet"]},
            CUSTOMER: {
                **common,
                "own": old,
                "wallet": client.token,
                "quote": business.quote({"token": client.owner.token}),
            },
        },
        {OPS: business.ops[0]["token"], SHOP: shop["token"], CUSTOMER: client.owner.token},
    )


def _many(running: Stack, accounts: int) -> World:
    """Clients with a few wallets each."""
    with transaction(running.engine(settings.WORKER_ROLE)) as connection:
        ops = world.newcomer(connection, "pages", Role.OPS)
        clients = [world.newcomer(connection, f"reader{n}", Role.CLIENT) for n in range(max(2, accounts // WALLETS))]
    return world.make(running.engine(settings.GATEWAY_ROLE), clients, ops, accounts)


def _two(running: Stack, shop: Mapping[str, str], customer: Mapping[str, str]) -> World:
    """A shop and a customer with one wallet each, which have all payments between them."""
    with running.engine().connect() as connection:
        accounts = [
            Account(
                connection.scalar(ACCOUNT, {"token": person["wallet"]}),
                person["wallet"],
                User(person["id"], person["token"]),
            )
            for person in (customer, shop)
        ]
        return World(
            accounts,
            accounts[0],
            accounts[0].owner,
            connection.scalar(world.WIRE_ACCOUNT, {"currency": world.CURRENCY}),
        )


ACCOUNT = text("SELECT id::text FROM accounts WHERE token = :token")
OLDEST = text("SELECT id::text FROM payments WHERE user_id = :user AND state = 'COMPLETED' ORDER BY id LIMIT 1")
