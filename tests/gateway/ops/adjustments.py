"""Adjustments over HTTP: propose, approve, reject."""

from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiUser

AT_ONCE = 20
PATH = "/v1/ops/adjustments"


def account_of(ops: ApiUser, client: ApiUser) -> str:
    """The account id of the client's only wallet."""
    [account] = ops.get(f"/v1/ops/accounts?owner={client.id}").get_json()["data"]
    return account["id"]


def proposal(ops: ApiUser, client: ApiUser, **members: Any) -> dict[str, Any]:
    body = {"direction": "credit", "amount": "4.00", "currency": "EUR", "reason": "Lost in the post"}
    return {"account": account_of(ops, client), **body, **members}


def proposed(ops: ApiUser, client: ApiUser, **members: Any) -> str:
    """The id of a new proposal."""
    answer = ops.order(PATH, proposal(ops, client, **members))
    assert answer.status_code == 201
    return answer.get_json()["id"]


def approve(person: ApiUser, id: str, **members: Any) -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/approve", json=members)


def reject(person: ApiUser, id: str, **members: Any) -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/reject", json={"reason": "Not ours", **members})
