"""Charge limits of a wallet, and the charges that they let through or not."""

from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser

AT_ONCE = 20


def change(person: ApiUser, wallet: str, **body: Any) -> TestResponse:
    return person.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers={"If-Match": "*"})


def limit(merchant: ApiUser | None = None, per_charge: str | None = None, per_day: str | None = None) -> dict[str, Any]:
    return {"merchant": merchant and merchant.id, "per_charge": per_charge, "per_day": per_day}


def limited(client: ApiUser, customer_wallet: str, *limits: dict[str, Any]) -> None:
    assert change(client, customer_wallet, charge_limits=list(limits)).status_code == 200


def charge(merchant: ApiUser, customer_wallet: str, amount: str = "10.00", **members: Any) -> str:
    """The id of a charge, not yet posted."""
    return merchant.charge(customer_wallet, amount, **members)


def outcome(person: ApiUser, id: str) -> str:
    payment = person.payment(id)
    return payment["failure"]["code"] if payment["failure"] else payment["state"]


def outcomes(api: ApiHarness, merchant: ApiUser, *ids: str) -> list[str]:
    """The outcomes of these charges after posting all due payments."""
    api.post_payments()
    return [outcome(merchant, id) for id in ids]
