"""The history and past balances of a wallet, and filtered lists of payments: N03 and N50 to N56 over HTTP."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser

WEEK = timedelta(days=7)


def shift(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).astimezone(UTC).isoformat().replace("+00:00", "Z")


def rows(person: ApiUser, wallet: str, query: str = "limit=100") -> list[dict[str, Any]]:
    answer = person.get(f"/v1/wallets/{wallet}/operations?{query}")
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()["data"]


class Street:
    """A client and a merchant who pay each other, with 2 % commission; `ids` has the payments, oldest first."""

    def __init__(self, house: ApiHarness) -> None:
        house.execute("ALTER TABLE commission_terms DISABLE TRIGGER USER")
        house.execute("UPDATE commission_terms SET percent = 2 WHERE type IN ('transfer', 'charge')")
        self.house = house
        self.ann, self.shop = house.person("client", "Ann"), house.person("merchant", "Shop")
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
        self.house.post_payments()
        return answer.get_json()["id"]

    def history(self, person: ApiUser, wallet: str, query: str = "limit=100") -> list[str]:
        return [self.names[row["payment"]] for row in rows(person, wallet, query)]

    def payments(self, person: ApiUser, query: str) -> list[str]:
        answer = person.get(f"/v1/payments?{query}")
        assert answer.status_code == 200, answer.get_json()
        return [self.names.get(row["id"], row["type"]) for row in answer.get_json()["data"]]


@pytest.fixture(scope="module")
def street(house: ApiHarness) -> Street:
    return Street(house)


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    members = ("type", "success", "amount", "commission", "balance_after", "summary", "reference")
    return (*(row[name] for name in members), row["counterparty"]["name"], row["failure"] and row["failure"]["code"])


def test_history_of_a_client_shows_each_payment(street: Street) -> None:
    assert [shown(row) for row in rows(street.ann, street.customer_wallet)] == [
        ("refund", True, "10.00", None, "80.00", None, None, "Shop", None),
        ("charge", False, "-999.00", None, None, None, "A-2", "Shop", "insufficient_funds"),
        ("charge", True, "-20.00", None, "70.00", "Coffee", "A-1", "Shop", None),
        ("transfer", True, "-10.00", "0.20", "90.00", "Thanks", None, "Shop", None),
        ("deposit", True, "100.00", "0.00", "100.00", None, None, "wire", None),
    ]


def test_history_of_a_merchant_includes_commission(street: Street) -> None:
    assert [shown(row) for row in rows(street.shop, street.merchant_wallet)] == [
        ("refund", True, "-9.80", "0.20", "19.60", None, None, "Ann", None),
        ("charge", False, "999.00", "0.00", None, None, "A-2", "Ann", "insufficient_funds"),
        ("charge", True, "19.60", "0.40", "29.40", "Coffee", "A-1", "Ann", None),
        ("transfer", True, "9.80", None, "9.80", "Thanks", None, "Ann", None),
    ]
    last4 = {row["counterparty"]["last4"] for row in rows(street.shop, street.merchant_wallet)}
    assert last4 == {street.customer_wallet[-4:]}
    assert rows(street.ann, street.customer_wallet)[-1]["counterparty"]["last4"] is None


def test_the_rows_add_up_to_the_balance(street: Street) -> None:
    for person, wallet, cents in (
        (street.ann, street.customer_wallet, 8000),
        (street.shop, street.merchant_wallet, 1960),
    ):
        done = rows(person, wallet, "success=true")
        assert sum(int(row["amount"].replace(".", "")) for row in done) == cents
        assert done[0]["balance_after"] == person.balance(wallet) == f"{cents // 100}.{cents % 100:02}"
        for newer, older in itertools.pairwise(done):
            after, before, amount = (
                int(text.replace(".", "")) for text in (newer["balance_after"], older["balance_after"], newer["amount"])
            )
            assert after == before + amount


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("success=true", ["refund", "charge", "transfer", "deposit"]),
        ("success=false", ["refused"]),
        ("success=false,true", ["refund", "refused", "charge", "transfer", "deposit"]),
        ("type=charge", ["refused", "charge"]),
        ("type=charge,refund&success=true", ["refund", "charge"]),
        ("direction=in", ["refund", "deposit"]),
        ("direction=out", ["refused", "charge", "transfer"]),
        ("direction=in,out&type=transfer", ["transfer"]),
        ("amount[gte]=20.00", ["refused", "charge", "deposit"]),
        ("amount[gt]=20.00", ["refused", "deposit"]),
        ("amount[gt]=9.99&amount[lte]=20", ["refund", "charge", "transfer"]),
        ("amount[lt]=10.01&direction=out", ["transfer"]),
        ("amount[gt]=20&amount[lt]=10", []),
        ("amount[gt]=99999999999999999999999999999999999.99", []),
    ],
)
def test_filters_of_the_history(street: Street, query: str, names: list[str]) -> None:
    assert street.history(street.ann, street.customer_wallet, query) == names


def test_history_filters_use_the_shown_amounts(street: Street) -> None:
    assert street.history(street.shop, street.merchant_wallet, "amount[gte]=9.80&amount[lte]=9.80") == [
        "refund",
        "transfer",
    ]
    assert street.history(street.shop, street.merchant_wallet, "amount[gte]=10.00&amount[lte]=10.00") == []


def test_history_filtered_by_time(street: Street) -> None:
    made = {street.names[row["payment"]]: row["created_at"] for row in rows(street.ann, street.customer_wallet)}
    at = shift(made["charge"], timedelta())
    assert street.history(street.ann, street.customer_wallet, f"created_at[gte]={at}") == [
        "refund",
        "refused",
        "charge",
    ]
    assert street.history(street.ann, street.customer_wallet, f"created_at[gt]={at}") == ["refund", "refused"]
    assert street.history(street.ann, street.customer_wallet, f"created_at[lte]={at}") == [
        "charge",
        "transfer",
        "deposit",
    ]
    assert street.history(street.ann, street.customer_wallet, f"created_at[lt]={at}") == ["transfer", "deposit"]
    assert street.history(street.ann, street.customer_wallet, f"created_at[lt]={at}&created_at[gt]={at}") == []


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
def test_history_pages_both_ways(street: Street, limit: int) -> None:
    path = f"/v1/wallets/{street.customer_wallet}/operations?limit={limit}"
    pages = [street.ann.get(path).get_json()]
    while pages[-1]["has_more"]:
        pages.append(street.ann.get(f"{path}&cursor={pages[-1]['next_cursor']}").get_json())
    assert [row for page in pages for row in page["data"]] == rows(street.ann, street.customer_wallet)
    for earlier, page in itertools.pairwise(pages):
        assert street.ann.get(f"{path}&cursor={page['prev_cursor']}").get_json()["data"] == earlier["data"]
    if len(pages) > 1:
        other = f"/v1/wallets/{street.yen}/operations?limit={limit}&cursor={pages[0]['next_cursor']}"
        assert street.ann.get(other).get_json()["code"] == "bad_cursor"


def test_a_wallet_without_history(street: Street) -> None:
    assert rows(street.ann, street.ann.wallet()) == []
    assert [row["amount"] for row in rows(street.ann, street.yen)] == ["7"]


LONG_AGO, NEVER = "1971-01-01T00:00:00Z", "9998-12-31T23:59:59Z"


def test_the_balance_at_any_time(street: Street) -> None:
    def balance(at: str) -> str:
        answer = street.ann.get(f"/v1/wallets/{street.customer_wallet}/balance?at={at}")
        assert answer.status_code == 200
        assert answer.get_json()["wallet"] == street.customer_wallet
        assert answer.get_json()["currency"] == "EUR"
        return answer.get_json()["balance"]

    house = street.house
    posted = house.execute(
        "SELECT o.created_at FROM operations o JOIN accounts a ON a.id = o.account_id WHERE a.token = %s"
        " ORDER BY account_seq",
        street.customer_wallet,
    )
    moment = timedelta(microseconds=1)
    after = ["100.00", "90.20", "90.00", "70.00", "80.00"]
    last = dict(zip(posted, after, strict=True))
    assert list(last.values()) == ["100.00", "90.00", "70.00", "80.00"]
    before = "0.00"
    for time, left in last.items():
        assert balance(shift(time.isoformat(), -moment)) == before
        assert balance(shift(time.isoformat(), timedelta())) == left
        before = left
    assert balance(LONG_AGO) == "0.00"
    assert balance(NEVER) == "80.00"


def test_the_balance_says_which_time_it_is_of(street: Street) -> None:
    answer = street.ann.get(f"/v1/wallets/{street.customer_wallet}/balance?at=2026-01-01T01:00:00%2B01:00").get_json()
    assert (answer["at"], answer["balance"]) == ("2026-01-01T00:00:00+00:00", "0.00")


def test_n56_balance_at_an_invalid_time_is_refused(street: Street) -> None:
    def refusal(query: str) -> tuple[int, str]:
        answer = street.ann.get(f"/v1/wallets/{street.customer_wallet}/balance{query}")
        return answer.status_code, answer.get_json()["code"]

    assert refusal("") == (422, "required")
    assert refusal("?at=2026-01-01T00:00:00Z&x=1") == (422, "unknown_parameter")
    for wrong in (
        "",
        "now",
        "infinity",
        "2026-01-01",
        "9999-12-31T23:59:59Z",
        "2026-01-01T00:00:00%2B99:99",
        "1' OR 1=1",
    ):
        assert refusal(f"?at={wrong}") == (422, "invalid_value"), wrong


@pytest.mark.parametrize("end", ["operations", f"balance?at={NEVER}"])
def test_n03_anothers_wallet_answers_not_found(street: Street, end: str) -> None:
    unknown = "wal_" + "x" * 32
    for person in (street.shop, street.house.person("client"), street.house.person("merchant")):
        bodies = []
        for wallet in (street.customer_wallet, unknown, "x", "%00"):
            answer = person.get(f"/v1/wallets/{wallet}/{end}")
            bodies.append({**answer.get_json(), "request_id": None, "instance": None})
            assert answer.status_code == 404
        assert bodies.count(bodies[0]) == len(bodies)
    for role in ("ops", "auditor"):
        assert street.house.person(role).get(f"/v1/wallets/{street.customer_wallet}/{end}").status_code == 200
    assert street.house.nobody().get(f"/v1/wallets/{street.customer_wallet}/{end}").status_code == 401


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *[(query, "unknown_parameter") for query in (
            "x=1", "order=amount", "state=COMPLETED", "amount[eq]=1.00", "success[]=true", "wallet=x",
            "type[gte]=a", "counterparty=Shop", "counterparty[wallet]=x", "offset=1", "metadata[a]=b", "account_id=1")],
        *[(query, "invalid_value") for query in (
            "success=yes", "success=", "success=TRUE", "direction=both", "direction=in;out", "type=%25",
            "created_at[gte]=2026", "created_at[lt]=9999-12-31T23:59:59Z")],
        *[(f"sort={sort}", "invalid_value") for sort in ("", "-", "--amount", "amount,type", "direction", "id")],
        ("sort=amount", "validation_failed"),
        *[(f"amount[gte]={amount}", "amount_invalid") for amount in (
            "", "-1.00", "+1", "1e3", "NaN", "Infinity", "01.00", ".5", "1.", "1,00", "%D9%A1", "1.00'--", "%00")],
        ("amount[lt]=1.001", "amount_precision"),
        ("amount=1.00,1.001", "amount_precision"),
        ("amount=1.00,", "amount_invalid"),
        ("amount[lt]=" + "9" * 39, "amount_too_large"),
        ("limit=0", "limit_out_of_range"),
        ("limit=1&limit=1", "repeated_parameter"),
    ],
)  # fmt: skip
def test_n50_n56_invalid_history_queries_are_refused(street: Street, query: str, code: str) -> None:
    answer = street.ann.get(f"/v1/wallets/{street.customer_wallet}/operations?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=AUTHORIZED", ["held"]),
        ("currency=EUR&type=transfer,refund", ["refund", "transfer"]),
        ("currency=JPY", ["deposit"]),
        ("currency=USD", []),
        ("currency=JPY,EUR&state=COMPLETED", ["refund", "charge", "transfer", "deposit", "deposit"]),
        ("reference=A-1", ["charge"]),
        ("reference=A", []),
        ("reference=A-%25", []),
        ("summary=Thanks", ["transfer"]),
        ("reason=duplicate", ["refund"]),
        ("reason=duplicate,fraudulent", ["refund"]),
        ("reason=fraudulent", []),
        ("failure=insufficient_funds", ["refused"]),
        ("failure=expired,canceled", []),
        ("currency=EUR&amount[gte]=20.00", ["refused", "charge", "deposit"]),
        ("currency=EUR&amount[gt]=20&amount[lt]=100.01", ["deposit"]),
        ("currency=JPY&amount[lte]=7", ["deposit"]),
        (f"finalized_at[gt]={LONG_AGO}&type=charge", ["refused", "charge"]),
        (f"finalized_at[lt]={LONG_AGO}", []),
        (f"scheduled_at[gte]={LONG_AGO}", []),
        (f"expires_at[lte]={NEVER}", []),
    ],
)
def test_filters_of_the_payments(street: Street, query: str, names: list[str]) -> None:
    assert street.payments(street.ann, f"limit=100&{query}") == names


def test_the_children_of_a_payment(street: Street) -> None:
    assert street.payments(street.ann, f"parent={street.charge},{street.transfer}") == ["refund"]
    assert street.payments(street.shop, f"parent={street.transfer}") == []


def test_metadata_filter_only_finds_own_payments(street: Street) -> None:
    ops = street.house.person("ops")
    for query in ("metadata[table]=7", "metadata[table]=7&metadata[é]=a,b", "metadata[%C3%A9]=a,b&type=charge"):
        assert street.payments(street.shop, query) == street.payments(ops, query) == ["charge"]
        assert street.payments(street.ann, query) == [], "he sees the payment, but not its metadata"
    for query in ("metadata[table]=8", "metadata[key]=7", "metadata[table]=7&metadata[é]=a"):
        assert street.payments(street.shop, query) == []


def test_amount_filters_use_the_amounts_the_viewer_sees(street: Street) -> None:
    street.order(street.ann, "transfers", source=street.yen, target=street.ann.wallet(currency="JPY"), amount="3",
                 currency="JPY")  # fmt: skip
    for person in (street.ann, street.shop, street.house.person("ops")):
        payments = person.get("/v1/payments?limit=100").get_json()["data"]
        for row in payments:
            same = [p["id"] for p in payments if (p["amount"], p["currency"]) == (row["amount"], row["currency"])]
            query = f"currency={row['currency']}&amount[gte]={row['amount']}&amount[lte]={row['amount']}"
            assert [p["id"] for p in person.get(f"/v1/payments?{query}").get_json()["data"]] == same
    assert street.payments(street.shop, "currency=EUR&amount[gte]=9.80&amount[lte]=10.00") == ["refund", "transfer"]
    assert street.payments(street.shop, "currency=EUR&amount[gte]=10.00&amount[lte]=10.00") == ["refund"]


def test_history_shows_the_captured_part_of_a_hold(street: Street) -> None:
    client, merchant = street.house.person("client"), street.house.person("merchant")
    customer_wallet, merchant_wallet = client.wallet("10.00"), merchant.wallet()
    charge = street.order(merchant, "charges", wallet=customer_wallet, amount="8.00", capture=False)
    assert rows(merchant, merchant_wallet) == []
    assert merchant.order(f"/v1/charges/{charge}/capture", {"amount": "3.00"}).status_code == 202
    street.house.post_payments()
    assert [(row["amount"], row["balance_after"]) for row in rows(client, customer_wallet, "type=charge")] == [
        ("-3.00", "7.00")
    ]
    assert [(row["amount"], row["commission"]) for row in rows(merchant, merchant_wallet)] == [("2.94", "0.06")]
    for person in (client, merchant):
        [shown] = person.get("/v1/payments?type=charge").get_json()["data"]
        query = f"type=charge&currency=EUR&amount[gte]={shown['amount']}&amount[lte]={shown['amount']}"
        assert person.get(f"/v1/payments?{query}").get_json()["data"] == [shown]


def bounded(street: Street) -> str:
    made = street.ann.get(f"/v1/payments/{street.deposit}").get_json()["created_at"]
    return f"created_at[gte]={shift(made, -WEEK)}&created_at[lt]={shift(made, WEEK)}&currency=EUR&sort=-amount"


def test_order_by_amount_pages_both_ways(street: Street) -> None:
    names = ["refused", "deposit", "charge", "refund", "transfer", "held"]
    assert street.payments(street.ann, bounded(street)) == names
    for limit in (1, 2, 5):
        path, pages = f"/v1/payments?{bounded(street)}&limit={limit}", []
        page = street.ann.get(path).get_json()
        while True:
            pages.append([street.names[row["id"]] for row in page["data"]])
            if not page["has_more"]:
                break
            page = street.ann.get(f"{path}&cursor={page['next_cursor']}").get_json()
        assert [name for one in pages for name in one] == names
        back = [pages[-1]]
        while page["prev_cursor"]:
            page = street.ann.get(f"{path}&cursor={page['prev_cursor']}").get_json()
            back.append([street.names[row["id"]] for row in page["data"]])
        assert back == pages[::-1]
    assert street.payments(street.ann, f"{bounded(street)}&wallet={street.yen}") == []
    cursor = street.ann.get(f"/v1/payments?{bounded(street)}&limit=1").get_json()["next_cursor"]
    assert street.ann.get(f"/v1/payments?limit=1&cursor={cursor}").get_json()["code"] == "bad_cursor"


MAY, JUNE, JULY = "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *[(query, "unknown_parameter") for query in (
            "metadata=7", "metadata[]=7", "metadata=7&metadata[a]=b", "reference[gte]=A", "parent[]=x", "parent[gte]=x",
            "source[wallet]=x", "source[email]=x", "due_at=1", "amount[ne]=1", "created_at[eq]=1")],
        *[(query, "invalid_value") for query in (
            "sort=user_id", "sort=amount;--", "sort=", "sort=%2Bamount", "sort=p.id", "sort=metadata", "parent=x",
            "bulk=x", "reason=x", "id=x", "source=x", "attempts=-1", "attempts=1.0", "attempts[gt]=9999999999",
            "rate=1e3", "rate[lt]=-1", "failure=x", "parent=" + "x," * 30, "finalized_at[gte]=2026", "reference=",
            f"sort=amount&currency=EUR&created_at[gte]={MAY}&created_at[lt]={JULY}")],
        ("currency=eur", "currency_unknown"),
        ("currency=EUR,", "currency_unknown"),
        ("currency=XXX&amount[gt]=1.00", "currency_unknown"),
        ("currency=EUR&amount[gt]=1.001", "amount_precision"),
        ("currency=EUR&amount[gt]=1e3", "amount_invalid"),
        ("amount[gt]=1.00", "required"),
        ("currency=EUR,JPY&amount[gt]=1.00", "required"),
        (f"sort=amount&created_at[gte]={MAY}&created_at[lt]={JUNE}", "required"),
        (f"sort=amount&currency=EUR&created_at[gte]={MAY}", "required"),
        (f"sort=amount&currency=EUR&created_at[lt]={MAY}", "required"),
        ("sort=amount&currency=EUR", "validation_failed"),
        (f"sort=-commission&created_at[gte]={MAY}&created_at[lt]={JUNE}", "required"),
        (f"sort=target_amount&currency=EUR&created_at[gte]={MAY}&created_at[lt]={JUNE}", "required"),
        ("target_amount=1.00&currency=EUR", "required"),
        ("target_amount=1.00&target_currency=XXX", "currency_unknown"),
        ("metadata[a%00]=b", "text_invalid"),
        ("metadata[a]=%00", "text_invalid"),
        ("metadata[" + "a" * 41 + "]=b", "text_too_long"),
        ("summary=" + "a" * 71, "text_too_long"),
        ("sort=amount&sort=amount", "repeated_parameter"),
        ("metadata[a]=b&metadata[a]=c", "repeated_parameter"),
    ],
)  # fmt: skip
def test_n50_n56_invalid_payment_queries_are_refused(street: Street, query: str, code: str) -> None:
    answer = street.ann.get(f"/v1/payments?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_inverted_range_is_empty_in_any_order(street: Street) -> None:
    query = f"sort=amount&currency=EUR&created_at[gte]={JUNE}&created_at[lt]={MAY}"
    assert street.payments(street.ann, query) == []
    assert street.payments(street.ann, "currency=EUR&amount[gt]=2.00&amount[lt]=1.00") == []


def test_n04_filters_never_show_payments_of_others(street: Street) -> None:
    stranger = street.house.person("client", "Zed")
    for query in (
        f"parent={street.charge}",
        "reference=A-1",
        "metadata[table]=7",
        f"wallet={street.customer_wallet}",
        bounded(street),
    ):
        assert street.payments(stranger, query) == []


def test_cross_currency_payment_shows_each_side_its_own(street: Street) -> None:
    rate = {"source": "EUR", "target": "JPY", "rate": "160", "spread": "1", "source_name": "test"}
    assert street.house.person("ops").call("PUT", "/v1/exchange-rates", json=rate).status_code == 200
    payer, payee = street.house.person("client", "Pat"), street.house.person("client", "Kay")
    euros, yen = payer.wallet("10.00"), payee.wallet(currency="JPY")
    for amount in ("8.00", "9.00"):
        asked = {"source_currency": "EUR", "target_currency": "JPY", "amount": amount, "side": "source"}
        quote = payer.call("POST", "/v1/quotes", json=asked).get_json()
        street.order(payer, "transfers", source=euros, target=yen, amount=amount, quote=quote["id"])
    failed, done = rows(payer, euros, "type=transfer")
    assert (done["amount"], done["currency"], done["balance_after"]) == ("-8.00", "EUR", "2.00")
    assert (failed["amount"], failed["currency"], failed["success"]) == ("-9.00", "EUR", False)
    there_failed, there = rows(payee, yen)
    arrived = payee.balance(yen)
    assert (there["amount"], there["currency"], there["balance_after"]) == (arrived, "JPY", arrived)
    assert (there["commission"], done["commission"] > "0.00") == (None, True)
    assert (there_failed["currency"], there_failed["success"], there_failed["failure"]["code"]) == (
        *("JPY", False, "insufficient_funds"),
    )
    for person, wallet, row in (
        (payer, euros, done),
        (payer, euros, failed),
        (payee, yen, there),
        (payee, yen, there_failed),
    ):
        amount = row["amount"].removeprefix("-")
        query = f"type=transfer&amount[gte]={amount}&amount[lte]={amount}"
        assert rows(person, wallet, query) == [row]
        [found] = person.get(f"/v1/payments?{query}&currency={row['currency']}").get_json()["data"]
        assert (found["id"], found["amount"]) == (row["payment"], amount)
    assert street.payments(payee, "currency=EUR") == []
