"""Commands of ops as a shell runs them, on a whole stack: what they print, their exit codes, and what they end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest

import settings
from embedded.home import CHECKOUT
from embedded.stack import Stack
from models.balance_curve import ACCOUNTS_MAX, POINTS
from tests.e2e.customers import PATIENCE_SECONDS, Customer, call
from tests.e2e.state_machine.audit import scalar
from tests.e2e.state_machine.users import StackUsers
from tests.support import eventually

pytestmark = pytest.mark.slow

COMMAND_SECONDS_MAX = 120
"""To start one takes a second or two, on a busy machine many."""

WHY = ("--reason", "the laptop was stolen")


def flask(stack: Stack, *words: str, code: int = 0) -> str:
    """What `flask WORDS...` prints, in a process of its own; of one that fails, what it says of that in one line."""
    own = {"WORKER_DATABASE_URL": stack.role_url(settings.WORKER_ROLE), "REDIS_URL": stack.redis_url}
    done = subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=CHECKOUT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    if code == 0:
        return done.stdout
    assert done.stdout == ""
    [problem] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.stderr
    return problem


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its header."""
    return [line.split() for line in text.splitlines()[1:]]


class Wallet:
    """A wallet of a client with 10,000.00 that paid 30.00."""

    def __init__(self, users: StackUsers) -> None:
        payer, payee = users.clients[:2]
        self.payment = users.final(users.connection.submit(users.transfer(payer, payee, "30.00")))["id"]
        self.owner = str(scalar(users.stack, f"SELECT owner_id FROM accounts WHERE token = '{payer.wallet}'"))
        self.account = str(scalar(users.stack, f"SELECT id FROM accounts WHERE token = '{payer.wallet}'"))
        self.wire = str(scalar(users.stack, "SELECT id FROM accounts WHERE code = 'wire' AND currency = 'EUR'"))


@pytest.fixture(scope="module")
def wallet(users: StackUsers) -> Wallet:
    return Wallet(users)


def test_accounts_show_wallets_and_technical_ones(stack: Stack, wallet: Wallet) -> None:
    [mine] = objects(flask(stack, "ops", "accounts", "--owner", wallet.owner, "--json"))
    assert (mine["id"], mine["currency"], mine["balance"], mine["held"]) == (wallet.account, "EUR", "9970.00", "0.00")
    assert rows(flask(stack, "ops", "accounts", "--owner", wallet.owner))[0][-4:] == [
        "EUR",
        "9970.00",
        "0.00",
        "9970.00",
    ]
    [wire] = objects(flask(stack, "ops", "accounts", "--code", "wire", "--currency", "EUR", "--json"))
    sums = scalar(stack, f"SELECT sum(amount) FROM operations WHERE account_id = '{wallet.wire}'")
    assert (wire["id"], round(float(wire["balance"]) * 100)) == (wallet.wire, sums)
    assert flask(stack, "ops", "accounts", "--owner", str(uuid4())) == "none\n"
    assert flask(stack, "ops", "accounts", "--owner", str(uuid4()), "--json") == ""
    assert "no owner" in flask(stack, "ops", "accounts", "--owner", wallet.owner, "--code", "wire", code=2)


def test_operations_show_what_moved_the_newest_first(stack: Stack, wallet: Wallet) -> None:
    paid, funded = objects(flask(stack, "ops", "operations", wallet.account, "--json"))
    assert (paid["payment"], paid["type"], paid["amount"], paid["balance_after"]) == (
        *(wallet.payment, "transfer", "-30.00", "9970.00"),
    )
    assert (funded["type"], funded["amount"], funded["account_seq"]) == ("deposit", "10000.00", 1)
    [newest] = rows(flask(stack, "ops", "operations", wallet.account, "--limit", "1"))
    assert (newest[0], newest[3:5], newest[-3:]) == ("2", [wallet.payment, "transfer"], ["-30.00", "EUR", "9970.00"])
    unknown = str(uuid4())
    assert flask(stack, "ops", "operations", unknown, code=1) == f"Error: there is no account {unknown}"
    assert "is not a valid UUID" in flask(stack, "ops", "operations", "x", code=2)


