"""The command `payments` on a running stack: what it prints, and the codes with which it ends."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from payments_client import Client
from payments_client.cli.app import payments

from tests.e2e.state_machine.users import Person, StackUsers
from tests.support import eventually
from tests.webhook_receiver import Receiver

Run = Callable[..., Result]
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def run(users: StackUsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command as a person, whose home is empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(person: Person | None, *words: str, **options: Any) -> Result:
        environ = {"PAYMENTS_URL": users.stack.url, "PAYMENTS_TOKEN": person.token} if person else {}
        return CliRunner().invoke(payments, words, env=environ, catch_exceptions=False, **options)

    return run


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_orders_are_made_waited_for_and_shown(users: StackUsers, run: Run) -> None:
    wallet = users.clients[0].wallet
    paid = run(users.merchant, "charge", wallet, "3.50", "--summary", "Coffee", "--key", "cli-1", "--json")
    assert paid.exit_code == 0
    [charge] = objects(paid)
    assert (charge["state"], charge["amount"], charge["summary"]) == ("COMPLETED", "3.50", "Coffee")
    again = run(users.merchant, "charge", wallet, "3.50", "--summary", "Coffee", "--key", "cli-1", "--json")
    assert objects(again)[0]["id"] == charge["id"]
    assert re.search(r"^state +COMPLETED *$", run(users.merchant, "get", charge["id"]).stdout, re.M)
    assert objects(run(users.clients[0], "get", wallet, "--json"))[0]["token"] == wallet
    [held] = objects(run(users.merchant, "charge", wallet, "1.00", "--hold", "--json"))
    assert held["state"] == "AUTHORIZED"
    sent = run(users.clients[0], "transfer", wallet, users.clients[1].wallet, "0.50", "--no-wait", "--json")
    assert objects(sent)[0]["state"] == "INITIATED"
    listed = run(users.merchant, "list", "state=COMPLETED", "amount[gte]=3", "currency=EUR", "--limit", "1", "--json")
    assert [row["id"] for row in objects(listed)] == [charge["id"]]
    assert charge["id"] in run(users.merchant, "list", "--limit", "3").stdout


def test_exit_codes_say_how_it_ended(users: StackUsers, run: Run) -> None:
    alice, bob, shop = users.clients[0], users.clients[1], users.merchant
    assert run(alice, "transfer", alice.wallet, bob.wallet, "9999999.00").exit_code == 1
    assert run(alice, "transfer", alice.wallet).exit_code == 2
    assert run(alice, "list", "state").exit_code == 2
    assert run(None, "list").exit_code == 2
    refused = run(shop, "charge", alice.wallet, "1.001")
    assert refused.exit_code == 3
    assert "/amount" in refused.stderr
    assert "the idempotency key was " in refused.stderr
    assert run(shop, "get", NOBODY).exit_code == 3
    assert run(Person("pay_wrong", ""), "list").exit_code == 4
    assert run(None, "--url", "http://127.0.0.1:9", "--token", "x", "list").exit_code == 5
    assert run(alice, "--timeout", "0", "transfer", alice.wallet, bob.wallet, "1.00").exit_code in (5, 6)


def test_an_api_key_is_kept_for_its_owner_alone(users: StackUsers, run: Run, tmp_path: Path) -> None:
    signed_in = run(users.clients[0], "login")
    assert signed_in.stdout == "signed in as client, a client\n"
    file = tmp_path / "payments" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run(None, "get", users.clients[0].wallet).exit_code == 0


def test_an_email_and_password_sign_in_and_out(users: StackUsers, run: Run, tmp_path: Path) -> None:
    with Client(users.stack.url) as client:
        password = "correct horse battery"
        names = {"first_name": "Cleo", "last_name": "Line", "phone_number": "+49302345678"}
        client.clients.create(email="cleo@example.com", password=password, **names)
    signed_in = run(None, "--url", users.stack.url, "login", "--email", "cleo@example.com", input=f"{password}\n")
    assert "signed in as Cleo Line, a client" in signed_in.stdout
    assert run(None, "list").exit_code == 0
    again = run(None, "--url", users.stack.url, "login", "--json", "--email", "cleo@example.com", input=f"{password}\n")
    said = json.loads(again.stdout.splitlines()[-1])
    assert (said["name"], said["role"], "token" in said) == ("Cleo Line", "client", False)
    assert json.loads(run(None, "logout", "--json").stdout) == {"signed_out": True}
    assert not (tmp_path / "payments" / "credentials.json").exists()
    wrong = run(None, "--url", users.stack.url, "login", "--email", "cleo@example.com", input="wrong horse battery\n")
    assert wrong.exit_code == 4


def test_events_are_triggered_listened_to_and_forwarded(users: StackUsers, run: Run, receiver: Receiver) -> None:
    person = users.clients[4]
    with Client(users.stack.url, person.token) as client:
        now = client.events.list(after="now").page().next_cursor
    ids = {}
    for event in ("payment.completed", "payment.authorized", "payment.failed"):
        [told] = objects(run(person, "trigger", event, "--json"))
        ids[event] = told["payment"]
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    wanted = ("--type", "payment.authorized,payment.failed", "--count", "2", "--json")
    heard = run(person, "listen", "--after", now or "", "--forward-to", receiver.url, "--secret", secret, *wanted)
    told_of = {(event["type"], event["data"]["id"]) for event in objects(heard)}
    assert told_of == {(name, ids[name]) for name in ("payment.authorized", "payment.failed")}
    assert [hook.verified(secret)["id"] for hook in receiver.heard] == [event["id"] for event in objects(heard)]
    watched = run(person, "watch", ids["payment.failed"])
    assert watched.exit_code == 1
    assert re.findall(r"payment\.\w+", watched.stdout) == ["payment.initiated", "payment.failed"]
    assert run(person, "watch", ids["payment.completed"]).exit_code == 0


def test_files_are_uploaded_and_exported(users: StackUsers, run: Run, tmp_path: Path) -> None:
    wallet = users.clients[5].wallet
    lines = tmp_path / "lines.csv"
    lines.write_text(f"wallet,amount,reference\n{wallet},0.01,cli-file-1\n{wallet},0.02,\n")
    uploaded = run(users.merchant, "upload", str(lines), "--json")
    [bulk] = objects(uploaded)
    assert (bulk["counts"]["lines"], bulk["is_open"]) == (2, False)
    assert f"bulk {bulk['id']}" in uploaded.stderr
    with Client(users.stack.url, users.merchant.token) as client:
        eventually(lambda: client.bulk_charges.get(bulk["id"], wait=5).finalized_at)
    exported = run(users.merchant, "export", "-", f"bulk={bulk['id']}")
    assert sorted(row["amount"] for row in objects(exported)) == ["0.01", "0.02"]
    more = tmp_path / "lines.jsonl"
    more.write_text(json.dumps({"wallet": wallet, "amount": "0.03"}))
    assert run(users.merchant, "upload", str(more), "--bulk", bulk["id"]).exit_code == 3
    assert run(users.merchant, "upload", str(more), "--kind", "transfers").exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(run: Run, shell: str) -> None:
    printed = run(None, "completion", shell).stdout
    assert "_PAYMENTS_COMPLETE" in printed
    words = {"_PAYMENTS_COMPLETE": "bash_complete", "COMP_WORDS": "payments tr", "COMP_CWORD": "1"}
    completed = CliRunner().invoke(payments, [], prog_name="payments", env=words)
    assert completed.stdout.splitlines() == ["plain,transfer", "plain,trigger"]
