"""The Python client on a running stack: what curl does, it does; and what only it does."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import anyio
import pytest
import simple_websocket
from payments_client import (
    AsyncClient,
    Client,
    InvalidRequest,
    NotFound,
    PaymentFailed,
    PreconditionFailed,
    StillPending,
    Unauthorized,
    models,
)

from tests.e2e.state_machine.users import Person, StackUsers
from tests.support import eventually

ENDS = ("AUTHORIZED", "COMPLETED", "FAILED")
Order = Callable[..., dict[str, Any]]
"""Orders (person, resource, verb, id or None, body) and returns the JSON of the payment once it is decided."""


@pytest.fixture
def shop(users: StackUsers) -> Iterator[Client]:
    with Client(users.stack.url, users.merchant.token) as client:
        yield client


@pytest.fixture
def alice(users: StackUsers) -> Iterator[Client]:
    with Client(users.stack.url, users.clients[0].token) as client:
        yield client


def flow(users: StackUsers, order: Order) -> list[dict[str, Any]]:
    """Each kind of payment, and a refusal."""
    alice, bob, shop = users.clients[0], users.clients[1], users.merchant
    money = {"currency": "EUR"}
    deposit = order(alice, "deposits", "create", None, wallet=alice.wallet, amount="100.00", source="wire", **money)
    charge = order(shop, "charges", "create", None, wallet=alice.wallet, amount="12.50", summary="Beans", **money)
    sent = order(alice, "transfers", "create", None, source=alice.wallet, target=bob.wallet, amount="5.00", **money)
    held = order(shop, "charges", "create", None, wallet=alice.wallet, amount="80.00", capture=False, **money)
    taken = order(shop, "charges", "capture", held["id"], amount="50.00")
    refund = order(shop, "refunds", "create", None, charge=held["id"], amount="20.00", reason="duplicate")
    sent_on = {"source": alice.wallet, "target": bob.wallet, "amount": "9999999.00"}
    too_much = order(alice, "transfers", "create", None, **sent_on, **money)
    return [deposit, charge, sent, held, taken, refund, too_much]


def by_client(users: StackUsers) -> Order:
    def order(person: Person, resource: str, verb: str, id: str | None, **body: Any) -> dict[str, Any]:
        with Client(users.stack.url, person.token) as client:
            method = getattr(getattr(client, resource), verb)
            return method(*[id] if id else [], **body).wait(until=ENDS if verb == "create" else ()).raw

    return order


def by_async_client(users: StackUsers) -> Order:
    async def ordered(person: Person, resource: str, verb: str, id: str | None, body: Any) -> dict[str, Any]:
        async with AsyncClient(users.stack.url, person.token) as client:
            method = getattr(getattr(client, resource), verb)
            payment = await method(*[id] if id else [], **body)
            return (await payment.wait(until=ENDS if verb == "create" else ())).raw

    return lambda person, resource, verb, id, **body: anyio.run(ordered, person, resource, verb, id, body)


def by_curl(users: StackUsers) -> Order:
    def curl(person: Person, path: str, *options: str) -> dict[str, Any]:
        headers = ["-H", f"Authorization: Bearer {person.token}", "-H", "Prefer: wait=30"]
        command = ["curl", "-sS", f"{users.stack.url}{path}", *headers, *options]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    def order(person: Person, resource: str, verb: str, id: str | None, **body: Any) -> dict[str, Any]:
        headers = ["-H", f"Idempotency-Key: {uuid4()}", "-H", "Content-Type: application/json"]
        path = f"/v1/{resource}/{id}/{verb}" if id else f"/v1/{resource}"
        return curl(person, path, *headers, "-d", json.dumps(body))

    return order


def told(payments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The payments without what differs each time: ids, times, and balances, which go on from those before."""
    own = {"id", "parent", "created_at", "finalized_at", "expires_at", "balance_after", "attempts"}
    return [{name: value for name, value in payment.items() if name not in own} for payment in payments]


