"""People and payments on a stack, made over HTTP, with names that are hostile to a page."""

import secrets
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from embedded.stack import Stack
from tests.support import engine_of, eventually

HOSTILE = '"><img src=x onerror="alert(1)"> & <script>alert(2)</script>'

SECONDS_MAX = 60

PEOPLE = {
    "ops": ("ops", "Olga Ops"),
    "second": ("ops", "Daniel Ops"),
    "auditor": ("auditor", "Aud Itor"),
    "merchant": ("merchant", f"Shop {HOSTILE}"),
    "client": ("client", f"Ann {HOSTILE}"),
    "closed": ("merchant", f"Closed {HOSTILE}"),
    "guest": ("client", f"Bob {HOSTILE}"),
}
"""Role and name; whatever happens to users happens to the guest."""

CURRENCY = "EUR"


class Scene:
    """People of every role, with payments that completed, failed, wait and are held."""

    def __init__(self, stack: Stack, password_hash: str) -> None:
        self.url, self.mark, self._mail = stack.url, secrets.token_hex(4), Path(urlsplit(stack.mail_url).path)
        self.reference = f"order-{self.mark}"
        created = stack.create_users(
            [{"email": self.email(key), "role": role, "name": name} for key, (role, name) in PEOPLE.items()]
        )
        self.tokens = {key: user["token"] for key, user in zip(PEOPLE, created, strict=True)}
        self.ids = {key: user["id"] for key, user in zip(PEOPLE, created, strict=True)}
        self.owner = engine_of(stack.database_url or "")
        self.sql("UPDATE users SET password_hash = %s WHERE email LIKE %s", password_hash, f"%-{self.mark}@example.com")
        self._http = httpx.Client(base_url=stack.url, timeout=SECONDS_MAX)
        self._scheduled: list[str] = []
        self.wallets = {
            key: self.post(key, "/v1/wallets", currency=CURRENCY)["token"] for key in ("client", "merchant", "guest")
        }
        self.accounts = {
            key: self.read("ops", f"/v1/ops/accounts?owner={self.ids[key]}")["data"][0]["id"] for key in self.wallets
        }
        deposit = {"amount": "50000.00", "currency": CURRENCY, "source": "wire"}
        self.post("client", "/v1/deposits", wallet=self.wallets["client"], **deposit)
        self.charge = self.charged("100.00", reference=self.reference)
        self.failed = self.charged("99999.00")
        self.held = [self.charged("12.50", capture=False) for _ in range(3)]
        self.later = self.scheduled()
        for id in (self.charge, self.failed, *self.held):
            self.decided(id)

    def email(self, person: str) -> str:
        """The address of a person."""
        return f"{person}-{self.mark}@example.com"

    def post(self, person: str, path: str, **body: Any) -> dict[str, Any]:
        """The answer to an order of this person."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Idempotency-Key": secrets.token_hex(8)}
        answer = self._http.post(path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}

    def read(self, person: str, path: str) -> dict[str, Any]:
        """The answer to a GET of this person."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}"}
        return dict(self._http.get(path, headers=headers).raise_for_status().json())

    def upload(self, person: str, path: str, media_type: str, text: str) -> dict[str, Any]:
        """The answer to a file of this person."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Content-Type": media_type}
        return dict(self._http.post(path, content=text, headers=headers).raise_for_status().json())

    def session(self, person: str, password: str) -> dict[str, Any]:
        """A new session of this person, with its token."""
        answer = self._http.post("/v1/sessions", json={"email": self.email(person), "password": password})
        return dict(answer.raise_for_status().json())

    def status(self, token: str) -> int:
        """With what a token is answered."""
        return self._http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code

    def end_session(self, token: str) -> None:
        """Sign out, from elsewhere."""
        self._http.delete("/v1/sessions/current", headers={"Authorization": f"Bearer {token}"}).raise_for_status()

    def sql(self, statement: str, *values: Any) -> int:
        """The number of rows that a statement of the owner of the database changed."""
        with self.owner.begin() as connection:
            return connection.exec_driver_sql(statement, values).rowcount

    def mailed(self, person: str) -> str:
        """The token of the newest mail to this person, once it has come."""
        return eventually(lambda: self._mailed(self.email(person)), message="the mail has come")[-1]

    def _mailed(self, address: str) -> list[str]:
        mails = [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(self._mail.glob("*.eml"))]
        texts = [mail.get_content() for mail in mails if mail["To"] == address]
        return [line for text in texts for line in text.splitlines() if line.startswith("cfm_")]

    def charged(self, amount: str, **members: Any) -> str:
        """The id of a charge of the client."""
        members = {"summary": HOSTILE, "metadata": {"note": HOSTILE}, **members}
        order = {"wallet": self.wallets["client"], "amount": amount, "currency": CURRENCY, **members}
        return str(self.post("merchant", "/v1/charges", **order)["id"])

    def scheduled(self) -> str:
        """The id of a charge that nobody posts before it is canceled."""
        self._scheduled.append(self.charged("3.00", scheduled_at="2200-01-01T00:00:00Z"))
        return self._scheduled[-1]

    def held_charge(self) -> str:
        """The id of a charge whose amount is held."""
        return self.decided(self.charged("12.50", capture=False))

    def decided(self, id: str) -> str:
        """The same id, once the payment is no longer as it was accepted."""
        eventually(lambda: self.state(id) != "INITIATED")
        return id

    def state(self, id: str) -> str:
        """The state of a payment."""
        return str(self.read("ops", f"/v1/payments/{id}")["state"])

    def close(self) -> None:
        """Close the connections, and leave no order open: others use the stack too."""
        for id in self._scheduled:
            if self.state(id) == "INITIATED":
                self.post("merchant", f"/v1/payments/{id}/cancel")
        self._http.close()
        self.owner.dispose()
