"""The logs of a run in which everything goes wrong: each line of each process is still a JSON entry."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from secrets import randbelow, token_hex

import httpx
import pytest
from schwifty import IBAN

from embedded import api
from embedded.stack import Stack
from models.session import transaction
from tests.e2e.state_machine.audit import owner
from tests.e2e.state_machine.users import new_tokens
from tests.faults.inject import children, kill_a_child, kill_the_parent
from tests.stacks import new_stack
from tests.support import entries_of, eventually

pytestmark = pytest.mark.slow

MALFORMED = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
)
NO_PAIN = (
    "<",
    "<Document/>",
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn/></Document>',
)


@pytest.fixture(scope="module")
def stack(migrated: Path) -> Iterator[Stack]:
    with new_stack(migrated, {"STACK_SHAPE": "separate"}, 0) as stack:
        yield stack


class Secrets:
    """What no log may hold: names, addresses, bank accounts, passwords and tokens of a client's and a merchant's."""

    def __init__(self, stack: Stack, merchant_token: str) -> None:
        self.first_name, self.last_name, self.payee, self.organization = (f"Name{token_hex(6)}" for _ in range(4))
        self.email, self.password = f"{token_hex(8)}@example.com", token_hex(16)
        self.ibans = [str(IBAN.generate("DE", bank_code="37040044", account_code=f"{n:010}")) for n in (17, 18)]
        self.merchant_token, self.session, self.wallets = merchant_token, "", []
        self._use(stack)

    def _use(self, stack: Stack) -> None:
        """Sign up, sign in, deposit, pay out, register a bank account, and send tokens where they do not belong."""

        def call(method: str, path: str, token: str, body: dict | None = None) -> dict:
            headers = {"Idempotency-Key": token_hex(8), **({"Authorization": f"Bearer {token}"} if token else {})}
            answer = httpx.request(method, f"{stack.url}{path}", json=body, headers=headers, timeout=60)
            return answer.json() if answer.content else {}

        number = f"+49301{randbelow(10**7):07}"
        names = {"first_name": self.first_name, "last_name": self.last_name, "phone_number": number}
        login = {"email": self.email, "password": self.password}
        call("POST", "/v1/clients", "", names | login)
        with transaction(owner(stack)) as connection:
            connection.exec_driver_sql("UPDATE users SET email_confirmed_at = now()")
        self.session = call("POST", "/v1/sessions", "", login)["token"]
        for token in (self.session, self.merchant_token):
            self.wallets.append(call("POST", "/v1/wallets", token, {"currency": "EUR"})["token"])
        money = {"amount": "1.00", "currency": "EUR"}
        call("POST", "/v1/deposits", self.session, {"wallet": self.wallets[0], "source": "wire", **money})
        payout = {"wallet": self.wallets[0], "name": self.payee, "iban": self.ibans[0], **money}
        paid = call("POST", "/v1/withdrawals", self.session, payout)
        account = {"organization_name": self.organization, "iban": self.ibans[1], "wallet": self.wallets[1]}
        call("POST", "/v1/bank-accounts", self.merchant_token, account)
        for path in (self.session, self.wallets[0], self.ibans[0]):
            call("GET", f"/{path}", self.session)
        call("POST", "/v1/withdrawals", self.session, {**payout, "iban": "DE00" + self.ibans[0][4:], "bic": "x"})
        eventually(lambda: call("GET", f"/v1/payments/{paid['id']}", self.session)["finalized_at"], 90)

    @property
    def all(self) -> list[str]:
        names = [self.first_name, self.last_name, self.payee, self.organization, self.email, self.password]
        return [*names, *self.ibans, self.merchant_token, self.session, *self.wallets]


def test_every_line_of_a_run_with_errors_is_an_entry_without_secrets(stack: Stack) -> None:
    [token] = new_tokens(stack, ["merchant"])
    secrets = Secrets(stack, token)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/xml",
        "Idempotency-Key": "k",
    }
    host, _, port = stack.bind.partition(":")
    for text in MALFORMED:
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(text)
            assert line.recv(65_536).startswith(b"HTTP/1.1 400 ")
    for document in NO_PAIN:
        assert httpx.post(f"{stack.url}/v1/bulk-transfers", content=document, headers=headers).status_code in (400, 422)
    for name in ("gateway", "posting"):
        kill_a_child(stack, name, children(stack, name)[0])
    for name in ("webhooks", "upkeep", "rails", "beat"):
        kill_the_parent(stack, name)
    stack.valkey.kill()
    stack.postgres.stop("immediate")
    eventually(lambda: httpx.get(f"{stack.url}/health/ready").status_code == 503)
    stack.postgres.start()
    stack.valkey.start()
    eventually(lambda: api.is_ready(stack.url))
    os.kill(stack.bank.pid, signal.SIGHUP)
    stack.stop()
    for name in [*stack.processes, "bank"]:
        entries = entries_of(stack.home.log(name).read_text())
        assert entries, name
        assert not [entry for entry in entries if "Traceback" in entry["event"]], "it is a member of its own"
    lines = [line for name in stack.parts for line in stack.home.log(name).read_text().splitlines()]
    assert {secret for secret in secrets.all for line in lines if secret in line} == set()
    assert [
        entry for entry in entries_of(stack.home.log("gateway").read_text()) if entry["level"] in ("warning", "error")
    ]
