"""What each guide does with curl, done with the client: on a stack, and on the fake but for what ops alone do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from payments_client import Client, Conflict, Forbidden, InvalidRequest, Unauthorized, models

from embedded.home import CHECKOUT
from embedded.stack import Stack
from tests.clients.python.people import People, of_fake, of_stack
from tests.support import eventually

IBAN = "DE89370400440532013000"
ELSEWHERE = {
    "ansible",
    "archive",
    "client",
    "kubernetes",
    "lists",
    "logs",
    "monitoring",
    "patroni",
    "pooler",
    "proxy",
    "rabbitmq",
    "replica",
    "upgrading",
    "waiting",
    "webhooks",
}
"""Guides of servers and shells, and those whose flow `test_python_client.py` and its neighbours have."""

EUR = "EUR"
pytestmark = pytest.mark.slow


def test_every_guide_has_its_flow() -> None:
    guides = {path.stem for path in (CHECKOUT / "docs" / "guides").glob("*.md")}
    names = [name.removeprefix("test_guide_") for name in globals() if name.startswith("test_guide_")]
    assert {name.replace("_", "-") for name in names} == guides - ELSEWHERE, (
        "write its flow here, or name it in ELSEWHERE"
    )


@pytest.fixture(params=["stack", "fake"])
def people(request: pytest.FixtureRequest) -> Iterator[People]:
    """Where payments are free, as on the stacks of most tests."""
    with of_fake(percent=0) if request.param == "fake" else of_stack(request.getfixturevalue("stack")) as people:
        yield people


@pytest.fixture
def real_ops(stack: Stack) -> Iterator[People]:
    """Users of a stack, where ops do what the fake does not know."""
    with of_stack(stack) as people:
        yield people


def funded(client: Client, amount: str) -> str:
    """The token of a new wallet of the user, with that amount in it."""
    wallet = client.wallets.create(currency=EUR).token
    client.deposits.create(wallet=wallet, amount=amount, currency=EUR, source="wire").wait(raise_on_failure=True)
    return wallet


def test_guide_bulks(people: People) -> None:
    acme = people.shop
    wallet = funded(acme, "1000.00")
    iban = bank_account_number()
    account = acme.bank_accounts.create(organization_name="ACME Corp", iban=iban, wallet=wallet)
    assert account.iban == iban
    lines: list[Any] = [
        {"amount": "14.5", "counterparty_name": "Bip Bip", "counterparty_iban": "EE382200221020145685"},
        {"amount": "666.6", "counterparty_name": "Wile E Coyote", "counterparty_iban": "FR1420041010050500013M02606"},
    ]
    for number, line in enumerate(lines):
        line["reference"] = f"{uuid4()}/{number}"
    order = {"organization_name": "ACME Corp", "organization_iban": iban, "credit_transfers": lines}
    bulk = acme.bulk_transfers.create(**order, idempotency_key="salaries")
    assert bulk.total == Decimal("681.10")
    eventually(lambda: acme.bulk_transfers.get(bulk.id, wait=5).finalized_at)
    assert acme.bulk_transfers.get(bulk.id).state == "COMPLETED"
    rows = list(acme.bulk_transfers.list_lines(bulk.id).export())
    assert [(row.line, row.amount) for row in rows] == [(1, Decimal("14.50")), (2, Decimal("666.60"))]
    assert acme.wallets.get(wallet).available == Decimal("318.90")
    assert acme.bulk_transfers.create(**order, idempotency_key="salaries").id == bulk.id
    with pytest.raises(Conflict, match="duplicate_reference"):
        acme.bulk_transfers.create(**order, idempotency_key="twice")
    wrong = [{**lines[0], "amount": "0.001", "counterparty_iban": "EE392200221020145685"}]
    with pytest.raises(InvalidRequest) as refused:
        acme.bulk_transfers.create(**{**order, "credit_transfers": wrong})
    assert [flaw.pointer for flaw in refused.value.errors] == ["/credit_transfers/0/counterparty_iban"]
    opened = acme.bulk_transfers.create(**{**order, "credit_transfers": []}, mode="best_effort", is_open=True)
    many = [{"amount": "0.10", "counterparty_name": f"Payee {n}", "counterparty_iban": IBAN} for n in range(1001)]
    closed = acme.bulk_transfers.upload(opened.id, many)
    assert (closed.counts.lines, closed.total, closed.is_open) == (1001, Decimal("100.10"), False)
    with pytest.raises(Conflict, match="bulk_out_of_step"):
        acme.bulk_transfers.upload(opened.id, many[:1000])
    eventually(lambda: acme.bulk_transfers.get(opened.id, wait=5).finalized_at)


def bank_account_number() -> str:
    """A German IBAN that nobody else registers."""
    account = f"{uuid4().int % 10**10:010}"
    check = 98 - int(f"37040044{account}131400") % 97
    return f"DE{check:02}37040044{account}"


def test_guide_commission(people: People, real_ops: People) -> None:
    preview = people.shop.commissions.preview(type="charge", amount="10.00", currency=EUR)
    assert preview.amount - preview.commission == preview.arrives
    store, ops = real_ops.shop, real_ops.ops
    year = datetime.now(UTC).year + 1
    terms = ops.ops.commission_terms.create(
        type="charge",
        percent=Decimal("2"),
        currency=EUR,
        minimum="0.01",
        merchant=store.me.get().id,
        valid_from=datetime(year, 1, 1, tzinfo=UTC),
        reason="small charges pay too",
    )
    assert (terms.percent, terms.minimum, terms.ending_minimum) == (Decimal(2), Decimal("0.01"), None)
    listed = list(ops.ops.commission_terms.list(merchant=store.me.get().id))
    assert [row.valid_from.year for row in listed] == [year]


def test_guide_first_payment(people: People) -> None:
    alice, shop, ops = people.alice, people.shop, people.ops
    wallet = funded(alice, "100.00")
    shop.wallets.create(currency=EUR)
    charge = shop.charges.create(wallet=wallet, amount="12.50", currency=EUR, summary="Coffee beans").wait()
    assert [row.amount for row in shop.payments.list_operations(charge.id)] == [Decimal("-12.50"), Decimal("12.50")]
    target = people.bob.wallets.create(currency=EUR).token
    order = {"source": wallet, "target": target, "currency": EUR, "idempotency_key": "transfer"}
    assert alice.transfers.create(**order, amount="5.00", wait=10).state == "COMPLETED"
    with pytest.raises(InvalidRequest, match="idempotency_key_reused"):
        alice.transfers.create(**order, amount="6.00")
    hotel = shop.charges.create(wallet=wallet, amount="80.00", currency=EUR, capture=False, wait=10)
    assert (hotel.state, alice.wallets.get(wallet).held) == ("AUTHORIZED", Decimal("80.00"))
    assert shop.charges.capture(hotel.id, amount="50.00", wait=10).captured_amount == Decimal("50.00")
    shop.refunds.create(charge=hotel.id, amount="20.00", reason="requested_by_customer").wait()
    assert shop.payments.get(hotel.id).refunded_amount == Decimal("20.00")
    ops.exchange_rates.set(source=EUR, target="USD", rate="1.0837", spread=Decimal("0.5"), source_name="by hand")
    dollars = alice.wallets.create(currency="USD").token
    quote = alice.quotes.create(source_currency=EUR, target_currency="USD", amount="10.00")
    exchange = alice.exchanges.create(source=wallet, target=dollars, quote=quote.id).wait()
    assert (exchange.state, exchange.rate) == ("COMPLETED", quote.rate)
    assert alice.wallets.get(dollars).balance == exchange.target_amount
    month = f"{datetime.now(UTC):%Y-%m}"
    assert alice.wallets.get_statement(wallet, month=month).closing == alice.wallets.get(wallet).balance
    assert alice.status.get().raw


def test_guide_identity(people: People) -> None:
    anyone = people.anyone
    email, password, phone = f"{uuid4()}@example.com", "correct horse battery", f"+4930{uuid4().int % 10**7:07}"
    person = {"email": email, "password": password, "first_name": "Carol", "last_name": "Client"}
    user = anyone.clients.create(**person, phone_number=phone, idempotency_key="sign-up")
    assert anyone.clients.create(**person, phone_number=phone, idempotency_key="sign-up").id == user.id
    session = anyone.sessions.create(email=email, password=password)
    carol = anyone.with_options(token=session.token)
    wallet = eventually(lambda: list(carol.wallets.list(currency=EUR)))[0].token
    order = {"wallet": wallet, "amount": "1.00", "currency": EUR, "source": "wire"}
    with pytest.raises(Forbidden, match="email_unconfirmed"):
        carol.deposits.create(**order)
    anyone.confirmations.create(token=eventually(lambda: people.mailed(email)) or "")
    assert carol.deposits.create(**order).wait().state == "COMPLETED"
    key = carol.api_keys.create(name="shop server", scopes=["payments:read", "transfers:write"])
    rolled = carol.api_keys.roll(key.id, overlap_seconds=60)
    assert anyone.with_options(token=rolled.token).payments.list().page().data
    carol.api_keys.delete(rolled.id)
    eventually(lambda: refuses(anyone.with_options(token=rolled.token)))
    assert [row.is_current for row in carol.sessions.list()] == [True]
    carol.sessions.delete_current()
    eventually(lambda: refuses(carol))


def refuses(client: Client) -> bool:
    try:
        client.me.get()
    except Unauthorized as refused:
        return refused.code == "token_invalid"
    return False


def test_guide_limits(people: People) -> None:
    carol, store = people.alice, people.shop
    till, wallet = store.wallets.create(currency=EUR).token, funded(carol, "100.00")

    def charged(amount: str) -> tuple[str, str | None]:
        charge = store.charges.create(wallet=wallet, target=till, amount=amount, currency=EUR).wait()
        return charge.state, charge.failure and charge.failure.code

    assert charged("10.00") == ("COMPLETED", None)
    [known] = carol.wallets.list_merchants(wallet)
    assert (known.charges, known.total) == (1, Decimal("10.00"))
    limits: list[Any] = [{"merchant": known.merchant, "per_charge": Decimal("20.00"), "per_day": Decimal("25.00")}]
    carol.wallets.update(wallet, charge_limits=limits, if_match="*")
    assert [charged(amount)[1] for amount in ("20.01", "15.00", "0.01")] == ["limit_exceeded", None, "limit_exceeded"]
    carol.wallets.update(wallet, blocked_merchants=[known.merchant], if_match="*")
    assert charged("1.00") == ("FAILED", "merchant_blocked")
    carol.wallets.update(wallet, blocked_merchants=None, charge_limits=None, if_match="*")
    assert charged("2.00") == ("COMPLETED", None)


def test_guide_operations(real_ops: People) -> None:
    ops = real_ops.ops.ops
    found = ops.payments.retry_all(filter={"parked": True, "error_contains": "permission denied"})
    assert isinstance(found, models.Selection)
    assert found.count == 0
    assert ops.batches.list(limit=5).page().has_more in (True, False)
    pause = ops.pauses.create(type="refund", reason="the shop is wrong")
    resumed = ops.pauses.resume(pause.id, reason="it is mended")
    assert (resumed.type, resumed.in_force) == ("refund", False)
    assert next(iter(ops.audit.list(limit=5))).request_id
    assert list(ops.search.find(q=str(uuid4()))) == []
    month = f"{datetime.now(UTC):%Y-%m}"
    assert ops.closing.get(month=month, timezone="Europe/Berlin").raw["month"] == month
    assert list(ops.closing.export(month=month))


def test_guide_reconciliation(real_ops: People) -> None:
    ops = real_ops.ops.ops
    header = "booked_on,direction,amount,currency,end_to_end_id,bank_reference,description"
    row = f"2026-11-20,debit,14.50,EUR,,{uuid4()},Fees of the bank"
    statement = ops.reconciliations.create(content=f"{header}\n{row}\n".encode(), content_type="text/csv")
    assert statement.counts.missing_here == 1
    [line] = ops.reconciliations.list_lines(statement.id, verdict=["missing_here", "mismatched"])
    assert (line.amount, line.booked_on.isoformat(), line.age_days is None) == (Decimal("14.50"), "2026-11-20", False)
    dismissed = ops.reconciliations.dismiss_line(statement.id, line.line, category="fee", reason="Fees of November")
    assert dismissed.verdict == "dismissed"
    file = f"line,payment,reason\n{line.line},{uuid4()},Paid by hand\n".encode()
    judged = ops.reconciliations.match_lines(statement.id, content=file, content_type="text/csv", dry_run=True)
    assert [match.outcome for match in judged.lines] == ["refused"]


def test_guide_withdrawals(people: People) -> None:
    erin = people.alice
    wallet = funded(erin, "20000.00")
    order = {"wallet": wallet, "currency": EUR, "name": "Erin Example", "iban": IBAN}
    rent = erin.withdrawals.create(**order, amount="250.00", summary="Rent").wait(60)
    assert (rent.state, rent.target.name, rent.target.last4) == ("COMPLETED", "Erin Example", "3000")
    rejected, late = (erin.withdrawals.create(**order, amount=amount) for amount in ("6660.02", "6660.04"))
    failure = rejected.wait(60).failure
    assert failure
    assert failure.code == "rejected_by_bank"
    assert late.wait(60).state == "COMPLETED"
    people.send_back(late.id, "account closed")
    [returned] = eventually(lambda: list(erin.payments.list(type="return", state="COMPLETED")))
    assert (returned.parent, returned.amount, returned.summary) == (late.id, Decimal("6660.04"), "account closed")
