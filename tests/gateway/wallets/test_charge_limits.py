"""Charge limits and blocked merchants of a wallet: set over HTTP, applied by the poster."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import make_url
from uuid_utils import compat as uuids
from werkzeug.test import TestResponse

from embedded.postgres import Postgres
from gateway.wallets.schemas import BLOCKED_MERCHANTS_MAX, CHARGE_LIMITS_MAX
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import past_the_triggers
from workers.posting.poster import Poster

AT_ONCE = 20


@pytest.fixture
def customer_wallet(client: ApiUser) -> str:
    """A wallet of the client's with 100.00 EUR."""
    return client.wallet("100.00")


@pytest.fixture
def merchant_wallet(merchant: ApiUser) -> str:
    """A wallet of the merchant's."""
    return merchant.wallet()


def change(person: ApiUser, wallet: str, **body: Any) -> TestResponse:
    return person.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers={"If-Match": "*"})


def limit(merchant: ApiUser | None = None, per_charge: str | None = None, per_day: str | None = None) -> dict[str, Any]:
    return {"merchant": merchant and merchant.id, "per_charge": per_charge, "per_day": per_day}


def limited(client: ApiUser, customer_wallet: str, *limits: dict[str, Any]) -> None:
    assert change(client, customer_wallet, charge_limits=list(limits)).status_code == 200


def charge(merchant: ApiUser, customer_wallet: str, amount: str = "10.00", **members: Any) -> str:
    """The id of a charge, not yet posted."""
    order = {"wallet": customer_wallet, "amount": amount, "currency": "EUR", **members}
    answer = merchant.order("/v1/charges", order)
    assert answer.status_code == 202
    return answer.get_json()["id"]


def outcome(person: ApiUser, id: str) -> str:
    payment = person.get(f"/v1/payments/{id}").get_json()
    return payment["failure"]["code"] if payment["failure"] else payment["state"]


def outcomes(house: ApiHarness, merchant: ApiUser, *ids: str) -> list[str]:
    """The outcomes of these charges after posting all due payments."""
    house.post_payments()
    return [outcome(merchant, id) for id in ids]


# Set and shown


