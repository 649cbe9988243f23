"""The canary on a whole stack: it pays where all is well, and says in one line what is not."""

import json
import secrets
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

import settings
from embedded.stack import Stack
from models.session import transaction
from tests.e2e.state_machine.audit import owner
from tests.e2e.state_machine.users import Person, StackUsers
from workers.cli.ops import ops_cli

pytestmark = pytest.mark.slow
Run = Callable[..., Result]


@pytest.fixture
def canary(stack: Stack, users: StackUsers, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`flask ops canary WORDS...`, by a client with two wallets, with these changes of the settings."""
    payer = users.clients[0]
    _, other, _ = users.connection.call("POST", "/v1/wallets", payer.token, {"currency": "EUR"})
    usual = {
        "CANARY_URL": stack.url,
        "CANARY_TOKEN": payer.token,
        "CANARY_WALLETS": f"{payer.wallet},{other['token']}",
    }
    monkeypatch.setattr(settings, "load", settings.load.__wrapped__)
    app = Flask(__name__)
    app.cli.add_command(ops_cli)

    def run(*words: str, **changes: str) -> Result:
        for name, value in (usual | changes).items():
            monkeypatch.setenv(name, value)
        return app.test_cli_runner().invoke(args=["ops", "canary", *words])

    return run


def test_it_pays_a_cent_and_exits_with_zero(canary: Run, users: StackUsers) -> None:
    payer = users.clients[0]
    done = canary("--json")
    outcome = json.loads(done.stdout)
    assert (done.exit_code, outcome["is_ok"], outcome["amount"], outcome["currency"]) == (0, True, "0.01", "EUR")
    _, payment, _ = users.connection.call("GET", f"/v1/payments/{outcome['payment']}", payer.token)
    assert (payment["state"], payment["type"], payment["amount"]) == ("COMPLETED", "transfer", "0.01")
    assert canary().stdout.startswith("ok: 0.01 EUR completed in ")


def test_it_says_why_it_fails_and_exits_with_one(canary: Run, users: StackUsers, stack: Stack) -> None:
    def reason(*words: str, **changes: str) -> str:
        done = canary(*words, **changes)
        assert done.exit_code == 1, done.output
        assert "pay_" not in done.stdout
        assert "wal_" not in done.stdout
        return done.stdout.strip()

    assert reason(CANARY_TOKEN="pay_unknown") == "FAILED: GET /v1/wallets/{wallet}: 401 token_invalid"
    assert reason(CANARY_WALLETS="").startswith("FAILED: CANARY_WALLETS takes two wallets")
    assert reason(CANARY_TOKEN="").startswith("FAILED: set CANARY_URL")
    assert "ConnectError" in reason(CANARY_URL="http://127.0.0.1:1")
    assert reason("--amount", "99999999.00").endswith("is FAILED: insufficient_funds")
    assert "401 " in reason(CANARY_TOKEN="", CANARY_EMAIL="nobody@example.com", CANARY_PASSWORD="wrong password")
    posters = stack.doing("posting").values()
    for poster in posters:
        poster.stop()
    assert reason("--seconds", "2").endswith("is INITIATED after 2 s")
    for poster in posters:
        poster.start()


def test_it_signs_in_and_out(canary: Run, users: StackUsers, stack: Stack) -> None:
    email, password = f"{secrets.token_hex(4)}@example.com", secrets.token_hex(16)
    number = f"+49301{secrets.randbelow(10**7):07}"
    names = {"first_name": "Ca", "last_name": "Nary", "phone_number": number}
    login = {"email": email, "password": password}
    status, _, _ = users.connection.call("POST", "/v1/clients", "", login | names, "k")
    assert status == 201
    with transaction(owner(stack)) as connection:
        connection.exec_driver_sql("UPDATE users SET email_confirmed_at = now() WHERE email = %s", (email,))
    _, session, _ = users.connection.call("POST", "/v1/sessions", "", login)
    wallets = []
    for _ in range(2):
        _, wallet, _ = users.connection.call("POST", "/v1/wallets", session["token"], {"currency": "EUR"})
        wallets.append(wallet["token"])
    users.fund([Person(session["token"], wallets[0])], "1.00")
    by_password = {"CANARY_TOKEN": "", "CANARY_EMAIL": email, "CANARY_PASSWORD": password}
    assert canary(CANARY_WALLETS=",".join(wallets), **by_password).exit_code == 0
    _, sessions, _ = users.connection.call("GET", "/v1/sessions", session["token"])
    assert len(sessions["data"]) == 1, "its own has ended"
