"""The fake as its users meet it: failures on demand, payments that stay pending, async, events and signatures."""

import json
from collections.abc import Iterator
from decimal import Decimal

import anyio
import pytest
from payments_client import Client, PaymentFailed, StillPending, WebhookError, models, webhooks
from payments_client.testing import FAILURES, FakePayments, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
pytest_plugins = ["payments_client.testing.fixtures"]


@pytest.fixture
def merchant(fake_payments: FakePayments) -> str:
    token = fake_payments.user()
    fake_payments.wallet(token)
    return token


@pytest.fixture
def shop(fake_payments: FakePayments, merchant: str) -> Iterator[Client]:
    with fake_payments.client(merchant) as client:
        yield client


@pytest.mark.parametrize("code", FAILURES)
def test_a_wallet_fails_with_any_code(fake_payments: FakePayments, shop: Client, code: str) -> None:
    wallet = fake_payments.wallet(fake_payments.user("client", "Ann"), "50.00", fails_with=code)
    with pytest.raises(PaymentFailed) as failed:
        shop.charges.create(wallet=wallet, amount="1.00", currency="EUR").wait(raise_on_failure=True)
    assert (failed.value.code, failed.value.retryable) == (code, FAILURES[code][1])


def test_a_failure_that_does_not_exist_is_refused(fake_payments: FakePayments, merchant: str) -> None:
    with pytest.raises(ValueError, match="no_money is no failure code"):
        fake_payments.wallet(merchant, fails_with="no_money")


def test_a_payment_stays_pending_until_it_is_posted(fake_payments: FakePayments, shop: Client) -> None:
    wallet = fake_payments.wallet(fake_payments.user("client", "Ann"), "50.00")
    fake_payments.is_posting = False
    charge = shop.charges.create(wallet=wallet, amount="1.00", currency="EUR", wait=5)
    assert charge.state == "INITIATED"
    with pytest.raises(StillPending):
        charge.wait(timeout=0.1)
    fake_payments.post()
    assert charge.wait().state == "COMPLETED"


def test_the_async_client_speaks_to_the_fake(fake_payments: FakePayments, merchant: str) -> None:
    wallet = fake_payments.wallet(fake_payments.user("client", "Ann"), "50.00")

    async def story() -> Decimal | None:
        async with fake_payments.async_client(merchant) as client:
            charge = await client.charges.create(wallet=wallet, amount="2.50", currency="EUR", wait=5)
            assert [row.id async for row in client.payments.list(amount={"gt": "2"})] == [charge.id]
            return charge.balance_after

    assert anyio.run(story) == Decimal("2.45")


def test_what_the_fake_lacks_is_said(shop: Client) -> None:
    with pytest.raises(NotImplementedError, match="no get_closing: GET /v1/closing"):
        shop.closing.get(month="2026-11")


def test_events_of_the_fake_are_signed_as_webhooks(fake_payments: FakePayments, shop: Client) -> None:
    wallet = fake_payments.wallet(fake_payments.user("client", "Ann"), "50.00")
    charge = shop.charges.create(wallet=wallet, amount="1.00", currency="EUR").wait()
    [*_, event] = shop.events.list()
    received = webhooks.verify(*sign(event, SECRET), SECRET)
    assert isinstance(received.data, models.Payment)
    assert (received.type, received.data.id) == ("payment.completed", charge.id)
    with pytest.raises(WebhookError):
        webhooks.verify(*sign({"type": "ping"}, SECRET, timestamp=0), SECRET)
    body, headers = sign(json.dumps({"type": "ping"}).encode(), SECRET, id="msg_1")
    assert webhooks.verify(body, headers, [SECRET]).webhook_id == "msg_1"
