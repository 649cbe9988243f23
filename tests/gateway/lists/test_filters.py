"""Every member of a list filters and sorts it, by what the viewer is shown: what he is not shown he cannot find.

A random world of payments; for each viewer, what a query finds is held against the rows of the unfiltered list.
"""

import operator
import random
import secrets
from datetime import timedelta
from typing import Any

import pytest

from gateway.payments.schemas import PaymentQuery, PaymentSchema
from gateway.wallets.schemas import HistoryQuery, HistoryRowSchema
from models import account_history, payment_list, payment_search
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.lists.list_oracle import SHORT, Listing, members, wire

SEED = 20261121
ORDERS = 42
TRIED_MAX = 3
"""Values of each column that each viewer tries, of all that anybody is shown in it."""

NOT_FILTERED = {
    "failure[message]": "says what the code says",
    "failure[retryable]": "says what the code says",
}
COMPARED = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}
SUMMARIES = ["Coffee", "coffee", "Tea, hot", "Ünïcode 水", "zebra", "'; DROP TABLE payments; --", "100%", "%(user_id)s"]


class World:
    """People, wallets and random payments between them: all types, all states, with commission and rates."""

    def __init__(self, house: ApiHarness) -> None:
        self.house, self.dice = house, random.Random(SEED)
        house.execute("ALTER TABLE commission_terms DISABLE TRIGGER USER")
        house.execute("UPDATE commission_terms SET percent = 2 WHERE type IN ('transfer', 'charge')")
        self.ops, self.chief = house.person("ops", "Ops"), house.person("ops", "Chief")
        for source, target, rate in (("EUR", "JPY", "160.5"), ("JPY", "EUR", "0.0061")):
            told = {"source": source, "target": target, "rate": rate, "spread": "1", "source_name": "test"}
            assert self.ops.call("PUT", "/v1/exchange-rates", json=told).status_code == 200
        self.ann, self.bob = house.person("client", "Ann"), house.person("client", "Bob")
        self.shop, self.stranger = house.person("merchant", "Shop"), house.person("client", "Zed")
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
            house.post_payments()
        self.adjustment()
        self.bulk()
        self.rotation()
        self.waiting()

    def amount(self, currency: str, most: int = 30) -> str:
        whole = self.dice.randint(3, most)
        return str(whole * 100) if currency == "JPY" else f"{whole}.{self.dice.choice(('00', '50', '99'))}"

    def pick(self, *but: ApiUser) -> tuple[ApiUser, str, str]:
        """Somebody else than these, one of his wallets and its currency."""
        person = self.dice.choice([one for one in self.people if one not in but])
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
        payee = next(one for one in self.people if target in (self.wallets[one.id, c] for c in ("EUR", "JPY")))
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
        self.house.post_payments()
        match self.dice.choice(("capture", "void", "leave", "capture")):
            case "capture":
                body = {"amount": "2.00" if charge["currency"] == "EUR" else "77"}
                self.shop.order(f"/v1/charges/{charge['id']}/capture", body)
            case "void":
                self.shop.order(f"/v1/charges/{charge['id']}/void", {})

    def refund(self) -> None:
        charge = self.dice.choice(self.charges)
        currency = self.shop.get(f"/v1/payments/{charge}").get_json()["currency"]
        body = {"charge": charge, "reason": self.dice.choice(("duplicate", "fraudulent"))}
        self.shop.order("/v1/refunds", {**body, "amount": {"EUR": "1.50", "JPY": "50"}[currency]})

    def quote(self, person: ApiUser) -> dict[str, Any]:
        asked = {"source_currency": "EUR", "target_currency": "JPY", "amount": self.amount("EUR"), "side": "source"}
        return person.call("POST", "/v1/quotes", json=asked).get_json()

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
        lines = [{"wallet": self.wallets[one.id, "EUR"], "amount": self.amount("EUR")} for one in (self.ann, self.bob)]
        answer = self.shop.order("/v1/bulk-charges", {"currency": "EUR", "charges": lines})
        assert answer.status_code == 202, answer.get_json()
        self.house.post_payments()

    def adjustment(self) -> None:
        [account, *_] = self.ops.get(f"/v1/ops/accounts?owner={self.bob.id}").get_json()["data"]
        given = {"EUR": "4.00", "JPY": "400"}[account["currency"]]
        body = {"account": account["id"], "direction": "credit", "amount": given, "currency": account["currency"]}
        made = self.ops.order("/v1/ops/adjustments", {**body, "reason": "Lost"}).get_json()
        assert self.chief.call("POST", f"/v1/ops/adjustments/{made['id']}/approve", json={}).status_code < 300
        self.house.post_payments()

    def rotation(self) -> None:
        """Bob's euros get a new token: who gave the old one must not learn the new one, nor find by it."""
        old = self.wallets[self.bob.id, "EUR"]
        answer = self.bob.call("POST", f"/v1/wallets/{old}/rotate", json={}, headers={"If-Match": "*"})
        self.wallets[self.bob.id, "EUR"] = answer.get_json()["token"]
        self.transfer()
        self.house.post_payments()

    def waiting(self) -> None:
        """What is not posted yet: for later, tried before, and set aside."""
        now = self.house.execute("SELECT now()")[0]
        later = {"scheduled_at": wire(now + timedelta(days=3)), "expires_at": wire(now + timedelta(days=4))}
        source, target = self.wallets[self.ann.id, "EUR"], self.wallets[self.bob.id, "EUR"]
        plain = {"source": source, "target": target, "currency": "EUR"}
        ids = [
            self.order(self.ann, "transfers", **plain, amount=amount, **more)["id"]
            for amount, more in (("1.00", later), ("2.00", {}), ("3.00", {}))
        ]
        self.house.execute("UPDATE payments SET attempts = 3, due_at = now() + interval '1 hour' WHERE id = %s", ids[1])
        self.house.execute("UPDATE payments SET attempts = 9, parked_at = now() WHERE id = %s", ids[2])

    def listings(self) -> dict[str, Listing]:
        """Every list in the eyes of everybody."""
        auditor = self.house.person("auditor", "Aud")
        viewers = {"Ann": self.ann, "Bob": self.bob, "Shop": self.shop, "Zed": self.stranger, "Ops": self.ops}
        found = {
            f"payments of {name}": Listing(person, "/v1/payments", payment_list.COLUMNS)
            for name, person in {**viewers, "Aud": auditor}.items()
        }
        owned = {**self.wallets, (self.ann.id, "second"): self.second}
        for (owner, currency), wallet in owned.items():
            person = next(one for one in self.people if one.id == owner)
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


