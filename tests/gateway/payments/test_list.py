"""Filtered and sorted lists of payments: what a viewer is shown is found, and nothing else."""

import pytest

from tests.gateway.parties import LONG_AGO, NEVER, WEEK, Parties, rows, shift


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
def test_filters_of_the_payments(parties: Parties, query: str, names: list[str]) -> None:
    assert parties.payments(parties.ann, f"limit=100&{query}") == names


def test_the_children_of_a_payment(parties: Parties) -> None:
    assert parties.payments(parties.ann, f"parent={parties.charge},{parties.transfer}") == ["refund"]
    assert parties.payments(parties.shop, f"parent={parties.transfer}") == []


def test_metadata_filter_only_finds_own_payments(parties: Parties) -> None:
    ops = parties.api.person("ops")
    for query in ("metadata[table]=7", "metadata[table]=7&metadata[é]=a,b", "metadata[%C3%A9]=a,b&type=charge"):
        assert parties.payments(parties.shop, query) == parties.payments(ops, query) == ["charge"]
        assert parties.payments(parties.ann, query) == [], "they see the payment, but not its metadata"
    for query in ("metadata[table]=8", "metadata[key]=7", "metadata[table]=7&metadata[é]=a"):
        assert parties.payments(parties.shop, query) == []


def test_amount_filters_use_the_amounts_the_viewer_sees(parties: Parties) -> None:
    parties.order(parties.ann, "transfers", source=parties.yen, target=parties.ann.wallet(currency="JPY"), amount="3",
                 currency="JPY")  # fmt: skip
    for person in (parties.ann, parties.shop, parties.api.person("ops")):
        payments = person.get("/v1/payments?limit=100").get_json()["data"]
        for row in payments:
            same = [p["id"] for p in payments if (p["amount"], p["currency"]) == (row["amount"], row["currency"])]
            query = f"currency={row['currency']}&amount[gte]={row['amount']}&amount[lte]={row['amount']}"
            assert [p["id"] for p in person.get(f"/v1/payments?{query}").get_json()["data"]] == same
    assert parties.payments(parties.shop, "currency=EUR&amount[gte]=9.80&amount[lte]=10.00") == ["refund", "transfer"]
    assert parties.payments(parties.shop, "currency=EUR&amount[gte]=10.00&amount[lte]=10.00") == ["refund"]


def bounded(parties: Parties) -> str:
    made = parties.ann.payment(parties.deposit)["created_at"]
    return f"created_at[gte]={shift(made, -WEEK)}&created_at[lt]={shift(made, WEEK)}&currency=EUR&sort=-amount"


def test_order_by_amount_pages_both_ways(parties: Parties) -> None:
    names = ["refused", "deposit", "charge", "refund", "transfer", "held"]
    assert parties.payments(parties.ann, bounded(parties)) == names
    for limit in (1, 2, 5):
        path, pages = f"/v1/payments?{bounded(parties)}&limit={limit}", []
        page = parties.ann.get(path).get_json()
        while True:
            pages.append([parties.names[row["id"]] for row in page["data"]])
            if not page["has_more"]:
                break
            page = parties.ann.get(f"{path}&cursor={page['next_cursor']}").get_json()
        assert [name for page in pages for name in page] == names
        back = [pages[-1]]
        while page["prev_cursor"]:
            page = parties.ann.get(f"{path}&cursor={page['prev_cursor']}").get_json()
            back.append([parties.names[row["id"]] for row in page["data"]])
        assert back == pages[::-1]
    assert parties.payments(parties.ann, f"{bounded(parties)}&wallet={parties.yen}") == []
    cursor = parties.ann.get(f"/v1/payments?{bounded(parties)}&limit=1").get_json()["next_cursor"]
    assert parties.ann.get(f"/v1/payments?limit=1&cursor={cursor}").get_json()["code"] == "bad_cursor"


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
def test_n50_n56_invalid_payment_queries_are_refused(parties: Parties, query: str, code: str) -> None:
    answer = parties.ann.get(f"/v1/payments?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_inverted_range_is_empty_in_any_order(parties: Parties) -> None:
    query = f"sort=amount&currency=EUR&created_at[gte]={JUNE}&created_at[lt]={MAY}"
    assert parties.payments(parties.ann, query) == []
    assert parties.payments(parties.ann, "currency=EUR&amount[gt]=2.00&amount[lt]=1.00") == []


def test_n04_filters_never_show_payments_of_others(parties: Parties) -> None:
    stranger = parties.api.person("client", "Zed")
    for query in (
        f"parent={parties.charge}",
        "reference=A-1",
        "metadata[table]=7",
        f"wallet={parties.customer_wallet}",
        bounded(parties),
    ):
        assert parties.payments(stranger, query) == []


def test_cross_currency_payment_shows_each_side_its_own(parties: Parties) -> None:
    rate = {"source": "EUR", "target": "JPY", "rate": "160", "spread": "1", "source_name": "test"}
    assert parties.api.person("ops").call("PUT", "/v1/exchange-rates", json=rate).status_code == 200
    payer, payee = parties.api.person("client", "Pat"), parties.api.person("client", "Kay")
    euros, yen = payer.wallet("10.00"), payee.wallet(currency="JPY")
    for amount in ("8.00", "9.00"):
        body = {"source_currency": "EUR", "target_currency": "JPY", "amount": amount, "side": "source"}
        quote = payer.call("POST", "/v1/quotes", json=body).get_json()
        parties.order(payer, "transfers", source=euros, target=yen, amount=amount, quote=quote["id"])
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
    assert parties.payments(payee, "currency=EUR") == []