def test_limits_and_blocks_are_shown_as_they_were_set(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet, mart = client.wallet(), house.person("merchant", "Mart")
    first = client.get(f"/v1/wallets/{wallet}")
    assert (first.get_json()["charge_limits"], first.get_json()["blocked_merchants"]) == ([], [])
    wished = [limit(mart, None, "0.01"), limit(None, "10.0", "25"), {"merchant": merchant.id, "per_charge": "5.00"}]
    answer = change(client, wallet, charge_limits=wished, blocked_merchants=[mart.id, merchant.id])
    shown = answer.get_json()
    assert answer.status_code == 200
    assert answer.headers["ETag"] == client.get(f"/v1/wallets/{wallet}").headers["ETag"] != first.headers["ETag"]
    assert shown["charge_limits"] == [
        limit(None, "10.00", "25.00"),
        *sorted([limit(mart, None, "0.01"), limit(merchant, "5.00")], key=lambda each: str(each["merchant"])),
    ]
    assert shown["blocked_merchants"] == sorted([mart.id, merchant.id])
    assert shown == {**first.get_json(), **{name: shown[name] for name in ("charge_limits", "blocked_merchants")}}
    assert client.get(f"/v1/wallets/{wallet}").get_json() == shown
    assert client.get("/v1/wallets").get_json()["data"] == [shown]
    for reader in (house.person("ops"), house.person("auditor")):
        assert reader.get(f"/v1/wallets/{wallet}").get_json() == shown
        [account] = reader.get(f"/v1/ops/accounts?owner={client.id}").get_json()["data"]
        assert account["charge_limits"] == shown["charge_limits"]


@pytest.mark.parametrize("nothing", [None, []])
def test_null_or_an_empty_list_clears(house: ApiHarness, client: ApiUser, merchant: ApiUser, nothing: Any) -> None:
    wallet = client.wallet()
    fresh = client.get(f"/v1/wallets/{wallet}").get_json()
    change(client, wallet, charge_limits=[limit(merchant, "1.00")], blocked_merchants=[merchant.id])
    assert house.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [True]
    half = change(client, wallet, charge_limits=nothing).get_json()
    assert (half["charge_limits"], half["blocked_merchants"]) == ([], [merchant.id])
    assert house.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [True]
    assert change(client, wallet, blocked_merchants=nothing).get_json() == fresh
    assert house.execute("SELECT is_limited FROM accounts WHERE token = %s", wallet) == [False]


def test_label_change_keeps_the_charge_limits(client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    set_ = change(client, wallet, charge_limits=[limit(None, "1.00")], blocked_merchants=[merchant.id]).get_json()
    assert change(client, wallet, label="mine").get_json() == {**set_, "label": "mine"}


def test_same_limits_in_another_order_change_nothing(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet, mart = client.wallet(), house.person("merchant", "Mart")
    limits, blocked = [limit(mart, "1.00"), limit(None, "2.00")], [merchant.id, mart.id]
    first = change(client, wallet, charge_limits=limits, blocked_merchants=blocked)
    with house.unchanged():
        again = change(client, wallet, charge_limits=limits[::-1], blocked_merchants=blocked[::-1])
    assert (again.get_json(), again.headers["ETag"]) == (first.get_json(), first.headers["ETag"])


def test_a_change_is_audited(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    change(client, wallet, charge_limits=[limit(merchant, "1.00", "2.00")])
    change(client, wallet, blocked_merchants=[merchant.id], charge_limits=None)
    first, second = house.execute("SELECT to_jsonb(l) FROM audit_log l WHERE actor = %s ORDER BY id", client.id)
    assert first["before"] == {"charge_limits": []}
    assert first["after"] == {"charge_limits": [limit(merchant, "1.00", "2.00")]}
    assert second["before"] == {"charge_limits": [limit(merchant, "1.00", "2.00")], "blocked_merchants": []}
    assert second["after"] == {"charge_limits": [], "blocked_merchants": [merchant.id]}


def test_digits_are_those_of_the_wallets_currency(client: ApiUser) -> None:
    yen = client.wallet(currency="JPY")
    assert change(client, yen, charge_limits=[limit(None, "5")]).get_json()["charge_limits"] == [limit(None, "5")]
    refused = change(client, yen, charge_limits=[limit(None, "1"), limit(None, None, "5.0")])
    assert refused.status_code == 422


def test_merchant_can_limit_charges_of_their_own_wallet(house: ApiHarness, merchant: ApiUser) -> None:
    wallet, mart = merchant.wallet("100.00"), house.person("merchant", "Mart")
    mart.wallet()
    limited(merchant, wallet, limit(mart, "9.99"))
    assert outcomes(house, mart, charge(mart, wallet), charge(mart, wallet, "9.99")) == ["limit_exceeded", "COMPLETED"]


ID = str(uuids.uuid7())
NONE = {"merchant": None, "per_charge": None, "per_day": None}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"charge_limits": {}}, "invalid_type", "/charge_limits"),
        ({"charge_limits": "10.00"}, "invalid_type", "/charge_limits"),
        ({"charge_limits": [None]}, "null_not_allowed", "/charge_limits/0"),
        ({"charge_limits": [[]]}, "invalid_type", "/charge_limits/0"),
        ({"charge_limits": [{}]}, "required", "/charge_limits/0"),
        ({"charge_limits": [NONE]}, "required", "/charge_limits/0"),
        ({"charge_limits": [{"merchant": ID}]}, "required", "/charge_limits/0"),
        ({"charge_limits": [{"per_day": "1.00", "account": ID}]}, "unknown_field", "/charge_limits/0/account"),
        ({"charge_limits": [{"per_day": "1.00", "currency": "USD"}]}, "unknown_field", "/charge_limits/0/currency"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": 1}]}, "invalid_type", "/charge_limits/0/merchant"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": "x"}]}, "invalid_value", "/charge_limits/0/merchant"),
        ({"charge_limits": [{"per_day": "1.00", "merchant": ID}]}, "merchant_unknown", "/charge_limits/0/merchant"),
        (
            {"charge_limits": [{"per_day": "1.00"}, {"merchant": None, "per_charge": "1.00"}]},
            "invalid_value",
            "/charge_limits/1/merchant",
        ),
        *(
            ({"charge_limits": [{name: amount}]}, code, f"/charge_limits/0/{name}")
            for name in ("per_charge", "per_day")
            for amount, code in [
                (1, "amount_must_be_string"),
                (1.5, "amount_must_be_string"),
                ("0", "amount_not_positive"),
                ("0.00", "amount_not_positive"),
                ("-1.00", "amount_invalid"),
                ("+1", "amount_invalid"),
                ("1e2", "amount_invalid"),
                ("NaN", "amount_invalid"),
                ("Infinity", "amount_invalid"),
                (" 1", "amount_invalid"),
                ("01", "amount_invalid"),
                ("1.", "amount_invalid"),
                ("1.001", "amount_precision"),
                ("1" + "0" * 36, "amount_too_large"),
                ("1" * 61, "amount_too_large"),
            ]
        ),
        ({"charge_limits": [{"per_day": "1.00"}] * (CHARGE_LIMITS_MAX + 1)}, "invalid_value", "/charge_limits"),
        ({"blocked_merchants": ID}, "invalid_type", "/blocked_merchants"),
        ({"blocked_merchants": [None]}, "null_not_allowed", "/blocked_merchants/0"),
        ({"blocked_merchants": [{}]}, "invalid_type", "/blocked_merchants/0"),
        ({"blocked_merchants": ["'"]}, "invalid_value", "/blocked_merchants/0"),
        ({"blocked_merchants": [ID]}, "merchant_unknown", "/blocked_merchants/0"),
        ({"blocked_merchants": [ID, ID]}, "invalid_value", "/blocked_merchants/1"),
        ({"blocked_merchants": [ID] * (BLOCKED_MERCHANTS_MAX + 1)}, "invalid_value", "/blocked_merchants"),
        ({"is_limited": False}, "unknown_field", "/is_limited"),
    ],
)
def test_n16_n17_invalid_limits_are_refused(
    house: ApiHarness, client: ApiUser, body: Any, code: str, pointer: str
) -> None:
    wallet = client.wallet()
    with house.unchanged():
        answer = change(client, wallet, **body)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert [flaw["pointer"] for flaw in problem["errors"]] == [pointer]


