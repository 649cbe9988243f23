"""What is asked of the real stack and of the fake, which must answer the same: what users of the fake rely on."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from payments_client import Client, ResponseError

from tests.clients.python.people import People

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ID = re.compile(rf"{UUID}@example\.com|{UUID}|wal_[A-Za-z0-9_-]+|pay_\w+|whsec_\S+|\+49\d+|evt_\w+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\S+")
DIFFERENT = ("last4", "prefix", "waited_seconds", "last_milliseconds", "milliseconds", "event", "user_agent")
DECIDED = ("AUTHORIZED", "COMPLETED", "FAILED")


class Told:
    """Answers in a form that can be compared: ids by the order in which they came, times as such."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self._names: dict[str, str] = {}

    def note(self, call: Callable[[], Any]) -> Any:
        """Make the call and note its JSON, or the refusal: status, code, and the code at each pointer."""
        try:
            answer = call()
        except ResponseError as refused:
            flaws = sorted((flaw.pointer, flaw.code) for flaw in refused.errors)
            told = (refused.status, refused.code, refused.retryable, flaws, self.plain(refused.problem.get("payment")))
            self.answers.append(told)
            return None
        found = answer if isinstance(answer, list) else [answer]
        self.answers += [self.plain(one.raw) for one in found]
        return answer

    def plain(self, value: Any) -> Any:
        """The value with names for what differs each time."""
        if isinstance(value, dict):
            masked = {name: name for name in DIFFERENT if value.get(name) is not None}
            return {name: masked.get(name) or self.plain(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        if isinstance(value, str) and ID.fullmatch(value):
            return self._names.setdefault(value, f"id {len(self._names)}")
        if isinstance(value, str) and TIME.fullmatch(value):
            return "a time"
        if isinstance(value, str) and value.isdecimal():
            return "a number"
        return ID.sub("an id", value) if isinstance(value, str) else value


def orders(people: People, told: Told) -> None:
    """Deposits, charges, transfers and refunds, as each side sees them, and those that fail."""
    alice, bob, shop, _ = people
    purse, other, till = (told.note(lambda c=c: c.wallets.create(currency="EUR")).token for c in (alice, bob, shop))
    money = {"currency": "EUR"}
    deposit = told.note(lambda: alice.deposits.create(wallet=purse, amount="100.00", source="wire", **money))
    told.note(deposit.wait)
    order = {"wallet": purse, "amount": "12.50", "summary": "Beans", "metadata": {"order": "7"}, **money}
    charge = told.note(lambda: shop.charges.create(**order, reference="order-7"))
    told.note(charge.wait)
    told.note(lambda: alice.payments.get(charge.id))
    told.note(lambda: shop.charges.create(**order, reference="order-7"))
    transfer = told.note(lambda: alice.transfers.create(source=purse, target=other, amount="5.00", **money))
    told.note(transfer.wait)
    told.note(lambda: bob.payments.get(transfer.id))
    told.note(lambda: bob.payments.get(charge.id))
    told.note(lambda: alice.transfers.create(source=purse, target=other, amount="82.51", **money).wait())
    refund = told.note(lambda: shop.refunds.create(charge=charge.id, amount="2.50", reason="duplicate"))
    told.note(refund.wait)
    told.note(lambda: shop.payments.get(charge.id))
    told.note(lambda: shop.refunds.create(charge=charge.id, reason="fraudulent").wait())
    told.note(lambda: shop.refunds.create(charge=charge.id, amount="0.01", reason="fraudulent").wait())
    for client, wallet in zip((alice, bob, shop), (purse, other, till), strict=True):
        told.note(lambda client=client, wallet=wallet: client.wallets.get(wallet))


def holds(people: People, told: Told) -> None:
    """Charges that are held, and how each may end."""
    alice, _, shop, _ = people
    purse = wallets(alice)[0]
    order = {"wallet": purse, "amount": "40.00", "currency": "EUR", "capture": False}
    for end in ("capture", "part", "void", "twice"):
        held = shop.charges.create(**order)
        told.note(lambda held=held: held.wait(until=DECIDED))
        told.note(lambda: alice.wallets.get(purse))
        told.note(lambda held=held: shop.refunds.create(charge=held.id, reason="duplicate").wait())
        if end == "void":
            told.note(lambda held=held: shop.charges.void(held.id).wait())
        else:
            amount = "10.00" if end == "part" else None
            told.note(lambda held=held, amount=amount: shop.charges.capture(held.id, amount=amount).wait())
        if end == "twice":
            told.note(lambda held=held: shop.charges.capture(held.id))
            told.note(lambda held=held: shop.charges.void(held.id))
    told.note(lambda: alice.payments.cancel(held.id))
    told.note(lambda: alice.charges.capture(held.id))
    told.note(lambda: alice.wallets.get(purse))


def refusals(people: People, told: Told) -> None:
    """Requests that are refused at once."""
    alice, bob, shop, _ = people
    purse, other = wallets(alice)[0], wallets(bob)[0]
    order = {"wallet": purse, "amount": "1.00", "currency": "EUR"}
    for wrong in ("1.001", "0.00", "-1.00", "1e2", "", "01.00"):
        told.note(lambda wrong=wrong: shop.charges.create(**{**order, "amount": wrong}))
    told.note(lambda: shop.charges.create(**{**order, "currency": "XXZ"}))
    told.note(lambda: shop.charges.create(**{**order, "currency": "USD"}))
    told.note(lambda: shop.charges.create(**{**order, "wallet": f"wal_{'x' * 22}"}))
    told.note(lambda: shop.charges.create(**{**order, "wallet": "purse"}))
    told.note(lambda: alice.charges.create(**order))
    told.note(lambda: alice.transfers.create(source=purse, target=purse, amount="1.00", currency="EUR"))
    told.note(lambda: alice.transfers.create(source=other, target=purse, amount="1.00", currency="EUR"))
    told.note(lambda: shop.refunds.create(charge=NOWHERE, reason="duplicate"))
    told.note(lambda: shop.refunds.create(charge=NOWHERE, reason="because"))
    told.note(lambda: shop.payments.get(NOWHERE))
    told.note(lambda: shop.wallets.get(purse))
    told.note(lambda: alice.with_options(token="pay_nobody").wallets.get(purse))
    told.note(lambda: shop.charges.create(**order, idempotency_key="k" * 256))


def keys(people: People, told: Told) -> None:
    """The same key again, with the same order and with another."""
    alice, bob, _, _ = people
    purse, other = wallets(alice)[0], wallets(bob)[0]
    order = {"source": purse, "target": other, "currency": "EUR", "idempotency_key": "once"}
    first = alice.transfers.create(**order, amount="1.00").wait()
    again = told.note(lambda: alice.transfers.create(**order, amount="1.00"))
    told.answers.append((again.id == first.id, again.origin.is_replayed, first.origin.is_replayed))
    told.note(lambda: alice.transfers.create(**order, amount="2.00"))


def changes(people: People, told: Told) -> None:
    """Wallets that are changed, wallets of two currencies, and a payment that is canceled before its time."""
    alice, bob, shop, _ = people
    purse, other = wallets(alice)[0], wallets(bob)[0]
    told.note(lambda: shop.wallets.create(currency="CHF"))
    francs = told.note(lambda: alice.wallets.create(currency="CHF", label="francs"))
    wrong = {"source": francs.token, "target": purse, "amount": "1.00", "currency": "EUR"}
    told.note(lambda: alice.transfers.create(**wrong).wait())
    told.note(lambda: alice.transfers.create(**{**wrong, "currency": "CHF"}).wait())
    told.note(lambda: alice.wallets.update(purse, is_active=False, if_match="*"))
    told.note(lambda: shop.charges.create(wallet=purse, amount="1.00", currency="EUR").wait())
    told.note(lambda: list(alice.wallets.list()))
    told.note(lambda: list(alice.wallets.list(is_active=False)))
    told.note(lambda: alice.wallets.update(purse, is_active=True, label="purse", if_match="*"))
    told.note(lambda: alice.wallets.update(purse, label=None, if_match='"0"'))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    order = {"source": purse, "target": other, "amount": "1.00", "currency": "EUR", "scheduled_at": tomorrow}
    later = told.note(lambda: alice.transfers.create(**order))
    told.note(lambda: alice.payments.get(later.id))
    told.note(lambda: bob.payments.get(later.id))
    told.note(lambda: bob.payments.cancel(later.id))
    told.note(lambda: alice.payments.cancel(later.id).wait())
    told.note(lambda: alice.payments.cancel(later.id))


def lists(people: People, told: Told) -> None:
    """Payments and events, as each side lists them."""
    alice, bob, shop, _ = people
    told.note(lambda: list(alice.payments.list(limit=3)))
    told.note(lambda: list(shop.payments.list(type="charge", state=["FAILED", "COMPLETED"])))
    told.note(lambda: list(bob.payments.list(currency="USD")))
    page = shop.payments.list(limit=2).page()
    told.answers.append((len(page.data), page.has_more, page.prev_cursor))
    told.note(lambda: shop.payments.list(limit=2, cursor=page.next_cursor).page().data)
    told.note(lambda: shop.payments.list(cursor="nonsense").page())
    told.note(lambda: shop.payments.list(limit=101).page())
    told.answers.append([(event.type, event.data.raw["type"]) for event in bob.events.list()])


NOWHERE = "00000000-0000-7000-8000-000000000000"


def wallets(client: Client) -> list[str]:
    """The tokens of a client's wallets, oldest first."""
    return [wallet.token for wallet in client.wallets.list()][::-1]
