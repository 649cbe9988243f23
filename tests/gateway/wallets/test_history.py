"""The history and past balances of a wallet."""

import itertools
from datetime import timedelta

import pytest

from tests.gateway.parties import LONG_AGO, NEVER, Parties, rows, shift, shown


def test_history_of_a_client_shows_each_payment(parties: Parties) -> None:
    assert [shown(row) for row in rows(parties.ann, parties.customer_wallet)] == [
        ("refund", True, "10.00", None, "80.00", None, None, "Shop", None),
        ("charge", False, "-999.00", None, None, None, "A-2", "Shop", "insufficient_funds"),
        ("charge", True, "-20.00", None, "70.00", "Coffee", "A-1", "Shop", None),
        ("transfer", True, "-10.00", "0.20", "90.00", "Thanks", None, "Shop", None),
        ("deposit", True, "100.00", "0.00", "100.00", None, None, "wire", None),
    ]


def test_history_of_a_merchant_includes_commission(parties: Parties) -> None:
    assert [shown(row) for row in rows(parties.shop, parties.merchant_wallet)] == [
        ("refund", True, "-9.80", "0.20", "19.60", None, None, "Ann", None),
        ("charge", False, "999.00", "0.00", None, None, "A-2", "Ann", "insufficient_funds"),
        ("charge", True, "19.60", "0.40", "29.40", "Coffee", "A-1", "Ann", None),
        ("transfer", True, "9.80", None, "9.80", "Thanks", None, "Ann", None),
    ]
    last4 = {row["counterparty"]["last4"] for row in rows(parties.shop, parties.merchant_wallet)}
    assert last4 == {parties.customer_wallet[-4:]}
    assert rows(parties.ann, parties.customer_wallet)[-1]["counterparty"]["last4"] is None


