"""People and payments on a stack, made over HTTP, with names that are hostile to a page."""

import secrets
from typing import Any

import httpx

from embedded.stack import Stack
from tests.support import engine_of, eventually

HOSTILE = '"><img src=x onerror="alert(1)"> & <script>alert(2)</script>'

SECONDS_MAX = 60


class Scene:
    """An ops user, an auditor, a merchant and a client, with payments that completed, failed, wait and are held."""

    def __init__(self, stack: Stack, password_hash: str) -> None:
        self.url, mark = stack.url, secrets.token_hex(4)
        self.ops_email, self.reference = f"ops-{mark}@example.com", f"order-{mark}"
        people = {
            **{"ops": ("ops", "Olga Ops"), "auditor": ("auditor", "Aud Itor")},
            **{"merchant": ("merchant", f"Shop {HOSTILE}"), "client": ("client", f"Ann {HOSTILE}")},
        }
        created = stack.create_users(
            [{"email": f"{key}-{mark}@example.com", "role": role, "name": name} for key, (role, name) in people.items()]
        )
        self.tokens = {key: user["token"] for key, user in zip(people, created, strict=True)}
        self.merchant_id = next(user["id"] for user in created if user["email"].startswith("merchant"))
        self._owner = engine_of(stack.database_url or "")
        with self._owner.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE users SET password_hash = %s WHERE email = %s", (password_hash, self.ops_email)
            )
        self._http = httpx.Client(base_url=stack.url, timeout=SECONDS_MAX)
        self.wallet = self.post("client", "/v1/wallets", currency="EUR")["token"]
        self.post("merchant", "/v1/wallets", currency="EUR")
        self.post("client", "/v1/deposits", wallet=self.wallet, amount="5000.00", currency="EUR", source="wire")
        endpoint = {"url": "https://8.8.8.8/hooks", "event_types": ["ping"], "description": HOSTILE}
        self.endpoint = self.post("merchant", "/v1/webhook-endpoints", **endpoint)["id"]
        self.post("merchant", "/v1/invitations", email=f"mia-{mark}@example.com", role="operator")
        self.client_id = next(user["id"] for user in created if user["email"].startswith("client"))
        self.account = self.read("ops", f"/v1/ops/accounts?owner={self.client_id}")["data"][0]["id"]
        self.charge = self.charged("100.00", reference=self.reference)
        self.failed = self.charged("99999.00")
        self.held = [self.charged("12.50", capture=False) for _ in range(3)]
        self.later = self.charged("3.00", scheduled_at="2200-01-01T00:00:00Z")
        for id in (self.charge, self.failed, *self.held):
            eventually(lambda id=id: self.state(id) != "INITIATED")

    def post(self, person: str, path: str, **body: Any) -> dict[str, Any]:
        """The answer to an order of this person."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Idempotency-Key": secrets.token_hex(8)}
        answer = self._http.post(path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def read(self, person: str, path: str) -> dict[str, Any]:
        """The answer to a GET of this person."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}"}
        return dict(self._http.get(path, headers=headers).raise_for_status().json())

    def charged(self, amount: str, **members: Any) -> str:
        """The id of a charge of the client."""
        members = {"summary": HOSTILE, "metadata": {"note": HOSTILE}, **members}
        order = {"wallet": self.wallet, "amount": amount, "currency": "EUR", **members}
        return str(self.post("merchant", "/v1/charges", **order)["id"])

    def state(self, id: str) -> str:
        """The state of a payment."""
        return str(self.read("ops", f"/v1/payments/{id}")["state"])

    def close(self) -> None:
        """Close the connections, and leave no order open: others use the stack too."""
        self._http.close()
        self._owner.dispose()
