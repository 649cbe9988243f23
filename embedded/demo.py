"""The demonstration: a deposit, a charge, their way to COMPLETED, and the resulting operations and balances."""

import json
import secrets
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

import settings
from embedded import api
from embedded.home import StackError, write_private

if TYPE_CHECKING:
    from embedded.stack import Stack

CURRENCY = "EUR"
DEPOSITED = "100.00"
CHARGED = "12.50"
FINAL_SECONDS_MAX = 30
POLL_SECONDS = 0.005
"""Short, to see INITIATED too: a payment is final within tens of milliseconds."""

USERS = {
    "ops": {"email": "ops@example.com", "role": "ops", "name": "Olga Ops"},
    "alice": {"email": "alice@example.com", "role": "client", "name": "Alice Client"},
    "bob": {"email": "bob@example.com", "role": "client", "name": "Bob Client"},
    "shop": {"email": "shop@example.com", "role": "merchant", "name": "Corner Shop"},
}
"""The users of the demonstration; all but ops have a wallet."""

People = dict[str, dict[str, str]]
"""By name: email, token, password and, except for ops, wallet."""


class NotCompletedError(Exception):
    """The demonstration did not reach COMPLETED; the message is the reason."""


def prepare(stack: "Stack") -> People:
    """The demonstration's users with valid tokens, passwords and wallets, created where missing."""
    file = stack.home.directory("secrets") / "people.json"
    people = json.loads(file.read_text()) if file.exists() else {}
    if not people or not _are_known(stack.url, people):
        made = stack.create_users(list(USERS.values()))
        people = {
            name: {"email": user["email"], "token": user["token"], "password": secrets.token_urlsafe(12)}
            for name, user in zip(USERS, made, strict=True)
        }
        _set_passwords(stack, people)
        for name, user in USERS.items():
            if user["role"] != "ops":
                people[name]["wallet"] = _wallet(stack.url, people[name]["token"])
        write_private(file, json.dumps(people, indent=2))
    return people


def show(url: str, people: People, screen: Console) -> None:
    """Deposit, charge, poll and print the operations and balances; raises NotCompletedError."""
    alice, shop = people["alice"], people["shop"]
    try:
        order = {"wallet": alice["wallet"], "amount": DEPOSITED, "currency": CURRENCY, "source": "wire"}
        screen.print(f"[bold]Alice deposits {DEPOSITED} {CURRENCY}[/]")
        deposit = _follow(url, "deposits", order, alice["token"], screen)
        order = {
            "wallet": alice["wallet"],
            "amount": CHARGED,
            "currency": CURRENCY,
            "summary": "Coffee beans",
        }
        order["reference"] = f"demo-{uuid.uuid4()}"
        screen.print(f"[bold]The shop charges her {CHARGED} {CURRENCY}[/]")
        charge = _follow(url, "charges", order, shop["token"], screen)
        screen.print(_operations(url, people["ops"]["token"], {"deposit": deposit, "charge": charge}))
        screen.print(f"Balances: {_balances(url, people)}")
    except (OSError, api.ApiError) as error:
        raise NotCompletedError(f"the demonstration got no further: {error}") from None


def suggest(url: str, people: People, screen: Console) -> None:
    """Print where it runs, and how to go on."""
    lines = [
        "",
        f"URL: {url}   docs: {url}/docs",
        f"ops token: {people['ops']['token']}",
        f"console: {url}/sign-in",
        f"  as {people['ops']['email']}, password {people['ops']['password']}; of others: .run/env",
        "To try it, in a second terminal in this folder:  . .run/env",
        "and go on in docs/guides/first-payment.md; .run/env has the URL and all tokens.",
    ]
    screen.print("\n".join(lines), markup=False)


def _follow(url: str, collection: str, order: dict, token: str, screen: Console) -> dict[str, Any]:
    """Submit the order and print the states of its payment with their times; raises NotCompletedError."""
    began = time.monotonic()
    payment = api.insist(f"{url}/v1/{collection}", token, order, key=str(uuid.uuid4()))
    screen.print(f"  POST /v1/{collection} -> 202, payment {payment['id']}")
    state = None
    while time.monotonic() - began < FINAL_SECONDS_MAX:
        if payment["state"] != state:
            state = payment["state"]
            end = "\n" if state in {"COMPLETED", "FAILED"} else ""
            screen.print(f"  {(time.monotonic() - began) * 1000:6.0f} ms  {state}", end=end)
        if state == "COMPLETED":
            return payment
        if state == "FAILED":
            raise NotCompletedError(f"the payment FAILED: {payment['failure']}")
        time.sleep(POLL_SECONDS)
        payment = api.insist(f"{url}/v1/payments/{payment['id']}", token)
    raise NotCompletedError(f"the payment is still {state} after {FINAL_SECONDS_MAX} s: do the workers run?")


def _operations(url: str, token: str, payments: dict[str, dict]) -> Table:
    table = Table("operations of", "kind", "account", box=None, pad_edge=False)
    table.add_column("amount", justify="right")
    table.add_column("balance after", justify="right")
    for name, payment in payments.items():
        for row in api.insist(f"{url}/v1/payments/{payment['id']}/operations", token)["data"]:
            table.add_row(name, row["kind"], row["account"]["name"], row["amount"], row["balance_after"])
    return table


def _balances(url: str, people: People) -> str:
    balances = {}
    for name, person in people.items():
        if "wallet" in person:
            wallet = api.insist(f"{url}/v1/wallets/{person['wallet']}", person["token"])
            balances[USERS[name]["name"]] = wallet["balance"]
    return ", ".join(f"{name} {balance}" for name, balance in balances.items()) + f" {CURRENCY}"


def _set_passwords(stack: "Stack", people: People) -> None:
    from sqlalchemy import NullPool  # noqa: PLC0415

    from gateway.identity import passwords  # noqa: PLC0415 - only for new users: takes half a second
    from models import user  # noqa: PLC0415
    from models.session import open_engine, transaction  # noqa: PLC0415

    engine = open_engine(stack.role_url(settings.GATEWAY_ROLE), NullPool)
    with transaction(engine) as connection:
        for person in people.values():
            known = user.by_email(connection, person["email"])
            if known is not None:
                user.set_password(connection, known.id, passwords.hash(person["password"]))


def _are_known(url: str, people: People) -> bool:
    """Return True if all tokens are valid: the data may have been replaced since last time."""
    if not all("password" in person for person in people.values()):
        return False
    try:
        for person in people.values():
            api.insist(f"{url}/v1/payments?limit=1", person["token"])
    except api.ApiError as error:
        if error.status != HTTPStatus.UNAUTHORIZED:
            raise StackError(f"{person['email']} cannot list payments: {error}") from None
        return False
    return True


def _wallet(url: str, token: str) -> str:
    """The token of their wallet in CURRENCY, opened if there is none."""
    for wallet in api.insist(f"{url}/v1/wallets", token)["data"]:
        if wallet["currency"] == CURRENCY:
            return wallet["token"]
    return api.call(f"{url}/v1/wallets", token, {"currency": CURRENCY})["token"]