def test_limit_of_a_non_merchant_is_refused_as_unknown(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    wallet, ops = client.wallet(), house.person("ops")
    with house.unchanged():
        for person in (stranger, client, ops):
            both = change(client, wallet, charge_limits=[limit(person, "1.00")], blocked_merchants=[person.id])
            assert {flaw["code"] for flaw in both.get_json()["errors"]} == {"merchant_unknown"}
            assert [flaw["pointer"] for flaw in both.get_json()["errors"]] == [
                *("/charge_limits/0/merchant", "/blocked_merchants/0"),
            ]


def test_maximum_number_of_limits_is_accepted(house: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    ids = house.execute(
        "INSERT INTO users (id, email, role, name) SELECT gen_random_uuid(), 'many' || n || '@example.com', 'merchant',"
        " 'M' FROM generate_series(1, %s) AS n RETURNING id::text",
        BLOCKED_MERCHANTS_MAX,
    )
    limits = [{"merchant": id, "per_charge": "1.00", "per_day": "2.00"} for id in ids[:CHARGE_LIMITS_MAX]]
    answer = change(client, wallet, charge_limits=limits, blocked_merchants=ids)
    assert answer.status_code == 200
    assert answer.get_json()["blocked_merchants"] == sorted(ids)
    assert len(answer.get_json()["charge_limits"]) == CHARGE_LIMITS_MAX


@pytest.mark.parametrize("body", [{"charge_limits": []}, {"blocked_merchants": []}])
def test_n03_limits_of_anothers_wallet_answer_not_found(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, body: Any
) -> None:
    wallet, ops = client.wallet(), house.person("ops")
    change(client, wallet, charge_limits=[limit(merchant, "1.00")], blocked_merchants=[merchant.id])
    with house.unchanged():
        answers = [change(merchant, token, **body) for token in (wallet, "wal_" + "x" * 32, "x")]
        assert change(ops, wallet, **body).status_code == 403
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(each == bodies[0] for each in bodies)


def test_concurrent_changes_with_one_etag_one_wins(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    wallet = client.wallet()
    known = client.get(f"/v1/wallets/{wallet}").headers["ETag"]

    def race(number: int) -> int:
        body = {"charge_limits": [limit(merchant, f"{number + 1}.00")]}
        return client.call("PATCH", f"/v1/wallets/{wallet}", json=body, headers={"If-Match": known}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(race, range(AT_ONCE)))
    assert sorted(statuses) == [200] + [412] * (AT_ONCE - 1)
    [left] = client.get(f"/v1/wallets/{wallet}").get_json()["charge_limits"]
    assert left["per_charge"] == f"{statuses.index(200) + 1}.00"


# Decided


def test_charge_above_its_limit_fails_in_both_histories(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, "9.99"))
    over, within = charge(merchant, customer_wallet), charge(merchant, customer_wallet, "9.99")
    assert outcomes(house, merchant, over, within) == ["limit_exceeded", "COMPLETED"]
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("90.01", "9.99")
    for person, wallet, sign in ((client, customer_wallet, "-"), (merchant, merchant_wallet, "")):
        [row] = person.get(f"/v1/wallets/{wallet}/operations?success=false").get_json()["data"]
        assert (row["payment"], row["amount"], row["failure"]["code"]) == (over, f"{sign}10.00", "limit_exceeded")
        assert row["failure"]["retryable"] is True


def test_block_and_unblock_of_a_merchant(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart = house.person("merchant", "Mart")
    mart.wallet()
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    blocked, other = charge(merchant, customer_wallet), charge(mart, customer_wallet)
    assert outcomes(house, merchant, blocked) == ["merchant_blocked"]
    assert outcome(mart, other) == "COMPLETED"
    for person, wallet in ((client, customer_wallet), (merchant, merchant_wallet)):
        [row] = person.get(f"/v1/wallets/{wallet}/operations?success=false").get_json()["data"]
        assert (row["payment"], row["failure"]["code"]) == (blocked, "merchant_blocked")
    change(client, customer_wallet, blocked_merchants=None)
    assert outcomes(house, merchant, charge(merchant, customer_wallet)) == ["COMPLETED"]
    assert client.balance(customer_wallet) == "80.00"


def test_charge_fails_if_blocked_before_posting(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    waiting = charge(merchant, customer_wallet)
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    assert outcomes(house, merchant, waiting) == ["merchant_blocked"]


@pytest.mark.parametrize("batch", [500, 7])
def test_twenty_racing_charges_never_exceed_the_day_limit(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, batch: int
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "25.00"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(lambda _: charge(merchant, customer_wallet, "3.00"), range(AT_ONCE)))
    poster = Poster(house.worker, deposits_open=True, linger_seconds=0)
    poster.batch_limit = batch
    poster.drain()
    ends = [outcome(merchant, id) for id in ids]
    assert (ends.count("COMPLETED"), ends.count("limit_exceeded")) == (8, 12)
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("76.00", "24.00")
    assert outcomes(
        house, merchant, charge(merchant, customer_wallet, "1.00"), charge(merchant, customer_wallet, "0.01")
    ) == [
        *("COMPLETED", "limit_exceeded"),
    ]


def test_day_limit_of_any_merchant_covers_all_together(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart = house.person("merchant", "Mart")
    mart.wallet()
    limited(client, customer_wallet, limit(None, None, "25.00"), limit(mart, "12.00"))
    ids = [
        charge(merchant, customer_wallet),
        charge(mart, customer_wallet),
        charge(mart, customer_wallet, "5.01"),
        charge(mart, customer_wallet, "12.01"),
    ]
    house.post_payments()
    assert [outcome(client, id) for id in ids] == ["COMPLETED", "COMPLETED", "limit_exceeded", "limit_exceeded"]
    last = charge(mart, customer_wallet, "5.00")
    assert outcomes(house, mart, last) == ["COMPLETED"]


def test_day_limit_counts_holds_and_captures_but_not_voids(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "25.00"))
    first, second = (charge(merchant, customer_wallet, "12.00", capture=False) for _ in range(2))
    assert outcomes(house, merchant, first, second, charge(merchant, customer_wallet, "1.01")) == [
        *("AUTHORIZED", "AUTHORIZED", "limit_exceeded"),
    ]
    merchant.order(f"/v1/charges/{first}/capture", {"amount": "2.00"})
    assert outcomes(house, merchant, first) == ["COMPLETED"]
    assert outcomes(
        house, merchant, charge(merchant, customer_wallet, "11.01"), charge(merchant, customer_wallet, "11.00")
    ) == [
        *("limit_exceeded", "COMPLETED"),
    ]
    merchant.order(f"/v1/charges/{second}/void", {})
    house.post_payments()
    assert outcomes(
        house, merchant, charge(merchant, customer_wallet, "12.00"), charge(merchant, customer_wallet, "0.01")
    ) == [
        *("COMPLETED", "limit_exceeded"),
    ]


@pytest.mark.parametrize("later", ["blocked", "limited"])
def test_capture_ignores_later_limits_and_blocks(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, later: str
) -> None:
    held = charge(merchant, customer_wallet, capture=False)
    house.post_payments()
    if later == "blocked":
        change(client, customer_wallet, blocked_merchants=[merchant.id])
    else:
        limited(client, customer_wallet, limit(merchant, "0.01", "0.01"))
    assert merchant.order(f"/v1/charges/{held}/capture", {}).status_code == 202
    assert outcomes(house, merchant, held) == ["COMPLETED"]
    assert merchant.balance(merchant_wallet) == "10.00"


def test_refund_does_not_restore_the_day_limit(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    taken = charge(merchant, customer_wallet)
    house.post_payments()
    merchant.order("/v1/refunds", {"charge": taken, "reason": "duplicate"})
    house.post_payments()
    assert client.balance(customer_wallet) == "100.00"
    assert outcomes(house, merchant, charge(merchant, customer_wallet, "0.01")) == ["limit_exceeded"]


def test_blocked_merchant_can_still_refund(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    taken = charge(merchant, customer_wallet)
    house.post_payments()
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    refund = merchant.order("/v1/refunds", {"charge": taken, "reason": "duplicate"}).get_json()["id"]
    assert outcomes(house, merchant, refund) == ["COMPLETED"]


def test_only_charges_are_limited(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    change(client, customer_wallet, charge_limits=[limit(None, "0.01", "0.01")], blocked_merchants=[merchant.id])
    transfer = {"source": customer_wallet, "target": merchant_wallet, "amount": "10.00", "currency": "EUR"}
    id = client.order("/v1/transfers", transfer).get_json()["id"]
    assert outcomes(house, client, id) == ["COMPLETED"]
    other = client.wallet("100.00")
    assert outcomes(house, merchant, charge(merchant, other)) == ["COMPLETED"]


MIDNIGHT = "date_trunc('day', now(), 'UTC')"


@pytest.mark.parametrize(
    ("moment", "is_of_today"),
    [
        (MIDNIGHT, True),
        (f"{MIDNIGHT} - interval '1 microsecond'", False),
        (f"{MIDNIGHT} + interval '1 day' - interval '1 microsecond'", True),
        (f"{MIDNIGHT} + interval '1 day'", False),
    ],
)
def test_a_day_ends_at_midnight_utc(
    house: ApiHarness,
    postgres: Postgres,
    client: ApiUser,
    merchant: ApiUser,
    customer_wallet: str,
    merchant_wallet: str,
    moment: str,
    is_of_today: bool,
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    earlier = charge(merchant, customer_wallet)
    name = make_url(house.database.owner).database
    past_the_triggers(postgres, name, f"UPDATE payments SET created_at = {moment} WHERE id = %s", earlier)
    same, of_today = charge(merchant, customer_wallet, "0.01"), charge(merchant, customer_wallet, "9.99")
    past_the_triggers(postgres, name, f"UPDATE payments SET created_at = {moment} WHERE id = %s", same)
    ends = outcomes(house, merchant, earlier, same, of_today)
    assert ends == ["COMPLETED", "limit_exceeded", "limit_exceeded" if is_of_today else "COMPLETED"]
    assert outcomes(house, merchant, charge(merchant, customer_wallet, "0.02")) == ["limit_exceeded"]


def test_a_scheduled_charge_counts_on_its_day(
    house: ApiHarness,
    postgres: Postgres,
    client: ApiUser,
    merchant: ApiUser,
    customer_wallet: str,
    merchant_wallet: str,
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    waited = charge(merchant, customer_wallet, "4.00", scheduled_at="2999-01-01T00:00:00Z")
    held = charge(merchant, customer_wallet, "6.00", scheduled_at="2999-01-01T00:00:00Z", capture=False)
    today = charge(merchant, customer_wallet)
    assert outcomes(house, merchant, waited, today) == ["INITIATED", "COMPLETED"]
    name = make_url(house.database.owner).database
    past_the_triggers(
        postgres,
        name,
        "UPDATE payments SET created_at = now() - interval '3 days', scheduled_at = CASE id WHEN %s THEN"
        f" {MIDNIGHT} - interval '1 day' ELSE {MIDNIGHT} - interval '1 microsecond' END, due_at = now()"
        " WHERE id IN (%s, %s)",
        waited,
        waited,
        held,
    )
    assert outcomes(house, merchant, waited, held) == ["COMPLETED", "AUTHORIZED"], "both yesterday, ten in all"
    another = charge(merchant, customer_wallet, "0.01")
    past_the_triggers(
        postgres, name, f"UPDATE payments SET created_at = {MIDNIGHT} - interval '1 hour' WHERE id = %s", another
    )
    assert outcomes(house, merchant, another) == ["limit_exceeded"]


def test_charge_scheduled_long_ago_counts_today(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    ids = [charge(merchant, customer_wallet, scheduled_at=f"2001-02-0{day}T00:00:00Z") for day in (3, 4)]
    assert outcomes(house, merchant, *ids) == ["COMPLETED", "limit_exceeded"]
    assert outcomes(house, merchant, charge(merchant, customer_wallet, "0.01")) == ["limit_exceeded"]


# Who charged


def charging(person: ApiUser, wallet: str, query: str = "") -> dict[str, Any]:
    answer = person.get(f"/v1/wallets/{wallet}/merchants{query}")
    assert answer.status_code == 200
    return answer.get_json()


def test_merchants_list_shows_charges_and_totals(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart, club = house.person("merchant", "Mart"), house.person("merchant", "Club")
    mart.wallet(), club.wallet()
    assert charging(client, customer_wallet)["data"] == []
    change(client, customer_wallet, blocked_merchants=[club.id])
    client.order(
        "/v1/transfers", {"source": customer_wallet, "target": merchant_wallet, "amount": "1.00", "currency": "EUR"}
    )
    charge(merchant, customer_wallet), charge(merchant, customer_wallet, "500.00")
    held = charge(mart, customer_wallet, "7.00", capture=False)
    (
        charge(club, customer_wallet),
        charge(mart, customer_wallet, "3.00", capture=False),
        charge(mart, customer_wallet, "2.00"),
    )
    house.post_payments()
    mart.order(f"/v1/charges/{held}/capture", {"amount": "4.00"})
    house.post_payments()
    page = charging(client, customer_wallet)
    assert [{k: v for k, v in row.items() if k != "last_charged_at"} for row in page["data"]] == [
        {"merchant": mart.id, "name": "Mart", "charges": 3, "total": "9.00", "is_blocked": False},
        {"merchant": club.id, "name": "Club", "charges": 0, "total": "0.00", "is_blocked": True},
        {"merchant": merchant.id, "name": "Shop", "charges": 1, "total": "10.00", "is_blocked": False},
    ]
    newest = client.get("/v1/payments?type=charge&limit=1").get_json()["data"][0]
    assert page["data"][0]["last_charged_at"] == newest["created_at"]
    assert (page["has_more"], page["next_cursor"]) == (False, None)
    for reader in (house.person("ops"), house.person("auditor")):
        assert charging(reader, customer_wallet)["data"] == page["data"]


def test_merchants_list_is_paginated(house: ApiHarness, client: ApiUser, customer_wallet: str) -> None:
    shops = [house.person("merchant", f"Shop {number}") for number in range(5)]
    for shop in shops:
        shop.wallet()
        charge(shop, customer_wallet, "1.00")
    house.post_payments()
    walked, query = [], "?limit=2"
    while query:
        page = charging(client, customer_wallet, query)
        walked.append([row["merchant"] for row in page["data"]])
        query = f"?limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert walked == [[shops[4].id, shops[3].id], [shops[2].id, shops[1].id], [shops[0].id]]
    back = charging(client, customer_wallet, f"?limit=2&cursor={page['prev_cursor']}")
    assert [row["merchant"] for row in back["data"]] == walked[1]
    other = client.wallet()
    refused = client.get(f"/v1/wallets/{other}/merchants?limit=2&cursor={page['prev_cursor']}")
    assert refused.get_json()["code"] == "bad_cursor"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "x=1", "currency=EUR", "cursor=x", "limit=1&limit=2"])
def test_n50_n52_invalid_parameters_are_refused(client: ApiUser, customer_wallet: str, query: str) -> None:
    assert client.get(f"/v1/wallets/{customer_wallet}/merchants?{query}").status_code in {400, 422}


def test_n03_merchants_of_anothers_wallet_answer_not_found(
    client: ApiUser, merchant: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    answers = [
        person.get(f"/v1/wallets/{wallet}/merchants")
        for person in (merchant, stranger)
        for wallet in (customer_wallet, "wal_" + "x" * 32, "x", "%00")
    ]
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(each == bodies[0] for each in bodies)


def test_payer_of_a_charge_sees_the_merchant(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = charge(merchant, customer_wallet)
    house.post_payments()
    assert {p.get(f"/v1/payments/{id}").get_json()["merchant"] for p in (client, merchant)} == {merchant.id}
    refund = merchant.order("/v1/refunds", {"charge": id, "reason": "duplicate"}).get_json()
    assert refund["merchant"] is None
    transfer = {"source": customer_wallet, "target": merchant_wallet, "amount": "1.00", "currency": "EUR"}
    assert client.order("/v1/transfers", transfer).get_json()["merchant"] is None
