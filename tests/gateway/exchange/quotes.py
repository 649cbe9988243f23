"""Quotes, and the payments that use them."""

from typing import Any

from tests.gateway.harness import ApiHarness, ApiUser

OFFER = ("source_amount", "target_amount", "commission")


RATE = {"source": "EUR", "target": "USD", "rate": "1.0837", "source_name": "ECB"}


def quote(person: ApiUser, amount: str = "40.00", target: str = "USD", **members: Any) -> dict[str, Any]:
    """A quote from EUR."""
    body = {"source_currency": "EUR", "target_currency": target, "amount": amount, "side": "source", **members}
    answer = person.call("POST", "/v1/quotes", json=body)
    assert answer.status_code == 201
    return answer.get_json()


def exchange(person: ApiUser, source: str, target: str, quote_id: str, key: str | None = None) -> Any:
    return person.order("/v1/exchanges", {"source": source, "target": target, "quote": quote_id}, key)


def send(person: ApiUser, source: str, target: str, made: dict[str, Any], amount: str, currency: str = "EUR") -> Any:
    """A transfer by the quote."""
    order = {"source": source, "target": target, "amount": amount, "currency": currency, "quote": made["id"]}
    return person.order("/v1/transfers", order)


def position(api: ApiHarness, code: str, currency: str) -> int:
    """The balance of a technical account."""
    return int(api.execute("SELECT balance FROM accounts WHERE code = %s AND currency = %s", code, currency)[0])


def over(api: ApiHarness, quote_id: str) -> None:
    """Date the quote back by an hour, as the table owner without triggers."""
    api.execute("ALTER TABLE quotes DISABLE TRIGGER USER")
    api.execute(
        "UPDATE quotes SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour'"
        " WHERE id = %s",
        quote_id,
    )
    api.execute("ALTER TABLE quotes ENABLE TRIGGER USER")