def test_the_rows_add_up_to_the_balance(parties: Parties) -> None:
    for person, wallet, cents in (
        (parties.ann, parties.customer_wallet, 8000),
        (parties.shop, parties.merchant_wallet, 1960),
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
def test_filters_of_the_history(parties: Parties, query: str, names: list[str]) -> None:
    assert parties.history(parties.ann, parties.customer_wallet, query) == names


def test_history_filters_use_the_shown_amounts(parties: Parties) -> None:
    assert parties.history(parties.shop, parties.merchant_wallet, "amount[gte]=9.80&amount[lte]=9.80") == [
        "refund",
        "transfer",
    ]
    assert parties.history(parties.shop, parties.merchant_wallet, "amount[gte]=10.00&amount[lte]=10.00") == []


def test_history_filtered_by_time(parties: Parties) -> None:
    made = {parties.names[row["payment"]]: row["created_at"] for row in rows(parties.ann, parties.customer_wallet)}
    at = shift(made["charge"], timedelta())
    assert parties.history(parties.ann, parties.customer_wallet, f"created_at[gte]={at}") == [
        "refund",
        "refused",
        "charge",
    ]
    assert parties.history(parties.ann, parties.customer_wallet, f"created_at[gt]={at}") == ["refund", "refused"]
    assert parties.history(parties.ann, parties.customer_wallet, f"created_at[lte]={at}") == [
        "charge",
        "transfer",
        "deposit",
    ]
    assert parties.history(parties.ann, parties.customer_wallet, f"created_at[lt]={at}") == ["transfer", "deposit"]
    assert parties.history(parties.ann, parties.customer_wallet, f"created_at[lt]={at}&created_at[gt]={at}") == []


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
def test_history_pages_both_ways(parties: Parties, limit: int) -> None:
    path = f"/v1/wallets/{parties.customer_wallet}/operations?limit={limit}"
    pages = [parties.ann.get(path).get_json()]
    while pages[-1]["has_more"]:
        pages.append(parties.ann.get(f"{path}&cursor={pages[-1]['next_cursor']}").get_json())
    assert [row for page in pages for row in page["data"]] == rows(parties.ann, parties.customer_wallet)
    for earlier, page in itertools.pairwise(pages):
        assert parties.ann.get(f"{path}&cursor={page['prev_cursor']}").get_json()["data"] == earlier["data"]
    if len(pages) > 1:
        other = f"/v1/wallets/{parties.yen}/operations?limit={limit}&cursor={pages[0]['next_cursor']}"
        assert parties.ann.get(other).get_json()["code"] == "bad_cursor"


def test_a_wallet_without_history(parties: Parties) -> None:
    assert rows(parties.ann, parties.ann.wallet()) == []
    assert [row["amount"] for row in rows(parties.ann, parties.yen)] == ["7"]


def test_the_balance_at_any_time(parties: Parties) -> None:
    def balance(at: str) -> str:
        answer = parties.ann.get(f"/v1/wallets/{parties.customer_wallet}/balance?at={at}")
        assert answer.status_code == 200
        assert answer.get_json()["wallet"] == parties.customer_wallet
        assert answer.get_json()["currency"] == "EUR"
        return answer.get_json()["balance"]

    api = parties.api
    posted = api.execute(
        "SELECT o.created_at FROM operations o JOIN accounts a ON a.id = o.account_id WHERE a.token = %s"
        " ORDER BY account_seq",
        parties.customer_wallet,
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


def test_the_balance_says_which_time_it_is_of(parties: Parties) -> None:
    answer = parties.ann.get(f"/v1/wallets/{parties.customer_wallet}/balance?at=2026-01-01T01:00:00%2B01:00").get_json()
    assert (answer["at"], answer["balance"]) == ("2026-01-01T00:00:00+00:00", "0.00")


def test_n56_balance_at_an_invalid_time_is_refused(parties: Parties) -> None:
    def refusal(query: str) -> tuple[int, str]:
        answer = parties.ann.get(f"/v1/wallets/{parties.customer_wallet}/balance{query}")
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
def test_n03_anothers_wallet_answers_not_found(parties: Parties, end: str) -> None:
    unknown = "wal_" + "x" * 32
    for person in (parties.shop, parties.api.person("client"), parties.api.person("merchant")):
        bodies = []
        for wallet in (parties.customer_wallet, unknown, "x", "%00"):
            answer = person.get(f"/v1/wallets/{wallet}/{end}")
            bodies.append({**answer.get_json(), "request_id": None, "instance": None})
            assert answer.status_code == 404
        assert bodies.count(bodies[0]) == len(bodies)
    for role in ("ops", "auditor"):
        assert parties.api.person(role).get(f"/v1/wallets/{parties.customer_wallet}/{end}").status_code == 200
    assert parties.api.anonymous().get(f"/v1/wallets/{parties.customer_wallet}/{end}").status_code == 401


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
def test_n50_n56_invalid_history_queries_are_refused(parties: Parties, query: str, code: str) -> None:
    answer = parties.ann.get(f"/v1/wallets/{parties.customer_wallet}/operations?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_history_shows_the_captured_part_of_a_hold(parties: Parties) -> None:
    client, merchant = parties.api.person("client"), parties.api.person("merchant")
    customer_wallet, merchant_wallet = client.wallet("10.00"), merchant.wallet()
    charge = parties.order(merchant, "charges", wallet=customer_wallet, amount="8.00", capture=False)
    assert rows(merchant, merchant_wallet) == []
    assert merchant.order(f"/v1/charges/{charge}/capture", {"amount": "3.00"}).status_code == 202
    parties.api.post_payments()
    assert [(row["amount"], row["balance_after"]) for row in rows(client, customer_wallet, "type=charge")] == [
        ("-3.00", "7.00")
    ]
    assert [(row["amount"], row["commission"]) for row in rows(merchant, merchant_wallet)] == [("2.94", "0.06")]
    for person in (client, merchant):
        [shown] = person.get("/v1/payments?type=charge").get_json()["data"]
        query = f"type=charge&currency=EUR&amount[gte]={shown['amount']}&amount[lte]={shown['amount']}"
        assert person.get(f"/v1/payments?{query}").get_json()["data"] == [shown]
