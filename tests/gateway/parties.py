"""A client and a merchant who pay each other."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.gateway.harness import ApiHarness, ApiUser

WEEK = timedelta(days=7)


def shift(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).astimezone(UTC).isoformat().replace("+00:00", "Z")


def rows(person: ApiUser, wallet: str, query: str = "limit=100") -> list[dict[str, Any]]:
    answer = person.get(f"/v1/wallets/{wallet}/operations?{query}")
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()["data"]


class Parties:
    """A client and a merchant who pay each other, with 2 % commission; `ids` has the payments, oldest first."""

    def __init__(self, api: ApiHarness) -> None:
        api.execute("ALTER TABLE commission_terms DISABLE TRIGGER USER")
        api.execute("UPDATE commission_terms SET percent = 2 WHERE type IN ('transfer', 'charge')")
        self.api = api
        self.ann, self.shop = api.person("client", "Ann"), api.person("merchant", "Shop")
        self.customer_wallet, self.merchant_wallet = self.ann.wallet("100.00"), self.shop.wallet()
        self.yen = self.ann.wallet("7", "JPY")
        self.transfer = self.order(
            self.ann,
            "transfers",
            source=self.customer_wallet,
            target=self.merchant_wallet,
            amount="10.00",
            summary="Thanks",
        )
        coffee = {"amount": "20.00", "summary": "Coffee", "reference": "A-1", "metadata": {"table": "7", "é": "a,b"}}
        self.charge = self.order(self.shop, "charges", wallet=self.customer_wallet, **coffee)
        self.refused = self.order(self.shop, "charges", wallet=self.customer_wallet, amount="999.00", reference="A-2")
        self.held = self.order(self.shop, "charges", wallet=self.customer_wallet, amount="5.00", capture=False)
        self.refund = self.order(
            self.shop, "refunds", charge=self.charge, amount="10.00", reason="duplicate", currency=None
        )
        [self.deposit] = [row["payment"] for row in rows(self.ann, self.customer_wallet, "type=deposit")]
        self.names = {
            getattr(self, name): name for name in ("deposit", "transfer", "charge", "refused", "held", "refund")
        }

    def order(self, person: ApiUser, kind: str, **body: Any) -> str:
        body = {"currency": "EUR", **body}
        answer = person.order(f"/v1/{kind}", {name: value for name, value in body.items() if value is not None})
        assert answer.status_code == 202, answer.get_json()
        self.api.post_payments()
        return answer.get_json()["id"]

    def history(self, person: ApiUser, wallet: str, query: str = "limit=100") -> list[str]:
        return [self.names[row["payment"]] for row in rows(person, wallet, query)]

    def payments(self, person: ApiUser, query: str) -> list[str]:
        answer = person.get(f"/v1/payments?{query}")
        assert answer.status_code == 200, answer.get_json()
        return [self.names.get(row["id"], row["type"]) for row in answer.get_json()["data"]]


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    members = ("type", "success", "amount", "commission", "balance_after", "summary", "reference")
    return (*(row[name] for name in members), row["counterparty"]["name"], row["failure"] and row["failure"]["code"])


LONG_AGO, NEVER = "1971-01-01T00:00:00Z", "9998-12-31T23:59:59Z"
