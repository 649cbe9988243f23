"""Values that reach each CHECK of the schema over HTTP: at its bound, and one past it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from werkzeug.test import TestResponse

from tests.gateway.bulks.builders import CHARGES, TRANSFERS, iban, line, order, organization
from tests.gateway.harness import ApiHarness
from tests.gateway.identity import signed_up_users
from tests.gateway.webhooks.helpers import URL

_numbers = count(1)


class Scene:
    """Users with wallets and orders."""

    def __init__(self, api: ApiHarness) -> None:
        self.api = api
        self.ops, self.chief = api.person("ops", "Ops"), api.person("ops", "Chief")
        self.client, (self.merchant, self.merchant_wallet) = api.person(), organization(api)
        self.shop = api.person("merchant")
        self.shop.wallet()
        self.customer_wallet, self.other = self.client.wallet("90.00"), self.client.wallet()
        self.dollars = self.client.wallet(currency="USD")
        accounts = self.ops.get(f"/v1/ops/accounts?owner={self.client.id}&currency=EUR").get_json()["data"]
        self.account = accounts[0]["id"]
        rate = {"source": "EUR", "target": "USD", "rate": "1.1", "source_name": "ECB"}
        assert self.ops.call("PUT", "/v1/exchange-rates", json=rate).status_code < 300

    def charged(self, **members: Any) -> str:
        """The id of a charge of 1.00."""
        body = {"wallet": self.customer_wallet, "amount": "1.00", "currency": "EUR", **members}
        id = self.merchant.order("/v1/charges", body).get_json()["id"]
        self.api.post_payments()
        return str(id)

    def proposed(self) -> str:
        """The id of a proposed adjustment."""
        return str(adjust(self, {}).get_json()["id"])

    def quote(self) -> dict[str, Any]:
        """A quote from the client's euros to their dollars."""
        body = {"source_currency": "EUR", "target_currency": "USD", "amount": "1.00"}
        return dict(self.client.call("POST", "/v1/quotes", json=body).get_json())


Way = Callable[[Scene, Any], TestResponse]


class Probe(NamedTuple):
    """A way in, values that it takes, and values that it refuses."""

    way: Way
    fits: Sequence[Any]
    beyond: Sequence[Any]


def member(send: Callable[[Scene, dict[str, Any]], TestResponse], *names: str) -> Way:
    """The way in of a member of the body that `send` completes; several names take a dict."""
    return lambda scene, value: send(scene, value if not names else {names[0]: value})


def text(send: Callable[[Scene, dict[str, Any]], TestResponse], name: str, most: int) -> Probe:
    """A text of at most `most` characters, at least one of them visible."""
    beyond = [
        "x" * (most + 1),
        "\u00e9" * (most + 1),
        "",
        " ",
        "\u200b",
        "\u3164",
        "\u2800",
        "\u00a0",
        "a\x00b",
        "\ud800",
    ]
    return Probe(member(send, name), ["x", "x" * most, "\U0001f9e8" * most, "e\u0301" * most], beyond)


def choice(send: Callable[[Scene, dict[str, Any]], TestResponse], name: str, *values: str) -> Probe:
    """One of a few values."""
    return Probe(member(send, name), values, ["", "x", values[0].upper() + " "])


def amount(send: Callable[[Scene, dict[str, Any]], TestResponse], name: str, *, zero: bool = False) -> Probe:
    """An amount in euros: of one cent, and of all the digits there are."""
    beyond = ["1" + "0" * 36 + ".00", "9" * 60, "-0.01", "0.001", "NaN", "1e3", 1, ""]
    return Probe(member(send, name), ["0.01", "9" * 36 + ".99"], beyond if zero else [*beyond, "0", "0.00"])


def sign_up(scene: Scene, members: dict[str, Any]) -> TestResponse:
    role = "merchant" if {"name", "url"} & members.keys() else "client"
    return signed_up_users.sign_up(scene.api, signed_up_users.form(role, **members))


