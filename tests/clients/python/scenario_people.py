"""Sign-up, sessions, API keys, merchants and webhooks, asked of the real stack and of the fake."""

import json
from typing import Any
from uuid import uuid4

from payments_client import Client, Unauthorized, webhooks

from tests.clients.python.people import People
from tests.clients.python.scenario import NOWHERE, Told
from tests.clients.python.scenario_products import funded
from tests.support import eventually

PASSWORD, OTHER_PASSWORD = "correct horse battery", "wrong donkey battery"


def identity(people: People, told: Told) -> None:
    """From sign-up to a key that is revoked."""
    anyone, email = people.anyone, f"{uuid4()}@example.com"
    person: dict[str, Any] = {"email": email, "password": PASSWORD, "first_name": "Carol", "last_name": "Client"}
    person["phone_number"] = f"+4930{uuid4().int % 10**7:07}"
    told.note(lambda: anyone.clients.create(**person, idempotency_key="sign-up"))
    told.note(lambda: anyone.clients.create(**person, idempotency_key="sign-up"))
    told.note(lambda: anyone.clients.create(**person))
    told.note(lambda: anyone.clients.create(**person | {"email": f"{uuid4()}@example.com"}))
    told.note(lambda: anyone.clients.create(**person | {"password": "short"}))
    told.note(anyone.me.get)
    told.note(lambda: anyone.sessions.create(email=email, password=OTHER_PASSWORD))
    session = told.note(lambda: anyone.sessions.create(email=email, password=PASSWORD, lifetime_hours=1))
    carol = anyone.with_options(token=session.token)
    wallet = eventually(lambda: list(carol.wallets.list(currency="EUR")))[0].token
    order: dict[str, Any] = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
    told.note(lambda: carol.deposits.create(**order))
    told.note(lambda: anyone.confirmations.create(token=f"cfm_{'0' * 49}"))
    anyone.confirmations.create(token=eventually(lambda: people.mailed(email)))
    told.note(lambda: anyone.confirmations.resend(email=email))
    told.note(lambda: carol.deposits.create(**order).wait())
    told.note(carol.me.get)
    told.note(lambda: carol.me.update(first_name="Caroline", phone_number=person["phone_number"]))
    told.note(lambda: carol.me.update(name="Shop"))
    keys(carol, told)
    told.note(lambda: carol.me.update(current_password=OTHER_PASSWORD, password=PASSWORD))
    told.note(lambda: carol.me.update(current_password=PASSWORD, password=OTHER_PASSWORD))
    other = told.note(lambda: anyone.sessions.create(email=email, password=OTHER_PASSWORD))
    told.note(lambda: list(carol.sessions.list()))
    carol.sessions.delete(other.id)
    told.note(lambda: carol.sessions.delete(NOWHERE))
    told.note(lambda: list(carol.sessions.list()))
    carol.sessions.delete_current()
    told.answers.append(eventually(lambda: refusal(carol)))


def keys(person: Client, told: Told) -> None:
    """API keys: with fewer scopes, rolled, and revoked."""
    key = told.note(lambda: person.api_keys.create(name="shop server", scopes=["payments:read", "transfers:write"]))
    by_key = person.with_options(token=key.token)
    told.note(by_key.me.get)
    told.note(lambda: person.api_keys.create(name="too much", scopes=["ops:read"]))
    rolled = told.note(lambda: person.api_keys.roll(key.id, overlap_seconds=60))
    told.note(lambda: person.api_keys.roll(key.id))
    told.note(lambda: list(person.api_keys.list()))
    person.api_keys.delete(rolled.id)
    told.note(lambda: person.api_keys.delete(rolled.id))
    told.answers.append(eventually(lambda: refusal(person.with_options(token=rolled.token))))


def refusal(client: Client) -> str | None:
    """The code with which a token is refused, once it is."""
    try:
        client.payments.list().page()
    except Unauthorized as refused:
        return refused.code
    return None


def merchants(people: People, told: Told) -> None:
    """A merchant who changes their name."""
    alice, _, shop, _ = people
    merchant = shop.merchant.get()
    told.answers.append((merchant.name, merchant.is_active))
    told.note(
        lambda: shop.merchant.update(name="Corner Shop", if_match=merchant.etag or "").name and shop.merchant.get()
    )
    told.note(lambda: shop.merchant.update(name="Other", if_match=merchant.etag or ""))
    told.note(alice.merchant.get)


def hooks(people: People, told: Told) -> None:
    """Endpoints, and what they are sent: once, again, and as a ping."""
    alice, bob, _, _ = people
    purse, wanted = funded(alice, "5.00"), ["payment.completed", "payment.failed"]
    wrong: list[Any] = ["payment.gone"]
    told.note(lambda: alice.webhook_endpoints.create(url=people.receiver, event_types=wrong))
    made = told.note(
        lambda: alice.webhook_endpoints.create(url=people.receiver, event_types=wanted, payment_types=["deposit"])
    )
    told.note(lambda: alice.webhook_endpoints.test(made.id))
    told.answers.append(eventually(lambda: delivered(alice, made.id, 1)))
    alice.deposits.create(wallet=purse, amount="2.00", currency="EUR", source="wire").wait()
    told.answers.append(eventually(lambda: delivered(alice, made.id, 2)))
    rows = told.note(lambda: list(alice.webhook_endpoints.list_deliveries(made.id)))
    told.note(lambda: list(alice.webhook_endpoints.list_deliveries(made.id, type="ping")))
    told.note(lambda: alice.webhook_deliveries.get(rows[0].id))
    told.note(lambda: bob.webhook_deliveries.get(rows[0].id))
    heard = eventually(lambda: people.heard() if len(people.heard()) >= 2 else None)
    events = [webhooks.verify(body, headers, made.secret) for body, headers in heard]
    told.answers += [told.plain(event.raw) for event in events]
    alice.webhook_deliveries.redeliver(rows[0].id)
    again = eventually(lambda: people.heard() if len(people.heard()) >= 3 else None)[-1]
    told.answers.append((json.loads(again[0])["type"], again[1]["webhook-id"] == heard[1][1]["webhook-id"]))
    told.note(
        lambda: alice.webhook_endpoints.update(made.id, description="mine", is_active=False, if_match=made.etag or "")
    )
    told.note(lambda: alice.webhook_endpoints.update(made.id, description="mine", if_match=made.etag or ""))
    told.note(lambda: alice.webhook_endpoints.test(made.id))
    told.note(lambda: alice.webhook_endpoints.rotate_secret(made.id))
    told.note(lambda: list(alice.webhook_endpoints.list()))
    told.note(lambda: bob.webhook_endpoints.get(made.id))
    alice.webhook_endpoints.delete(made.id, if_match="*")
    told.note(lambda: alice.webhook_endpoints.get(made.id))


def delivered(client: Client, endpoint: str, count: int) -> int | None:
    """The number of deliveries, once so many have arrived."""
    rows = list(client.webhook_endpoints.list_deliveries(endpoint, state=["delivered"]))
    return len(rows) if len(rows) >= count else None