@pytest.mark.slow
def test_sync_async_and_curl_make_the_same_payments(users: StackUsers) -> None:
    flows = [told(flow(users, way(users))) for way in (by_client, by_async_client, by_curl)]
    assert flows[0] == flows[1] == flows[2]
    states = [(payment["type"], payment["state"]) for payment in flows[0]]
    assert states == [
        *(("deposit", "COMPLETED"), ("charge", "COMPLETED"), ("transfer", "COMPLETED"), ("charge", "AUTHORIZED")),
        *(("charge", "COMPLETED"), ("refund", "COMPLETED"), ("transfer", "FAILED")),
    ]
    assert flows[0][-1]["failure"]["code"] == "insufficient_funds"


def test_a_charge_is_exact_and_knows_its_key(users: StackUsers, shop: Client) -> None:
    order = {"wallet": users.clients[0].wallet, "amount": Decimal("3.10"), "currency": "EUR"}
    charge = shop.charges.create(**order, idempotency_key=f"k-{uuid4()}").wait()
    assert (charge.state, charge.amount, charge.target_amount) == ("COMPLETED", Decimal("3.10"), Decimal("3.10"))
    assert charge.created_at.utcoffset() == timedelta(0)
    again = shop.charges.create(**order, idempotency_key=charge.idempotency_key)
    assert again.id == charge.id
    assert again.origin.is_replayed
    assert shop.payments.get(charge.id) == charge
    with pytest.raises(TypeError):
        shop.charges.create(**order | {"amount": 3.1})
    with pytest.raises(InvalidRequest) as refused:
        shop.charges.create(**order | {"amount": "3.101"})
    assert [(flaw.pointer, flaw.code) for flaw in refused.value.errors] == [("/amount", "amount_precision")]
    assert refused.value.idempotency_key
    assert refused.value.request_id


def test_errors_say_what_is_wrong(users: StackUsers, shop: Client) -> None:
    with pytest.raises(NotFound) as missing:
        shop.payments.get(str(uuid4()))
    assert (missing.value.code, missing.value.retryable) == ("not_found", False)
    with pytest.raises(Unauthorized) as stranger:
        shop.with_options(token="pay_wrong").payments.list().page()
    assert stranger.value.code == "token_invalid"