@pytest.fixture(scope="module")
def listings(house: ApiHarness) -> dict[str, Listing]:
    return World(house).listings()


PAYMENTS, HISTORY = sorted(payment_list.COLUMNS), sorted(account_history.COLUMNS)
CASES = [*(("payments", name) for name in PAYMENTS), *(("history", name) for name in HISTORY)]


@pytest.mark.parametrize(
    ("schema", "columns", "query"),
    [(PaymentSchema, payment_list.COLUMNS, PaymentQuery), (HistoryRowSchema, account_history.COLUMNS, HistoryQuery)],
)
def test_every_member_of_a_row_can_be_filtered_and_sorted_by(schema: Any, columns: Any, query: Any) -> None:
    asked, named = query().fields, {SHORT.get(name, name) for name in columns}
    assert set(members(schema)) - set(NOT_FILTERED) == named
    for name, column in columns.items():
        assert name in asked
        assert (column.kind == "jsonb") is (name not in asked["sort"].words) is (f"-{name}" not in asked["sort"].words)
        if column.kind in ("numeric", "timestamptz", "integer"):
            assert all(f"{name}[{word}]" in asked for word in COMPARED)


def test_the_world_has_something_to_hide(listings: dict[str, Listing]) -> None:
    rows = listings["payments of Ops"].rows
    assert {row["state"] for row in rows} == {"INITIATED", "AUTHORIZED", "COMPLETED", "FAILED"}
    assert {row["type"] for row in rows} == {
        *("deposit", "withdrawal", "transfer", "charge", "refund", "exchange", "adjustment")
    }
    for name in payment_list.COLUMNS:
        assert len({str(listing.text(row, name)) for listing in listings.values() if not listing.currency
                    for row in listing.rows}) > 1, name  # fmt: skip
    for viewer, charged in (("Ann", ["target_amount"]), ("Bob", ["target_amount"]), ("Shop", [])):
        hidden = {row["id"]: row for row in listings[f"payments of {viewer}"].rows}
        for name in ("commission", "metadata", "amount", *charged):
            assert any(hidden[row["id"]][name] != row[name] for row in rows if row["id"] in hidden), (viewer, name)


def several(listings: dict[str, Listing], kind: str) -> list[Listing]:
    return [listing for name, listing in listings.items() if name.startswith(kind)]


def values(listings: list[Listing], name: str) -> list[tuple[str | None, Any]]:
    """What anybody is shown under the name, with its currency if it is an amount."""
    found = {
        (row[said] if (said := listing.columns[name].currency) else None, text)
        for listing in listings
        for row in listing.rows
        if (text := listing.text(row, name)) is not None
    }
    return random.Random(SEED).sample(sorted(found), min(len(found), TRIED_MAX))