def me(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.merchant.call("PATCH", "/v1/me", json=members)


def key(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.api.person().call("POST", "/v1/api-keys", json={"name": "k", **members})


def sign_in_with(scene: Scene, user_agent: str) -> TestResponse:
    email, _ = signed_up_users.newcomer(scene.api)
    return signed_up_users.sign_in(scene.api, email, headers={"User-Agent": user_agent})


def wallet(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.client.call("POST", "/v1/wallets", json={"currency": "EUR", **members})


def change_wallet(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.client.call("PATCH", f"/v1/wallets/{scene.other}", json=members, headers={"If-Match": "*"})


def limit(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return change_wallet(scene, {"charge_limits": [members]})


def adjust(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"account": scene.account, "direction": "credit", "amount": "1.00", "currency": "EUR", "reason": "x"}
    return scene.ops.order("/v1/ops/adjustments", {**body, **members})


def approve(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.chief.call("POST", f"/v1/ops/adjustments/{scene.proposed()}/approve", json=members)


def approve_by(scene: Scene, role: str) -> TestResponse:
    return getattr(scene, role).call("POST", f"/v1/ops/adjustments/{scene.proposed()}/approve", json={})


def reject(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.chief.call("POST", f"/v1/ops/adjustments/{scene.proposed()}/reject", json=members)


def deactivate(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"is_active": False, "reason": "x", **members}
    return scene.ops.call("PATCH", f"/v1/ops/users/{scene.api.person().id}", json=body)


def capture(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.merchant.order(f"/v1/charges/{scene.charged(capture=False)}/capture", members)


def refund(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.merchant.order("/v1/refunds", {"charge": scene.charged(), "reason": "duplicate", **members})


def bank_account(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"organization_name": "ACME", "iban": iban(next(_numbers)), "wallet": scene.merchant_wallet}
    return scene.merchant.call("POST", "/v1/bank-accounts", json={**body, **members})


def withdraw(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {
        "wallet": scene.customer_wallet,
        "amount": "1.00",
        "currency": "EUR",
        "iban": iban(1),
        "name": "Bob",
        **members,
    }
    return scene.client.order("/v1/withdrawals", body)


def pay_many(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.merchant.order(TRANSFERS, order(line(**members)))


def pay_referred(scene: Scene, reference: str) -> TestResponse:
    payee = line(creditor_reference=reference)
    del payee["description"]
    return scene.merchant.order(TRANSFERS, order(payee))


def bulk(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.merchant.order(TRANSFERS, order(line(), **members))


def charge_many(scene: Scene, lines: int) -> TestResponse:
    charges = [{"wallet": scene.customer_wallet, "amount": "0.01"}] * lines
    return scene.merchant.order(CHARGES, {"currency": "EUR", "charges": charges})


def charge_in_all(scene: Scene, amounts: list[str]) -> TestResponse:
    charges = [{"wallet": scene.customer_wallet, "amount": each} for each in amounts]
    return scene.merchant.order(CHARGES, {"currency": "EUR", "charges": charges})


def charge_line(scene: Scene, members: dict[str, Any]) -> TestResponse:
    charge = {"wallet": scene.customer_wallet, "amount": "1.00", **members}
    return scene.merchant.order(CHARGES, {"currency": "EUR", "charges": [charge]})


def charge(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.shop.order(
        "/v1/charges", {"wallet": scene.customer_wallet, "amount": "1.00", "currency": "EUR", **members}
    )


def deposit(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"wallet": scene.customer_wallet, "amount": "1.00", "currency": "EUR", "source": "wire", **members}
    return scene.client.order("/v1/deposits", body)


def transfer(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"source": scene.customer_wallet, "target": scene.other, "amount": "1.00", "currency": "EUR", **members}
    return scene.client.order("/v1/transfers", body)


def transfer_to(scene: Scene, which: str) -> TestResponse:
    return transfer(scene, {"target": getattr(scene, which)})


def quoted_transfer(scene: Scene, members: dict[str, Any]) -> TestResponse:
    quote = scene.quote()
    return transfer(scene, {"target": scene.dollars, "quote": quote["id"], "amount": quote["source_amount"], **members})


def keyed(scene: Scene, key: str) -> TestResponse:
    body = {"source": scene.customer_wallet, "target": scene.other, "amount": "1.00", "currency": "EUR"}
    return scene.client.call("POST", "/v1/transfers", json=body, headers={"Idempotency-Key": key})


def quote(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"source_currency": "EUR", "target_currency": "USD", "amount": "1.00", **members}
    return scene.client.call("POST", "/v1/quotes", json=body)


def rate(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"source": "CHF", "target": "JPY", "rate": "1.5", "source_name": "x", **members}
    return scene.ops.call("PUT", "/v1/exchange-rates", json=body)


def currency(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"code": f"T{next(_numbers):05}", "digits": 2, "kind": "custom", "name": "Token", **members}
    return scene.ops.call("POST", "/v1/currencies", json=body)


def change_currency(scene: Scene, members: dict[str, Any]) -> TestResponse:
    code = currency(scene, {}).get_json()["code"]
    return scene.ops.call("PATCH", f"/v1/currencies/{code}", json=members, headers={"If-Match": "*"})


def terms(scene: Scene, members: dict[str, Any]) -> TestResponse:
    later = datetime.now(UTC) + timedelta(days=next(_numbers))
    body = {"type": "transfer", "percent": "2", "currency": "EUR", "valid_from": later.isoformat(), "reason": "x"}
    return scene.ops.order("/v1/ops/commission-terms", {**body, **members})


def terms_of_any(scene: Scene, members: dict[str, Any]) -> TestResponse:
    later = datetime.now(UTC) + timedelta(days=next(_numbers))
    body = {"type": "transfer", "percent": "2", "valid_from": later.isoformat(), "reason": "x", **members}
    return scene.ops.order("/v1/ops/commission-terms", body)


def hook(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.api.person().call(
        "POST", "/v1/webhook-endpoints", json={"url": URL, "event_types": ["payment.*"], **members}
    )


def statement(scene: Scene, cells: dict[str, str]) -> TestResponse:
    row = {
        "booked_on": "2026-11-02",
        "direction": "credit",
        "amount": f"{next(_numbers)}.00",
        "currency": "EUR",
        **cells,
    }
    data = "\n".join((",".join(row), ",".join(row.values()), ""))
    return scene.ops.call("POST", "/v1/ops/reconciliations", data=data.encode(), content_type="text/csv")


def statement_of_days(scene: Scene, days: tuple[str, str]) -> TestResponse:
    rows = [f"{day},credit,{next(_numbers)}.00,EUR" for day in days]
    data = "\n".join(("booked_on,direction,amount,currency", *rows, ""))
    return scene.ops.call("POST", "/v1/ops/reconciliations", data=data.encode(), content_type="text/csv")


def match(scene: Scene, members: dict[str, Any]) -> TestResponse:
    id = statement(scene, {}).get_json()["id"]
    body = {"payment": scene.charged(), "reason": "x", **members}
    return scene.ops.call("POST", f"/v1/ops/reconciliations/{id}/lines/1/match", json=body)
