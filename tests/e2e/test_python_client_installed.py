"""The Python client as its users have it: installed from its wheel, typed, and receiving webhooks."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from payments_client import Client, webhooks

from tests.clients.python.environments import PROJECT, built, install, run
from tests.e2e.state_machine.users import StackUsers
from tests.support import Database, eventually
from tests.webhook_receiver import Heard, Receiver

EXAMPLES = PROJECT / "examples"
FRAMEWORKS = ("django==5.2.19", "fastapi==0.165.0")
"""For the recipes alone."""

DJANGO = """
import django.conf, json, sys
django.conf.settings.configure(ALLOWED_HOSTS=["*"])
from django.test import RequestFactory
from django_receiver import hook, received
for sent in json.load(sys.stdin):
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent["headers"].items()}
    print(hook(RequestFactory().post("/hook", sent["body"], content_type="application/json", **headers)).status_code)
print([event.type for event in received])
"""
FASTAPI = """
import json, sys
from starlette.testclient import TestClient
from fastapi_receiver import app, received
client = TestClient(app)
for sent in json.load(sys.stdin):
    print(client.post("/hook", content=sent["body"], headers=sent["headers"]).status_code)
print([event.type for event in received])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client and nothing of ours."""
    folder = tmp_path_factory.mktemp("installed")
    return install(folder, f"{built(folder)}[cli]", *FRAMEWORKS)


@pytest.mark.slow
def test_the_lines_of_the_readme_run(users: StackUsers, python: Path) -> None:
    [code] = re.findall(r"^```python\n(.+?)^```", (PROJECT / "README.md").read_text(), re.M | re.S)
    printed = run(python, "-c", code, PAYMENTS_URL=users.stack.url, PAYMENTS_TOKEN=users.clients[0].token)
    assert printed == "COMPLETED\n"


@pytest.mark.slow
def test_the_command_is_installed(users: StackUsers, python: Path) -> None:
    command, person = python.with_name("payments"), users.clients[0]
    environ = {"PAYMENTS_URL": users.stack.url, "PAYMENTS_TOKEN": person.token}
    assert run(command, "--version") == "payments, version 0.1.0\n"
    assert json.loads(run(command, "get", person.wallet, "--json", **environ))["token"] == person.wallet


@pytest.mark.slow
def test_a_users_code_is_checked_in_the_strictest_mode(python: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from payments_client import Client\n"
        'order = Client().charges.create(wallet="w", amount=12.5, currency="EUR")\n'
        'print(order.colour, order.amount + 1.0, order.wait().state == "COMPLETE")\n'
        'Client().refunds.create(charge=order.id, reason="because")\n'
    )
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-version=3.10", f"--python-executable={python}")
    options = (f"--cache-dir={tmp_path}", "--config-file=")
    run(*mypy, *options, EXAMPLES / "shop.py", EXAMPLES / "inbox.py", cwd=tmp_path)
    with pytest.raises(AssertionError) as found:
        run(*mypy, *options, wrong, cwd=tmp_path)
    lines = set(re.findall(r"wrong.py:(\d): error: .*\[(.+)\]", str(found.value)))
    assert lines == {("2", "arg-type"), ("3", "attr-defined"), ("3", "operator"), ("4", "arg-type")}


@pytest.fixture(scope="module")
def hooks(users: StackUsers) -> tuple[list[Heard], str]:
    """Two webhooks that the stack sent, and the secret of their endpoint."""
    person, receiver = users.clients[3], Receiver()
    with Client(users.stack.url, person.token) as client:
        endpoint = client.webhook_endpoints.create(url=receiver.url, event_types=["payment.completed"])
        client.webhook_endpoints.test(endpoint.id)
        eventually(lambda: len(receiver.heard) == 1)
        client.deposits.create(wallet=person.wallet, amount="1.00", currency="EUR", source="wire").wait()
        eventually(lambda: len(receiver.heard) == 2)
        client.webhook_endpoints.delete(endpoint.id, if_match="*")
    receiver.close()
    return receiver.heard, endpoint.secret


def test_webhooks_of_the_stack_are_verified(hooks: tuple[list[Heard], str]) -> None:
    heard, secret = hooks
    events = [webhooks.verify(hook.body, hook.headers, secret) for hook in heard]
    assert [event.type for event in events] == ["ping", "payment.completed"]
    assert [event.webhook_id for event in events] == [hook.id for hook in heard]
    assert events[1].data.raw["state"] == "COMPLETED"
    with pytest.raises(webhooks.WebhookError):
        webhooks.verify(heard[0].body, heard[1].headers, secret)


@pytest.mark.slow
@pytest.mark.parametrize("script", [DJANGO, FASTAPI], ids=["django", "fastapi"])
def test_a_recipe_takes_what_is_signed(hooks: tuple[list[Heard], str], python: Path, script: str) -> None:
    heard, secret = hooks
    sent = [{"headers": hook.headers, "body": hook.body.decode()} for hook in heard]
    forged = {**sent[0], "body": "{}"}
    printed = run(python, "-c", script, cwd=EXAMPLES, WEBHOOK_SECRETS=secret, stdin=json.dumps([*sent, forged]))
    assert printed == "204\n204\n401\n['ping', 'payment.completed']\n"


def test_the_recipe_for_flask_takes_what_is_signed(
    hooks: tuple[list[Heard], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, secret = hooks
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("WEBHOOK_SECRETS", secret)
    receiver = importlib.import_module("flask_receiver")
    client = receiver.app.test_client()
    statuses = [client.post("/hook", data=hook.body, headers=hook.headers).status_code for hook in heard]
    assert (statuses, [event.type for event in receiver.received]) == ([204, 204], ["ping", "payment.completed"])
    assert client.post("/hook", data=b"{}", headers=heard[0].headers).status_code == 401


def test_an_inbox_does_the_work_of_an_event_once(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    inbox = importlib.import_module("inbox")
    event = webhooks.WebhookEvent({"type": "payment.completed"}, webhook_id=str(uuid4()))
    done: list[str] = []

    def work(cursor: Any, event: webhooks.WebhookEvent) -> None:
        cursor.execute("SELECT count(*) FROM inbox WHERE webhook_id = %s", [event.webhook_id])
        assert cursor.fetchone() == (1,)
        if not done:
            done.append("failed")
            raise LookupError
        done.append("done")

    connection = psycopg2.connect(fresh_database.owner.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(inbox.TABLE)
    with pytest.raises(LookupError):
        inbox.handle_once(connection, event, work)
    assert [inbox.handle_once(connection, event, work) for _ in range(2)] == [True, False]
    connection.close()
    assert done == ["failed", "done"]