def as_asked(text: Any) -> str:
    if isinstance(text, bool):
        return str(text).lower()
    return text.replace("+00:00", "Z") if isinstance(text, str) else str(text)


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1] != "metadata"])
def test_a_filter_finds_what_shows_the_value_and_nothing_else(
    listings: dict[str, Listing], kind: str, name: str
) -> None:
    every = several(listings, kind)
    tried = values(every, name)
    assert tried
    for listing in every:
        for currency, text in tried:
            if listing.currency and currency not in (None, listing.currency):
                continue
            rows, query = listing.within(name, currency)
            value, asked = listing.value(text, name), as_asked(text)
            shown = [(row, listing.shown(row, name)) for row in rows]
            equal = [row for row, at in shown if at == value]
            assert listing.found(**query, **{name: asked}) == listing.ids(equal), (listing, name, text)
            if listing.columns[name].kind not in ("numeric", "timestamptz", "integer") or (currency, text) != tried[0]:
                continue
            for word, compare in COMPARED.items():
                some = [row for row, at in shown if at is not None and compare(at, value)]
                parameter = {f"{name}[{word}]": asked}
                assert listing.found(**query, **parameter) == listing.ids(some), (listing, name, word, text)


def test_a_comma_list_finds_what_each_of_its_values_does(listings: dict[str, Listing]) -> None:
    listing = listings["payments of Ann"]
    for name in ("id", "source", "attempts", "created_at", "rate", "amount"):
        rows, query = listing.within(name, "EUR")
        texts = sorted({str(listing.text(row, name)) for row in rows} - {"None"})[:3]
        some = [row for row in rows if str(listing.text(row, name)) in texts]
        assert listing.found(**query, **{name: ",".join(map(as_asked, texts))}) == listing.ids(some)


def test_metadata_is_found_by_whom_it_is_shown_to(listings: dict[str, Listing]) -> None:
    for listing in several(listings, "payments"):
        for labels in ({"table": "1"}, {"table": "2", "%": "x"}, {"%": "a,b"}, {"%": "a"}):
            some = [row for row in listing.rows if labels.items() <= (row["metadata"] or {}).items()]
            query = {f"metadata[{key}]": text for key, text in labels.items()}
            assert listing.found(**query) == listing.ids(some)


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1] != "metadata"])
def test_a_sort_is_by_what_is_shown_nothing_before_anything(listings: dict[str, Listing], kind: str, name: str) -> None:
    for listing in several(listings, kind):
        for currency in ("EUR", "JPY") if listing.columns[name].currency and not listing.currency else (None,):
            rows, query = listing.within(name, currency)
            if not listing.rows:
                continue
            keys = {
                row[listing.key]: ((at := listing.shown(row, name)) is not None, at, row[listing.key]) for row in rows
            }
            for sort, is_descending in ((name, False), (f"-{name}", True)):
                ordered = sorted(keys.values(), key=_nothing_first, reverse=is_descending)
                pages = listing.pages(**query, **listing.span, sort=sort, limit="17")
                found = [row[listing.key] for page in pages for row in page]
                assert found == [key[-1] for key in ordered], (listing, sort)


def _nothing_first(key: tuple[bool, Any, str]) -> tuple[Any, ...]:
    return key if key[0] else (False, key[2])


@pytest.mark.parametrize(("looked_through", "limit"), [(1, "100"), (3, "1"), (7, "4"), (20, "100"), (1_000, "3")])
def test_a_page_looks_through_so_many_and_the_next_goes_on(
    listings: dict[str, Listing], monkeypatch: pytest.MonkeyPatch, looked_through: int, limit: str
) -> None:
    cases = [
        ("payments of Ann", "type", "exchange"),
        ("payments of Ops", "state", "FAILED"),
        ("payments of Bob", "state", "AUTHORIZED"),
    ]
    for name, column, value in cases:
        listing = listings[name]
        some = [row for row in listing.rows if listing.text(row, column) == value]
        with monkeypatch.context() as patch:
            patch.setattr(payment_search, "SCANNED_MAX", looked_through)
            for sort, expected in (("-created_at", some), ("created_at", some[::-1])):
                pages = listing.pages(**{column: value}, sort=sort, limit=limit, **listing.span)
                assert [row for page in pages for row in page] == expected
            answer = listing.viewer.get(f"/v1/payments?{column}={value}", Accept="application/x-ndjson")
            assert answer.get_data(as_text=True).count("\n") == len(some)


def test_more_than_can_be_sorted_is_refused(listings: dict[str, Listing], monkeypatch: pytest.MonkeyPatch) -> None:
    listing = listings["payments of Ops"]
    monkeypatch.setattr(payment_search, "SCANNED_MAX", len(listing.rows))
    for accept in ("application/json", "text/csv"):
        query = "&".join(f"{name}={text}" for name, text in listing.span.items())
        answer = listing.viewer.get(f"/v1/payments?{query}&sort=state", Accept=accept)
        assert (answer.status_code, answer.get_json()["errors"][0]["parameter"]) == (422, "created_at[gte]")
    monkeypatch.setattr(payment_search, "SCANNED_MAX", len(listing.rows) + 1)
    assert len(listing.get(**listing.span, sort="state", limit="100")["data"]) == len(listing.rows)
