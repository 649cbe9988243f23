"""Withdrawals, exchanges, bulks, limits, streams and files, asked of the real stack and of the fake."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from payments_client import Client, models

from tests.clients.python.people import People
from tests.clients.python.scenario import NOWHERE, Told
from tests.support import eventually

IBAN, OTHER_IBAN = "DE89370400440532013000", "EE382200221020145685"
EUR = {"currency": "EUR"}


def funded(client: Client, amount: str) -> str:
    """The token of a new wallet, with that amount in it."""
    wallet = client.wallets.create(currency="EUR").token
    client.deposits.create(wallet=wallet, amount=amount, source="wire", **EUR).wait(raise_on_failure=True)
    return wallet


def steps(client: Client, id: str) -> list[tuple[str, str]]:
    """The steps of a payment, without those of a bank that takes its time."""
    known = [(step.step, step.actor) for step in client.payments.get_timeline(id)]
    return [step for step in known if step[0] not in ("pending", "attempt_failed")]


def withdrawals(people: People, told: Told) -> None:
    """Out to bank accounts and elsewhere: paid, rejected, sent back, and refused at once."""
    alice, bob, _, _ = people
    purse = funded(alice, "20000.00")
    order = {"wallet": purse, "name": "Alice Client", "iban": "DE89 3704 0044 0532 0130 00", **EUR}
    rent = told.note(lambda: alice.withdrawals.create(**order, amount="250.00", summary="Rent"))
    told.note(lambda: rent.wait(60))
    told.note(lambda: alice.withdrawals.create(**order, amount="6660.02").wait(60))
    told.note(lambda: alice.withdrawals.create(**order, amount="99999.00").wait(60))
    told.note(lambda: alice.withdrawals.create(wallet=purse, amount="5.00", target="crypto", **EUR).wait())
    told.answers.append(steps(alice, rent.id))
    people.send_back(rent.id, "account closed")
    [returned] = eventually(lambda: list(alice.payments.list(type="return", state="COMPLETED")))
    told.note(lambda: returned)
    told.answers.append(steps(alice, rent.id))
    told.note(lambda: alice.wallets.get(purse))
    told.note(lambda: alice.payments.list_operations(rent.id).page().data)
    told.note(lambda: alice.payments.cancel(rent.id))
    wrong: list[dict[str, Any]] = [
        *(
            {"iban": "DE88370400440532013000"},
            {"iban": "AE070331234567890123456"},
            {"bic": "COBADEFF", "iban": OTHER_IBAN},
        ),
        *({"target": "crypto"}, {"wallet": funded(bob, "1.00")}),
    ]
    for change in wrong:
        told.note(lambda change=change: alice.withdrawals.create(**order | change, amount="1.00"))
    told.note(lambda: alice.withdrawals.create(wallet=purse, amount="1.00", **EUR))


def exchanges(people: People, told: Told) -> None:
    """Rates, quotes of either side, what uses them, and what may not."""
    alice, bob, _, ops = people
    told.note(
        lambda: ops.exchange_rates.set(source="EUR", target="SEK", rate="11.2345", spread="0.5", source_name="us")
    )
    told.note(lambda: alice.exchange_rates.set(source="EUR", target="SEK", rate="11", source_name="me"))
    purse, crowns = funded(alice, "500.00"), alice.wallets.create(currency="SEK").token
    told.note(lambda: [row for row in alice.exchange_rates.list() if (row.source, row.target) == ("EUR", "SEK")])
    for code in ("EUR", "SEK", "JPY", "XXZ"):
        told.note(lambda code=code: alice.currencies.get(code))
    pair = {"source_currency": "EUR", "target_currency": "SEK"}
    quote = told.note(lambda: alice.quotes.create(**pair, amount="10.00"))
    into = {"source": purse, "target": crowns}
    told.note(lambda: alice.exchanges.create(**into, quote=quote.id).wait())
    told.note(lambda: alice.quotes.get(quote.id))
    told.note(lambda: alice.exchanges.create(**into, quote=quote.id))
    told.note(lambda: bob.exchanges.create(**into, quote=quote.id))
    told.note(lambda: alice.exchanges.create(**into, quote=NOWHERE))
    theirs = bob.wallets.create(currency="SEK").token
    exact = told.note(lambda: alice.quotes.create(**pair, amount="100.00", side="target"))
    paid = exact.transfer.raw["source_amount"]
    sending = {"source": purse, "target": theirs, "quote": exact.id, **EUR}
    told.note(lambda: alice.transfers.create(**sending, amount="1.00"))
    told.note(lambda: alice.transfers.create(**sending | {"target": funded(bob, "1.00")}, amount=paid))
    sent = told.note(lambda: alice.transfers.create(**sending, amount=paid))
    told.note(sent.wait)
    told.note(lambda: bob.payments.get(sent.id))
    for client in (alice, bob):
        told.note(lambda client=client: client.payments.list_operations(sent.id).page().data)
    told.note(lambda: alice.quotes.create(**pair, amount="0.01"))
    told.note(lambda: alice.quotes.create(source_currency="SEK", target_currency="CHF", amount="1.00"))
    told.note(lambda: alice.quotes.create(source_currency="EUR", target_currency="XXZ", amount="1.00"))
    for client, wallet in ((alice, purse), (alice, crowns), (bob, theirs)):
        told.note(lambda client=client, wallet=wallet: list(client.wallets.list_operations(wallet)))
    for amount in ("10.00", "0.25", "0.26"):
        told.note(lambda amount=amount: alice.commissions.preview(type="transfer", amount=amount, **EUR))
    told.note(lambda: alice.commissions.preview(type="transfer", amount="9.00", source=purse, target=crowns, **EUR))
    told.note(lambda: alice.commissions.preview(type="deposit", amount="9.00", **EUR))


def bulks(people: People, told: Told) -> None:
    """Many transfers and many charges: together or each for itself, uploaded, closed, and refused."""
    alice, _, shop, _ = people
    till = shop.wallets.list().page().data[0].token
    shop.deposits.create(wallet=till, amount="1000.00", source="wire", **EUR).wait()
    account = {"organization_name": "ACME Corp", "iban": IBAN, "wallet": till}
    known = told.note(lambda: shop.bank_accounts.create(**account))
    told.note(lambda: shop.bank_accounts.create(**account))
    told.note(lambda: shop.bank_accounts.get(known.id))
    told.note(lambda: alice.bank_accounts.create(**account))
    lines: list[Any] = [
        {"amount": "14.5", "counterparty_name": "Bip Bip", "counterparty_iban": OTHER_IBAN, "reference": "salary/1"},
        {"amount": "666.6", "counterparty_name": "Wile E Coyote", "counterparty_iban": IBAN, "description": "Anvils"},
    ]
    order = {"organization_name": "ACME Corp", "organization_iban": IBAN, "credit_transfers": lines}
    bulk = told.note(lambda: shop.bulk_transfers.create(**order, idempotency_key="salaries"))
    told.note(lambda: ended(shop.bulk_transfers, bulk.id))
    told.note(lambda: list(shop.bulk_transfers.list_lines(bulk.id).export()))
    told.note(lambda: shop.bulk_transfers.create(**order, idempotency_key="salaries"))
    told.note(lambda: shop.bulk_transfers.create(**order, idempotency_key="twice"))
    told.note(lambda: shop.payments.get(next(iter(shop.bulk_transfers.list_lines(bulk.id))).payment))
    too_much = [{**lines[1], "amount": "400.00"}, {**lines[1], "amount": "600.00"}]
    for mode in ("atomic", "best_effort"):
        made = told.note(
            lambda mode=mode: shop.bulk_transfers.create(**order | {"credit_transfers": too_much}, mode=mode)
        )
        told.note(lambda made=made: ended(shop.bulk_transfers, made.id))
    refused_transfers(shop, told, order, lines)
    told.note(lambda: shop.bank_accounts.update(known.id, is_active=False, if_match="*"))
    told.note(lambda: shop.bulk_transfers.create(**order))
    told.note(lambda: list(shop.bank_accounts.list()))
    charged(people, told)


def ended(bulks: Any, id: str) -> models.Bulk:
    """The bulk once it is final."""
    eventually(lambda: bulks.get(id, wait=5).finalized_at)
    return bulks.get(id)


def refused_transfers(shop: Client, told: Told, order: dict[str, Any], lines: list[Any]) -> None:
    """Bulks that are refused whole, each wrong line named."""
    wrong: list[dict[str, Any]] = [
        {"credit_transfers": [{**lines[0], "amount": "0.001"}, {**lines[1], "amount": "0.00"}]},
        {"credit_transfers": [{**lines[0], "counterparty_iban": "EE392200221020145685"}]},
        {"credit_transfers": [lines[0] | {"reference": "r"}, lines[1] | {"reference": "r"}]},
        *({"credit_transfers": []}, {"organization_name": "Another"}, {"organization_iban": OTHER_IBAN}),
        *({"is_open": True}, {"currency": "USD"}),
    ]
    for change in wrong:
        told.note(lambda change=change: shop.bulk_transfers.create(**order | change))


def charged(people: People, told: Told) -> None:
    """A bulk of charges, uploaded to in two parts."""
    alice, bob, shop, _ = people
    rich, poor, names = funded(alice, "10.00"), funded(bob, "0.50"), {"summary": "May", "reference": "may/1"}
    told.note(lambda: shop.bulk_charges.create(charges=[{"wallet": NOWHERE.replace("-", ""), "amount": "1.00"}], **EUR))
    told.note(lambda: shop.bulk_charges.create(charges=[{"wallet": f"wal_{'x' * 22}", "amount": "1.00"}], **EUR))
    opened = told.note(lambda: shop.bulk_charges.create(charges=[], is_open=True, **EUR))
    lines = [
        {"wallet": rich, "amount": "1.00", **names},
        {"wallet": poor, "amount": "1.00"},
        {"wallet": rich, "amount": "2.00"},
    ]
    told.note(lambda: shop.bulk_charges.close(opened.id))
    shop.bulk_charges.upload(opened.id, lines[:1], close=False)
    told.note(lambda: shop.bulk_charges.upload(opened.id, [*lines[:2], {"wallet": rich, "amount": "2.001"}]))
    told.note(
        lambda: shop.bulk_charges.add_lines(opened.id, from_=9, content=b"{}", content_type="application/x-ndjson")
    )
    table = "wallet,amount,reference\n" + "".join(f"{line['wallet']},{line['amount']},\n" for line in lines)
    csv: Any = {"content": table.encode(), "content_type": "text/csv"}
    told.answers.append(shop.bulk_charges.add_lines(opened.id, **csv).counts.lines)
    told.note(lambda: shop.bulk_charges.close(opened.id, lines=9))
    shop.bulk_charges.close(opened.id, lines=3)
    told.note(lambda: ended(shop.bulk_charges, opened.id))
    told.note(lambda: shop.bulk_charges.add_lines(opened.id, **csv))
    told.note(lambda: list(shop.bulk_charges.list_lines(opened.id)))
    told.note(lambda: list(shop.bulk_charges.list_lines(opened.id, state="FAILED")))
    told.note(lambda: list(shop.bulk_charges.list()))
    told.note(lambda: alice.bulk_charges.get(opened.id))
    told.answers.append([event.type for event in shop.bulk_charges.stream_events(opened.id)])


def limits(people: People, told: Told) -> None:
    """What a client lets merchants take."""
    alice, _, shop, _ = people
    purse = funded(alice, "100.00")

    def charge(amount: str) -> None:
        told.note(lambda: shop.charges.create(wallet=purse, amount=amount, **EUR).wait())

    charge("10.00")
    [merchant] = told.note(lambda: list(alice.wallets.list_merchants(purse)))
    bounds: Any = [{"merchant": merchant.merchant, "per_charge": "20.00", "per_day": "25.00"}]
    told.note(lambda: alice.wallets.update(purse, charge_limits=bounds, if_match="*"))
    for amount in ("20.01", "15.00", "0.01"):
        charge(amount)
    told.note(lambda: alice.wallets.update(purse, blocked_merchants=[merchant.merchant], if_match="*"))
    charge("1.00")
    told.note(lambda: alice.wallets.update(purse, blocked_merchants=[NOWHERE], if_match="*"))
    told.note(lambda: alice.wallets.update(purse, blocked_merchants=None, charge_limits=None, if_match="*"))
    charge("2.00")
    told.note(lambda: list(alice.wallets.list_merchants(purse)))
    rotated = told.note(lambda: alice.wallets.rotate(purse))
    told.note(lambda: shop.charges.create(wallet=purse, amount="1.00", **EUR))
    told.note(lambda: alice.wallets.get(rotated.token))


def reading(people: People, told: Told) -> None:
    """Streams, files, the double entry, the timeline, and a month."""
    alice, _, shop, _ = people
    purse = funded(alice, "60.00")
    cursor = alice.events.list(after="now").page().next_cursor
    hold = shop.charges.create(wallet=purse, amount="40.00", capture=False, reference="stay", **EUR)
    hold.wait(until=["AUTHORIZED"])
    shop.charges.capture(hold.id, amount="30.00").wait()
    refund = shop.refunds.create(charge=hold.id, amount="7.77", reason="duplicate").wait()
    shop.charges.create(wallet=purse, amount="99.00", **EUR).wait(by_stream=True)
    for client in (alice, shop):
        told.answers.append(steps(client, hold.id))
        for id in (hold.id, refund.id):
            told.note(lambda client=client, id=id: client.payments.list_operations(id).page().data)
    told.note(lambda: list(shop.payments.get_timeline(hold.id)))
    told.note(lambda: list(shop.payments.stream_events(hold.id)))
    told.note(lambda: alice.payments.get_request(hold.id))
    asked = shop.payments.get_request(hold.id)
    told.answers.append((asked.idempotency_key == hold.idempotency_key, asked.quote))
    followed = alice.events.follow(cursor, type="payment.*", payment_type="charge")
    told.answers.append([event.type for event in islice(followed, 5)])
    told.note(lambda: list(alice.wallets.list_operations(purse)))
    told.note(lambda: list(alice.wallets.list_operations(purse, direction="out", success=True)))
    told.note(lambda: list(alice.wallets.list_operations(purse, balance_after={"gte": "35"}).export()))
    told.note(lambda: list(alice.payments.list(wallet=purse).export()))
    since, until = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    bounds = {"created_at": {"gte": since, "lt": until}, "wallet": purse, "currency": "EUR"}
    told.note(lambda: list(alice.payments.list(**bounds, sort="-amount")))
    told.note(lambda: list(alice.payments.list(wallet=purse, currency="EUR", sort="amount")))
    told.note(lambda: list(shop.payments.list(reference="stay", amount={"gt": "39.99"}, currency="EUR")))
    told.note(lambda: list(shop.payments.list(idempotency_key=hold.idempotency_key)))
    month = f"{datetime.now(UTC):%Y-%m}"
    told.note(lambda: alice.wallets.get_statement(purse, month=month))
    told.answers += [told.plain(row) for row in alice.wallets.export_statement(purse, month=month)]
    told.note(lambda: alice.wallets.get_balance(purse, at=datetime.now(UTC)))
    told.note(lambda: alice.wallets.get_balance(purse, at=since))