def test_balances_end_with_that_of_now(stack: Stack, wallet: Wallet) -> None:
    mine, wire = objects(flask(stack, "ops", "balances", wallet.account, wallet.wire, "--days", "1", "--json"))
    assert (mine["account"], mine["currency"], len(mine["points"])) == (wallet.account, "EUR", POINTS)
    assert (mine["points"][0]["balance"], mine["points"][-1]["balance"]) == ("0.00", "9970.00")
    assert wire["account"] == wallet.wire
    table = rows(flask(stack, "ops", "balances", wallet.account))
    assert (len(table), table[-1][0], table[-1][-2:]) == (POINTS, wallet.account, ["9970.00", "EUR"])
    unknown = str(uuid4())
    assert flask(stack, "ops", "balances", wallet.account, unknown, code=1) == f"Error: there is no account {unknown}"
    many = [str(uuid4()) for _ in range(ACCOUNTS_MAX + 1)]
    assert f"at most {ACCOUNTS_MAX} accounts" in flask(stack, "ops", "balances", *many, code=2)


@pytest.fixture
def customer(stack: Stack) -> Customer:
    return Customer(stack)


def status(stack: Stack, token: str) -> int:
    return call(stack, "GET", "/v1/me", token)[0]


def ends(stack: Stack, token: str) -> bool:
    return bool(
        eventually(
            lambda: status(stack, token) == HTTPStatus.UNAUTHORIZED, PATIENCE_SECONDS, "the token is refused by all"
        )
    )


def ids(stack: Stack, token: str, path: str) -> Iterator[str]:
    return (row["id"] for row in call(stack, "GET", path, token)[1]["data"])


def test_sessions_end_and_keys_live_on(stack: Stack, customer: Customer) -> None:
    first, second = customer.log_in(), customer.log_in()
    customer.confirm()
    key = customer.api_key(second)
    known = set(ids(stack, second, "/v1/sessions"))
    end = ("users", "end-sessions", customer.email, *WHY)
    assert flask(stack, *end, "--dry-run") == f"dry run, nothing is stored: {len(known)} of {customer.email} ended\n"
    assert status(stack, first) == status(stack, second) == HTTPStatus.OK
    unknown = str(uuid4())
    assert flask(stack, *end, "--session", unknown, code=1) == f"Error: {customer.email} has no session {unknown}"
    assert flask(stack, *end, "--session", key["id"], code=1).endswith(f"has no session {key['id']}")
    [ended] = objects(flask(stack, *end, "--json"))
    assert set(ended["ended"]) == known
    assert ends(stack, first)
    assert ends(stack, second)
    assert status(stack, key["token"]) == HTTPStatus.OK
    assert flask(stack, *end) == f"0 of {customer.email} ended\n"
    nobody = f"{uuid4()}@example.com"
    assert flask(stack, "users", "end-sessions", nobody, *WHY, code=1) == f"Error: there is no user {nobody}"
    assert "--reason" in flask(stack, "users", "end-sessions", customer.email, code=2)
    reasons = f"SELECT array_agg(reason) FROM audit_log WHERE target = '{customer.id}' AND actor = 'shell'"
    assert scalar(stack, reasons) == [WHY[1]]


def test_keys_end_and_sessions_live_on(stack: Stack, customer: Customer) -> None:
    session = customer.log_in()
    customer.confirm()
    one, another = customer.api_key(session), customer.api_key(session)
    end = ("users", "end-api-keys", customer.email, *WHY)
    [tried] = objects(flask(stack, *end, "--dry-run", "--json"))
    assert set(tried["ended"]) == {one["id"], another["id"]}
    assert flask(stack, *end, "--api-key", one["id"]) == f"1 of {customer.email} ended\n"
    assert ends(stack, one["token"])
    assert status(stack, another["token"]) == HTTPStatus.OK
    unknown = str(uuid4())
    assert flask(stack, *end, "--api-key", unknown, code=1).endswith(f"has no api_key {unknown}")
    assert objects(flask(stack, *end, "--json")) == [{"ended": [another["id"]]}]
    assert ends(stack, another["token"])
    assert status(stack, session) == HTTPStatus.OK
    nobody = f"{uuid4()}@example.com"
    assert flask(stack, "users", "end-api-keys", nobody, *WHY, code=1) == f"Error: there is no user {nobody}"
