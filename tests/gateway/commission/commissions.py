"""Terms of commission, previews, and what a payment shows of its commission."""

from datetime import timedelta
from itertools import count
from typing import Any

from tests.gateway.harness import ApiUser

DAY = timedelta(days=1)


WHY = {"reason": "as agreed"}


TERMS = "/v1/ops/commission-terms"


_days = count(1)


def shown(person: ApiUser, id: str, *names: str) -> tuple[Any, ...]:
    payment = person.payment(id)
    return tuple(payment[name] for name in names or ("amount", "commission", "target_amount", "balance_after"))


def kinds(person: ApiUser, id: str) -> list[tuple[str, str]]:
    rows = person.get(f"/v1/payments/{id}/operations").get_json()["data"]
    return [(row["kind"], row["amount"]) for row in rows]


def ordered(person: ApiUser, path: str, **body: Any) -> str:
    answer = person.order(path, {"currency": "EUR", **body})
    assert answer.status_code == 202, answer.get_json()
    return answer.get_json()["id"]


def preview(person: ApiUser, type: str, amount: str, currency: str = "EUR", **members: Any) -> Any:
    body = {"type": type, "amount": amount, "currency": currency, **members}
    return person.call("POST", "/v1/commissions/preview", json=body)
