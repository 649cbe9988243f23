"""Orders of the Python client through a proxy that loses every tenth answer after the server accepted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import anyio
import pytest
from payments_client import AsyncClient, AsyncPayment, Client, NoAnswer, SyncPayment

from tests.e2e.state_machine.audit import wait_until_decided
from tests.e2e.state_machine.users import StackUsers
from tests.lossy_http_proxy import LossyProxy

CHARGES = 500
"""By each of the two clients."""

THREADS = 8
ONE_IN = 10
DECIDED_SECONDS = 120

Order = dict[str, Any]

pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(users: StackUsers) -> Iterator[LossyProxy]:
    proxy = LossyProxy(users.stack.bind, ONE_IN)
    yield proxy
    proxy.close()


def charge(client: Client, order: Order, key: str | None = None) -> SyncPayment:
    """A charge; called again with the key if all attempts were lost."""
    try:
        return client.charges.create(**order, idempotency_key=key)
    except NoAnswer as lost:
        return charge(client, order, lost.idempotency_key)


async def charge_async(client: AsyncClient, order: Order, key: str | None = None) -> AsyncPayment:
    try:
        return await client.charges.create(**order, idempotency_key=key)
    except NoAnswer as lost:
        return await charge_async(client, order, lost.idempotency_key)


async def charge_all(url: str, token: str, order: Order) -> list[str]:
    made: list[str] = []
    remaining = iter(range(CHARGES))

    async def some() -> None:
        for _ in remaining:
            made.append((await charge_async(client, order)).id)

    async with AsyncClient(url, token) as client, anyio.create_task_group() as group:
        for _ in range(THREADS):
            group.start_soon(some)
    return made


def test_a_thousand_charges_are_made_once_though_answers_are_lost(users: StackUsers, proxy: LossyProxy) -> None:
    run, before = {"run": str(uuid4())}, Decimal(users.balance(users.merchant))
    order = {"wallet": users.clients[0].wallet, "amount": "0.01", "currency": "EUR", "metadata": run}
    with Client(proxy.url, users.merchant.token) as client:
        with ThreadPoolExecutor(THREADS) as pool:
            made = [done.id for done in pool.map(lambda _: charge(client, order), range(CHARGES))]
        made += anyio.run(charge_all, proxy.url, users.merchant.token, order)
        assert proxy.lost >= 2 * CHARGES // ONE_IN
        wait_until_decided(users.stack, DECIDED_SECONDS)
        listed = [charge.id for charge in client.payments.list(metadata=run, limit=100)]
        assert len(made) == len(listed) == 2 * CHARGES
        assert set(listed) == set(made)
        assert Decimal(users.balance(users.merchant)) - before == Decimal("0.01") * 2 * CHARGES
