"""People who sign up on a running stack, and what they may keep secret."""

import time
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from email.policy import default
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from embedded.stack import Stack
from tests.e2e.state_machine.users import GatewayConnection
from tests.support import eventually
from workers.mail import UNDER_WAY_SECONDS

PATIENCE_SECONDS = 60

Answer = tuple[int, dict[str, Any]]


class Customer:
    """A person who signs up; `secrets` is all that no other person may ever read."""

    numbers = count()
    secrets: list[str] = []  # noqa: RUF012 - of all customers

    def __init__(self, stack: Stack, role: str = "clients") -> None:
        self.stack = stack
        self.email = f"{uuid4()}@example.com"
        self.password = self.kept(f"correct horse {uuid4()}")
        number = f"+1415{2_000_000 + next(self.numbers)}"
        body = {"email": self.email, "password": self.password, "phone_number": number}
        body |= {"first_name": "Carol", "last_name": "Client"}
        self.signed_up_at = time.monotonic()
        status, user = call(stack, "POST", f"/v1/{role}", body=body)
        assert status == HTTPStatus.CREATED, user
        self.id = user["id"]

    def kept(self, secret: str) -> str:
        self.secrets.append(secret)
        return secret

    def log_in(self) -> str:
        """A new session's token."""
        body = {"email": self.email, "password": self.password}
        status, session = call(self.stack, "POST", "/v1/sessions", body=body)
        assert status == HTTPStatus.CREATED, session
        return self.kept(session["token"])

    def mailed(self) -> str:
        """The token of the newest mail to them, once it has come; one cut off is sent again after a while."""
        found = eventually(lambda: list(self._mailed()), PATIENCE_SECONDS + UNDER_WAY_SECONDS, "the mail has come")
        return self.kept(found[-1])

    def _mailed(self) -> Iterator[str]:
        for path in sorted(Path(urlsplit(self.stack.mail_url).path).glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=default)
            if mail["To"] == self.email:
                yield from (line for line in mail.get_content().splitlines() if line.startswith("cfm_"))

    def confirm(self) -> None:
        status, answer = call(self.stack, "POST", "/v1/confirmations", body={"token": self.mailed()})
        assert status in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}, answer

    def api_key(self, session: str, **more: str) -> dict[str, Any]:
        """A new API key, made by this session."""
        status, key = call(self.stack, "POST", "/v1/api-keys", session, {"name": "server", **more})
        assert status == HTTPStatus.CREATED, key
        self.kept(key["token"])
        return key

    def wallets(self, token: str) -> dict[str, dict[str, Any]]:
        """Their wallets by currency, once the onboarding has opened them."""

        def look() -> dict[str, dict[str, Any]]:
            return {wallet["currency"]: wallet for wallet in call(self.stack, "GET", "/v1/wallets", token)[1]["data"]}

        return eventually(look, PATIENCE_SECONDS, "the wallets are opened")


def call(stack: Stack, method: str, path: str, token: str = "", body: dict | None = None) -> Answer:
    """Status and body, by a connection of its own."""
    key = str(uuid4()) if path in {"/v1/transfers", "/v1/deposits"} else None
    with closing(GatewayConnection(stack)) as connection:
        return connection.call(method, path, token, body, key)[:2]