def test_waits_end_by_outcome_by_stream_and_by_time(users: StackUsers, alice: Client) -> None:
    source, target = users.clients[0].wallet, users.clients[1].wallet
    order = {"source": source, "target": target, "currency": "EUR"}
    assert alice.transfers.create(**order, amount="1.00").wait(by_stream=True).state == "COMPLETED"
    with pytest.raises(PaymentFailed) as failed:
        alice.transfers.create(**order, amount="9999999.00").wait(raise_on_failure=True)
    assert (failed.value.code, failed.value.retryable) == ("insufficient_funds", True)
    later = alice.transfers.create(**order, amount="1.00", scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(StillPending) as pending:
        later.wait(timeout=1)
    assert pending.value.payment.id == later.id
    assert alice.payments.cancel(later.id).wait().failure.code == "canceled"
    names = [event.type for event in alice.payments.stream_events(later.id)]
    assert names == ["payment.initiated", "payment.failed"]


def test_a_socket_is_opened_by_any_library(users: StackUsers, alice: Client) -> None:
    wallet = users.clients[0].wallet
    deposit = alice.deposits.create(wallet=wallet, amount="1.00", currency="EUR", source="wire")
    url, headers = alice.payments.open_socket(deposit.id)
    socket = simple_websocket.Client.connect(url, headers=headers)
    assert json.loads(socket.receive())["data"]["id"] == deposit.id
    with suppress(simple_websocket.ConnectionClosed):  # by the server, once the payment is final
        socket.close()


def test_lists_are_walked_paged_filtered_and_exported(users: StackUsers, alice: Client) -> None:
    wallet = alice.wallets.create(currency="CHF", label="lists")
    for amount in ("20.00", "5.00", "12.50"):
        metadata = {"order": amount}
        alice.deposits.create(
            wallet=wallet.token, amount=amount, currency="CHF", source="wire", metadata=metadata
        ).wait()
    amounts = [payment.amount for payment in alice.payments.list(currency="CHF", limit=2)]
    assert amounts == [Decimal("12.50"), Decimal("5.00"), Decimal("20.00")]
    page = alice.payments.list(currency="CHF", limit=2).page()
    assert ([row.amount for row in page.data], page.has_more) == (amounts[:2], True)
    rest = alice.payments.list(currency="CHF", limit=2, cursor=page.next_cursor).page()
    assert [row.amount for row in rest.data] == amounts[2:]
    large = alice.payments.list(currency="CHF", amount={"gte": Decimal("10")}, state=["COMPLETED", "FAILED"])
    assert [row.metadata for row in large] == [{"order": "12.50"}, {"order": "20.00"}]
    assert [row.amount for row in alice.payments.list(currency="CHF").export()] == amounts
    assert [row.amount for row in alice.wallets.list_operations(wallet.token).export()] == amounts
    month = datetime.now(UTC).strftime("%Y-%m")
    rows = list(alice.wallets.export_statement(wallet.token, month=month))
    assert sorted(Decimal(row["amount"]) for row in rows if row["payment"]) == sorted(amounts)


def test_a_change_needs_the_version_that_is_there(alice: Client) -> None:
    wallet = alice.wallets.create(currency="SEK")
    assert wallet.etag
    changed = alice.wallets.update(wallet.token, label="rent", if_match=wallet.etag)
    assert changed.label == "rent"
    with pytest.raises(PreconditionFailed):
        alice.wallets.update(wallet.token, label="other", if_match=wallet.etag)
    assert alice.wallets.update(wallet.token, label=None, if_match=changed.etag or "").label is None


def test_the_feed_is_followed_from_a_cursor(users: StackUsers, alice: Client) -> None:
    cursor = alice.events.list(after="now").page().next_cursor
    wallet = users.clients[0].wallet
    made = [
        alice.deposits.create(wallet=wallet, amount="1.00", currency="EUR", source="wire").wait().id for _ in range(2)
    ]
    followed = alice.events.follow(cursor, type="payment.completed")
    first = next(followed)
    followed.close()
    assert isinstance(first.data, models.Payment)
    second = next(alice.events.follow(first.cursor, type="payment.completed"))
    assert [first.data.id, second.data.id] == made


def test_bulks_are_uploaded_once_however_often_it_is_tried(users: StackUsers, shop: Client) -> None:
    bulk = shop.bulk_charges.create(currency="EUR", charges=[], is_open=True)
    lines = [{"wallet": users.clients[number % 4].wallet, "amount": "0.01"} for number in range(1003)]
    progress: list[int] = []
    shop.bulk_charges.upload(bulk.id, lines[:500], close=False, progress=progress.append)
    closed = shop.bulk_charges.upload(bulk.id, lines, progress=progress.append)
    assert (progress, closed.counts.lines, closed.is_open) == ([500, 1003], 1003, False)
    eventually(lambda: shop.bulk_charges.get(bulk.id, wait=5).finalized_at)
    final = shop.bulk_charges.get(bulk.id)
    assert (final.state, final.total) == ("COMPLETED", Decimal("10.03"))


def test_the_async_client_follows_waits_and_walks(users: StackUsers) -> None:
    wallet = users.clients[2].wallet

    async def story() -> tuple[list[str], list[str]]:
        async with AsyncClient(users.stack.url, users.clients[2].token) as client:
            cursor = (await client.events.list(after="now").page()).next_cursor
            deposit = await client.deposits.create(wallet=wallet, amount="2.00", currency="EUR", source="wire")
            deposit = await deposit.wait(by_stream=True)
            walked = [row.id async for row in client.payments.list(id=deposit.id)]
            exported = [row.id async for row in client.payments.list(id=deposit.id).export()]
            async for event in client.events.follow(cursor, type="payment.completed", payment_type="deposit"):
                return [deposit.id, event.data.raw["id"]], walked + exported
        raise AssertionError

    first, second = anyio.run(story)
    assert first == second
