"""Charge limits and blocks of merchants, as the poster applies them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from embedded.postgres import Postgres
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.wallets.charge_limits import AT_ONCE, change, charge, limit, limited, outcome, outcomes
from tests.support import past_the_triggers
from workers.posting.poster import Poster


def test_charge_above_its_limit_fails_in_both_histories(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, "9.99"))
    over, within = charge(merchant, customer_wallet), charge(merchant, customer_wallet, "9.99")
    assert outcomes(api, merchant, over, within) == ["limit_exceeded", "COMPLETED"]
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("90.01", "9.99")
    for person, wallet, sign in ((client, customer_wallet, "-"), (merchant, merchant_wallet, "")):
        [row] = person.get(f"/v1/wallets/{wallet}/operations?success=false").get_json()["data"]
        assert (row["payment"], row["amount"], row["failure"]["code"]) == (over, f"{sign}10.00", "limit_exceeded")
        assert row["failure"]["retryable"] is True


def test_block_and_unblock_of_a_merchant(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart = api.person("merchant", "Mart")
    mart.wallet()
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    blocked, other = charge(merchant, customer_wallet), charge(mart, customer_wallet)
    assert outcomes(api, merchant, blocked) == ["merchant_blocked"]
    assert outcome(mart, other) == "COMPLETED"
    for person, wallet in ((client, customer_wallet), (merchant, merchant_wallet)):
        [row] = person.get(f"/v1/wallets/{wallet}/operations?success=false").get_json()["data"]
        assert (row["payment"], row["failure"]["code"]) == (blocked, "merchant_blocked")
    change(client, customer_wallet, blocked_merchants=None)
    assert outcomes(api, merchant, charge(merchant, customer_wallet)) == ["COMPLETED"]
    assert client.balance(customer_wallet) == "80.00"


def test_charge_fails_if_blocked_before_posting(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    waiting = charge(merchant, customer_wallet)
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    assert outcomes(api, merchant, waiting) == ["merchant_blocked"]


@pytest.mark.parametrize("batch", [500, 7])
def test_twenty_racing_charges_never_exceed_the_day_limit(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, batch: int
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "25.00"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(lambda _: charge(merchant, customer_wallet, "3.00"), range(AT_ONCE)))
    poster = Poster(api.worker, deposits_open=True, linger_seconds=0)
    poster.batch_limit = batch
    poster.drain()
    ends = [outcome(merchant, id) for id in ids]
    assert (ends.count("COMPLETED"), ends.count("limit_exceeded")) == (8, 12)
    assert (client.balance(customer_wallet), merchant.balance(merchant_wallet)) == ("76.00", "24.00")
    assert outcomes(
        api, merchant, charge(merchant, customer_wallet, "1.00"), charge(merchant, customer_wallet, "0.01")
    ) == [
        *("COMPLETED", "limit_exceeded"),
    ]


def test_day_limit_of_any_merchant_covers_all_together(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    mart = api.person("merchant", "Mart")
    mart.wallet()
    limited(client, customer_wallet, limit(None, None, "25.00"), limit(mart, "12.00"))
    ids = [
        charge(merchant, customer_wallet),
        charge(mart, customer_wallet),
        charge(mart, customer_wallet, "5.01"),
        charge(mart, customer_wallet, "12.01"),
    ]
    api.post_payments()
    assert [outcome(client, id) for id in ids] == ["COMPLETED", "COMPLETED", "limit_exceeded", "limit_exceeded"]
    last = charge(mart, customer_wallet, "5.00")
    assert outcomes(api, mart, last) == ["COMPLETED"]


def test_day_limit_counts_holds_and_captures_but_not_voids(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "25.00"))
    first, second = (charge(merchant, customer_wallet, "12.00", capture=False) for _ in range(2))
    assert outcomes(api, merchant, first, second, charge(merchant, customer_wallet, "1.01")) == [
        *("AUTHORIZED", "AUTHORIZED", "limit_exceeded"),
    ]
    merchant.order(f"/v1/charges/{first}/capture", {"amount": "2.00"})
    assert outcomes(api, merchant, first) == ["COMPLETED"]
    assert outcomes(
        api, merchant, charge(merchant, customer_wallet, "11.01"), charge(merchant, customer_wallet, "11.00")
    ) == [
        *("limit_exceeded", "COMPLETED"),
    ]
    merchant.order(f"/v1/charges/{second}/void", {})
    api.post_payments()
    assert outcomes(
        api, merchant, charge(merchant, customer_wallet, "12.00"), charge(merchant, customer_wallet, "0.01")
    ) == [
        *("COMPLETED", "limit_exceeded"),
    ]


@pytest.mark.parametrize("later", ["blocked", "limited"])
def test_capture_ignores_later_limits_and_blocks(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str, later: str
) -> None:
    held = charge(merchant, customer_wallet, capture=False)
    api.post_payments()
    if later == "blocked":
        change(client, customer_wallet, blocked_merchants=[merchant.id])
    else:
        limited(client, customer_wallet, limit(merchant, "0.01", "0.01"))
    assert merchant.order(f"/v1/charges/{held}/capture", {}).status_code == 202
    assert outcomes(api, merchant, held) == ["COMPLETED"]
    assert merchant.balance(merchant_wallet) == "10.00"


def test_refund_does_not_restore_the_day_limit(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    taken = charge(merchant, customer_wallet)
    api.post_payments()
    merchant.order("/v1/refunds", {"charge": taken, "reason": "duplicate"})
    api.post_payments()
    assert client.balance(customer_wallet) == "100.00"
    assert outcomes(api, merchant, charge(merchant, customer_wallet, "0.01")) == ["limit_exceeded"]


def test_blocked_merchant_can_still_refund(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    taken = charge(merchant, customer_wallet)
    api.post_payments()
    change(client, customer_wallet, blocked_merchants=[merchant.id])
    refund = merchant.order("/v1/refunds", {"charge": taken, "reason": "duplicate"}).get_json()["id"]
    assert outcomes(api, merchant, refund) == ["COMPLETED"]


def test_only_charges_are_limited(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    change(client, customer_wallet, charge_limits=[limit(None, "0.01", "0.01")], blocked_merchants=[merchant.id])
    transfer = {"source": customer_wallet, "target": merchant_wallet, "amount": "10.00", "currency": "EUR"}
    id = client.order("/v1/transfers", transfer).get_json()["id"]
    assert outcomes(api, client, id) == ["COMPLETED"]
    other = client.wallet("100.00")
    assert outcomes(api, merchant, charge(merchant, other)) == ["COMPLETED"]


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
    api: ApiHarness,
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
    name = api.database.name
    past_the_triggers(postgres, name, f"UPDATE payments SET created_at = {moment} WHERE id = %s", earlier)
    same, of_today = charge(merchant, customer_wallet, "0.01"), charge(merchant, customer_wallet, "9.99")
    past_the_triggers(postgres, name, f"UPDATE payments SET created_at = {moment} WHERE id = %s", same)
    ends = outcomes(api, merchant, earlier, same, of_today)
    assert ends == ["COMPLETED", "limit_exceeded", "limit_exceeded" if is_of_today else "COMPLETED"]
    assert outcomes(api, merchant, charge(merchant, customer_wallet, "0.02")) == ["limit_exceeded"]


def test_a_scheduled_charge_counts_on_its_day(
    api: ApiHarness,
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
    assert outcomes(api, merchant, waited, today) == ["INITIATED", "COMPLETED"]
    name = api.database.name
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
    assert outcomes(api, merchant, waited, held) == ["COMPLETED", "AUTHORIZED"], "both yesterday, ten in all"
    another = charge(merchant, customer_wallet, "0.01")
    past_the_triggers(
        postgres, name, f"UPDATE payments SET created_at = {MIDNIGHT} - interval '1 hour' WHERE id = %s", another
    )
    assert outcomes(api, merchant, another) == ["limit_exceeded"]


def test_charge_scheduled_long_ago_counts_today(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    limited(client, customer_wallet, limit(merchant, None, "10.00"))
    ids = [charge(merchant, customer_wallet, scheduled_at=f"2001-02-0{day}T00:00:00Z") for day in (3, 4)]
    assert outcomes(api, merchant, *ids) == ["COMPLETED", "limit_exceeded"]
    assert outcomes(api, merchant, charge(merchant, customer_wallet, "0.01")) == ["limit_exceeded"]
