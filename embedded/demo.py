"""The main job before the reader's eyes: money in, a charge, its way to COMPLETED, and the books."""

import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from embedded import api
from embedded.home import StackError, write_private

if TYPE_CHECKING:
    from embedded.stack import Stack

CURRENCY = "EUR"
DEPOSITED = "100.00"
CHARGED = "12.50"
FINAL_SECONDS_MAX = 30
POLL_SECONDS = 0.005
"""Often, to see INITIATED too: a payment is final within tens of milliseconds."""

USERS = {
    "ops": {"email": "ops@example.com", "role": "ops", "name": "Olga Ops"},
    "alice": {"email": "alice@example.com", "role": "client", "name": "Alice Client"},
    "bob": {"email": "bob@example.com", "role": "client", "name": "Bob Client"},
    "shop": {"email": "shop@example.com", "role": "merchant", "name": "Corner Shop"},
}
"""Who is there for the reader to play; all but ops have a wallet."""

People = dict[str, dict[str, str]]
"""By name: email, token and, for those who have one, wallet."""


class NotCompletedError(Exception):
    """Why the demonstration did not reach COMPLETED."""


def prepare(stack: "Stack") -> People:
    """The demonstration's users with tokens that work and wallets, made where they are not there yet."""
    kept = stack.home.directory("secrets") / "people.json"
    people = json.loads(kept.read_text()) if kept.exists() else {}
    if not people or not _are_known(stack.url, people):
        made = stack.create_users(list(USERS.values()))
        people = {name: {"email": one["email"], "token": one["token"]} for name, one in zip(USERS, made, strict=True)}
        for name, user in USERS.items():
            if user["role"] != "ops":
                people[name]["wallet"] = _wallet(stack.url, people[name]["token"])
        write_private(kept, json.dumps(people, indent=2))
    return people


def show(url: str, people: People, screen: Console) -> None:
    """Deposit, charge, poll and print the operations and balances; raises NotCompletedError."""
    alice, shop = people["alice"], people["shop"]
    try:
        order = {"wallet": alice["wallet"], "amount": DEPOSITED, "currency": CURRENCY, "source": "wire"}
        screen.print(f"\n[bold]Alice deposits {DEPOSITED} {CURRENCY}[/]")
        deposit = _follow(url, "deposits", order, alice["token"], screen)
        order = {
            "wallet": alice["wallet"],
            "amount": CHARGED,
            "currency": CURRENCY,
            "summary": "Coffee beans",
        }
        order["reference"] = f"demo-{uuid.uuid4()}"
        screen.print(f"\n[bold]The shop charges her {CHARGED} {CURRENCY}[/]")
        charge = _follow(url, "charges", order, shop["token"], screen)
        screen.print(_operations(url, people["ops"]["token"], {"deposit": deposit, "charge": charge}))
        screen.print(_balances(url, people))
    except (OSError, api.ApiError) as error:
        raise NotCompletedError(f"the demonstration got no further: {error}") from None


def suggest(url: str, mail: str, people: People, screen: Console) -> None:
    """What to try next, ready to be pasted."""
    alice, bob, shop = people["alice"], people["bob"], people["shop"]
    charge = {"wallet": alice["wallet"], "amount": "3.20", "currency": CURRENCY, "summary": "Espresso"}
    transfer = {"source": alice["wallet"], "target": bob["wallet"], "amount": "5.00", "currency": CURRENCY}
    lines = [
        f"URL={url} ALICE={alice['token']} SHOP={shop['token']}",
        f"curl -s $URL/v1/wallets/{alice['wallet']} {_bearer('ALICE')}",
        f"curl -s $URL/v1/charges {_bearer('SHOP')} {_json(charge)}",
        f"curl -s $URL/v1/transfers {_bearer('ALICE')} {_json(transfer)}",
        f'curl -s "$URL/v1/payments?limit=5" {_bearer("ALICE")}',
    ]
    screen.print(f"\n[bold]{url}[/]   docs: {url}/docs   status: {url}/status\n\nTo try next:\n")
    _print(lines, screen)
    credentials = {"email": "carol@example.com", "password": "correct horse battery"}
    names = {"first_name": "Carol", "last_name": "Client", "phone_number": "+14155550123"}
    screen.print(f"To sign up; the mail goes to {mail}\n", markup=False)
    _print(
        [
            f"curl -s $URL/v1/clients {_json(credentials | names)}",
            f"grep -h ^cfm_ {mail.removeprefix('file://')}/*.eml | tail -1   # the newest token",
            f"curl -s $URL/v1/confirmations {_json({'token': 'cfm_...'})}",
            f"curl -s $URL/v1/sessions {_json(credentials)}",
        ],
        screen,
    )


def _print(lines: list[str], screen: Console) -> None:
    for line in lines:
        screen.print(f"  {line}", markup=False)
    screen.print()


def _follow(url: str, collection: str, order: dict, token: str, screen: Console) -> dict[str, Any]:
    """Submit the order and print each new state of its payment with its time; raises NotCompletedError."""
    began = time.monotonic()
    payment = api.insist(f"{url}/v1/{collection}", token, order, key=str(uuid.uuid4()))
    screen.print(f"  POST /v1/{collection} -> 202, payment {payment['id']}")
    state = None
    while time.monotonic() - began < FINAL_SECONDS_MAX:
        if payment["state"] != state:
            state = payment["state"]
            screen.print(f"  {(time.monotonic() - began) * 1000:6.0f} ms  {state}")
        if state == "COMPLETED":
            return payment
        if state == "FAILED":
            raise NotCompletedError(f"the payment FAILED: {payment['failure']}")
        time.sleep(POLL_SECONDS)
        payment = api.insist(f"{url}/v1/payments/{payment['id']}", token)
    raise NotCompletedError(f"the payment is still {state} after {FINAL_SECONDS_MAX} s: do the workers run?")


def _operations(url: str, token: str, payments: dict[str, dict]) -> Table:
    table = Table("payment", "kind", "account", title=f"Operations, {CURRENCY}", title_justify="left")
    table.add_column("amount", justify="right")
    table.add_column("balance after", justify="right")
    for name, payment in payments.items():
        for row in api.insist(f"{url}/v1/payments/{payment['id']}/operations", token)["data"]:
            table.add_row(name, row["kind"], row["account"]["name"], row["amount"], row["balance_after"])
    return table


def _balances(url: str, people: People) -> Table:
    table = Table("wallet", title=f"Balances, {CURRENCY}", title_justify="left")
    table.add_column("balance", justify="right")
    table.add_column("available", justify="right")
    for name, person in people.items():
        if "wallet" in person:
            wallet = api.insist(f"{url}/v1/wallets/{person['wallet']}", person["token"])
            table.add_row(USERS[name]["name"], wallet["balance"], wallet["available"])
    return table


def _are_known(url: str, people: People) -> bool:
    """Whether all their tokens work: the data may be another than last time."""
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


def _bearer(variable: str) -> str:
    return f'-H "Authorization: Bearer ${variable}"'


def _json(body: dict[str, str]) -> str:
    headers = "-H 'Content-Type: application/json' -H \"Idempotency-Key: $(date +%s%N)\""
    return f"\\\n    {headers} \\\n    -d '{json.dumps(body)}'"
