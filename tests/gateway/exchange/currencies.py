"""Currencies that tests add and change, and payments in them."""

import secrets
import string
from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiUser


def new_code() -> str:
    """A code that no currency has."""
    return "Z" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(7))


def add(ops: ApiUser, **members: Any) -> TestResponse:
    body = {"code": new_code(), "digits": 2, "kind": "custom", "name": "Points", **members}
    return ops.call("POST", "/v1/currencies", json=body)


def added(ops: ApiUser, **members: Any) -> str:
    """The code of a new currency."""
    answer = add(ops, **members)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()["code"]


def change(ops: ApiUser, code: str, body: Any, etag: str | None = "*") -> TestResponse:
    headers = {} if etag is None else {"If-Match": etag}
    return ops.call("PATCH", f"/v1/currencies/{code}", json=body, headers=headers)


def pay(client: ApiUser, source: str, target: str, amount: str, currency: str) -> dict[str, Any]:
    """A posted transfer, as its payer sees it."""
    body = {"source": source, "target": target, "amount": amount, "currency": currency}
    id = client.order("/v1/transfers", body).get_json()["id"]
    client.api.post_payments()
    return client.payment(id)
