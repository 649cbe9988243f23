"""Users, wallets and random payments between them."""

import random
import secrets
from datetime import timedelta
from typing import Any

from models import account_history, payment_list
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.lists.list_oracle import Listing, wire

SEED = 20261121


ORDERS = 42


SUMMARIES = ["Coffee", "coffee", "Tea, hot", "Ünïcode 水", "zebra", "'; DROP TABLE payments; --", "100%", "%(user_id)s"]


class RandomPayments:
    """Random payments between a few users: all types, all states, with commission and rates."""

    def __init__(self, api: ApiHarness) -> None:
        self.api, self.dice = api, random.Random(SEED)
        api.execute("ALTER TABLE commission_terms DISABLE TRIGGER USER")
        api.execute("UPDATE commission_terms SET percent = 2 WHERE type IN ('transfer', 'charge')")
        self.ops, self.chief = api.person("ops", "Ops"), api.person("ops", "Chief")
        for source, target, rate in (("EUR", "JPY", "160.5"), ("JPY", "EUR", "0.0061")):
            body = {"source": source, "target": target, "rate": rate, "spread": "1", "source_name": "test"}
            assert self.ops.call("PUT", "/v1/exchange-rates", json=body).status_code == 200
        self.ann, self.bob = api.person("client", "Ann"), api.person("client", "Bob")
        self.shop, self.stranger = api.person("merchant", "Shop"), api.person("client", "Zed")
        self.people = [self.ann, self.bob, self.shop]
        self.wallets = {
            (person.id, currency): person.wallet(self.amount(currency, 500), currency)
            for person in self.people
            for currency in ("EUR", "JPY")
        }
        self.second = self.ann.wallet("20.00")
        self.charges: list[str] = []
        orders = [self.transfer, self.charge, self.hold, self.refund, self.exchange, self.abroad, self.withdrawal]
        for number in range(ORDERS):
            orders[number % len(orders)]()
            api.post_payments()
        self.adjustment()
        self.bulk()
        self.rotation()
        self.waiting()

    def amount(self, currency: str, most: int = 30) -> str:
        whole = self.dice.randint(3, most)
        return str(whole * 100) if currency == "JPY" else f"{whole}.{self.dice.choice(('00', '50', '99'))}"

    def pick(self, *but: ApiUser) -> tuple[ApiUser, str, str]:
        """Another user than these, one of their wallets and its currency."""
        person = self.dice.choice([person for person in self.people if person not in but])
        currency = self.dice.choice(("EUR", "EUR", "JPY"))
        return person, self.wallets[person.id, currency], currency

    def order(self, person: ApiUser, path: str, **body: Any) -> dict[str, Any]:
        if path != "refunds":
            labels = {"table": self.dice.choice("12"), "%": self.dice.choice(("a,b", "x"))}
            body |= {"metadata": labels} if self.dice.random() < 0.8 else {}
        answer = person.order(f"/v1/{path}", body)
        assert answer.status_code in (201, 202), (path, body, answer.get_json())
        return answer.get_json()

    def texts(self) -> dict[str, str]:
        return {"summary": self.dice.choice(SUMMARIES)} if self.dice.random() < 0.6 else {}

    def transfer(self) -> None:
        payer, source, currency = self.pick()
        _, target, _ = self.pick(payer)
        payee = next(person for person in self.people if target in (self.wallets[person.id, c] for c in ("EUR", "JPY")))
        target = self.dice.choice((self.wallets[payee.id, currency], self.second)) if currency == "EUR" else target
        if currency == "JPY":
            target = self.wallets[payee.id, "JPY"]
        amount = self.amount(currency, self.dice.choice((30, 30, 5_000)))
        self.order(payer, "transfers", source=source, target=target, amount=amount, currency=currency, **self.texts())

    def charge(self, **more: Any) -> dict[str, Any]:
        _, wallet, currency = self.pick(self.shop)
        if self.dice.random() < 0.5:
            more["reference"] = f"A-{secrets.token_hex(2)}"
        amount = self.amount(currency)
        charge = self.order(
            self.shop, "charges", wallet=wallet, amount=amount, currency=currency, **more, **self.texts()
        )
        self.charges.append(charge["id"])
        return charge

    def hold(self) -> None:
        charge = self.charge(capture=False)
        self.api.post_payments()
        match self.dice.choice(("capture", "void", "leave", "capture")):
            case "capture":
                body = {"amount": "2.00" if charge["currency"] == "EUR" else "77"}
                self.shop.order(f"/v1/charges/{charge['id']}/capture", body)
            case "void":
                self.shop.order(f"/v1/charges/{charge['id']}/void", {})

    def refund(self) -> None:
        charge = self.dice.choice(self.charges)
        currency = self.shop.payment(charge)["currency"]
        body = {"charge": charge, "reason": self.dice.choice(("duplicate", "fraudulent"))}
        self.shop.order("/v1/refunds", {**body, "amount": {"EUR": "1.50", "JPY": "50"}[currency]})

    def quote(self, person: ApiUser) -> dict[str, Any]:
        body = {"source_currency": "EUR", "target_currency": "JPY", "amount": self.amount("EUR"), "side": "source"}
        return person.call("POST", "/v1/quotes", json=body).get_json()

    def exchange(self) -> None:
        person, _, _ = self.pick()
        quote = self.quote(person)
        self.order(
            person, "exchanges", source=self.wallets[person.id, "EUR"], target=self.wallets[person.id, "JPY"],
            quote=quote["id"],
        )  # fmt: skip

    def abroad(self) -> None:
        payer, _, _ = self.pick()
        payee, _, _ = self.pick(payer)
        quote = self.quote(payer)
        self.order(
            payer, "transfers", source=self.wallets[payer.id, "EUR"], target=self.wallets[payee.id, "JPY"],
            quote=quote["id"], amount=quote["transfer"]["source_amount"], currency="EUR",
        )  # fmt: skip

    def withdrawal(self) -> None:
        person, wallet, currency = self.pick()
        whom = {"iban": "DE89370400440532013000", "name": self.dice.choice(("Ann Abroad", "Zoe"))}
        whom = self.dice.choice((whom, {"target": "crypto"}))
        self.order(person, "withdrawals", wallet=wallet, amount=self.amount(currency), currency=currency, **whom)

    def bulk(self) -> None:
        """Two charges of the shop's, in one order."""
        lines = [
            {"wallet": self.wallets[person.id, "EUR"], "amount": self.amount("EUR")} for person in (self.ann, self.bob)
        ]
        answer = self.shop.order("/v1/bulk-charges", {"currency": "EUR", "charges": lines})
        assert answer.status_code == 202, answer.get_json()
        self.api.post_payments()

    def adjustment(self) -> None:
        [account, *_] = self.ops.get(f"/v1/ops/accounts?owner={self.bob.id}").get_json()["data"]
        amount = {"EUR": "4.00", "JPY": "400"}[account["currency"]]
        body = {"account": account["id"], "direction": "credit", "amount": amount, "currency": account["currency"]}
        made = self.ops.order("/v1/ops/adjustments", {**body, "reason": "Lost"}).get_json()
        assert self.chief.call("POST", f"/v1/ops/adjustments/{made['id']}/approve", json={}).status_code < 300
        self.api.post_payments()

    def rotation(self) -> None:
        """Bob's euros get a new token: users who know the old one must not learn the new one, nor find by it."""
        old = self.wallets[self.bob.id, "EUR"]
        answer = self.bob.call("POST", f"/v1/wallets/{old}/rotate", json={}, headers={"If-Match": "*"})
        self.wallets[self.bob.id, "EUR"] = answer.get_json()["token"]
        self.transfer()
        self.api.post_payments()

    def waiting(self) -> None:
        """Payments not posted yet: scheduled, tried before, and parked."""
        now = self.api.execute("SELECT now()")[0]
        later = {"scheduled_at": wire(now + timedelta(days=3)), "expires_at": wire(now + timedelta(days=4))}
        source, target = self.wallets[self.ann.id, "EUR"], self.wallets[self.bob.id, "EUR"]
        plain = {"source": source, "target": target, "currency": "EUR"}
        ids = [
            self.order(self.ann, "transfers", **plain, amount=amount, **more)["id"]
            for amount, more in (("1.00", later), ("2.00", {}), ("3.00", {}))
        ]
        self.api.execute("UPDATE payments SET attempts = 3, due_at = now() + interval '1 hour' WHERE id = %s", ids[1])
        self.api.execute("UPDATE payments SET attempts = 9, parked_at = now() WHERE id = %s", ids[2])

    def listings(self) -> dict[str, Listing]:
        """Every list, as each user sees it."""
        auditor = self.api.person("auditor", "Aud")
        viewers = {"Ann": self.ann, "Bob": self.bob, "Shop": self.shop, "Zed": self.stranger, "Ops": self.ops}
        found = {
            f"payments of {name}": Listing(person, "/v1/payments", payment_list.COLUMNS)
            for name, person in {**viewers, "Aud": auditor}.items()
        }
        owned = {**self.wallets, (self.ann.id, "second"): self.second}
        for (owner, currency), wallet in owned.items():
            person = next(person for person in self.people if person.id == owner)
            found |= {
                f"history of {name}, {owner[-4:]} {currency}": Listing(
                    viewer,
                    f"/v1/wallets/{wallet}/operations",
                    account_history.COLUMNS,
                    currency.replace("second", "EUR"),
                )
                for name, viewer in (("owner", person), ("Ops", self.ops))
                if viewer is person or currency == "second"
            }
        return found
