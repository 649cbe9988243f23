"""The logs of a run in which everything goes wrong: each line of each process is still a JSON entry."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from embedded import api
from embedded.stack import COMMANDS, Stack
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
    with new_stack(migrated, {}, 0) as stack:
        yield stack


def test_every_line_of_a_run_with_errors_is_an_entry(stack: Stack) -> None:
    [token] = new_tokens(stack, ["merchant"])
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
    for name in [*COMMANDS, "bank"]:
        entries = entries_of(stack.home.log(name).read_text())
        assert entries, name
        assert not [entry for entry in entries if "Traceback" in entry["event"]], "it is a member of its own"
    assert [entry for entry in entries_of(stack.home.log("gateway").read_text()) if entry["level"] == "warning"]
