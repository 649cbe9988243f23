"""Commission over HTTP: its visibility, preview, terms and report."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from models import invariants
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, charge_commission, costing, past_the_triggers

DAY = timedelta(days=1)
WHY = {"reason": "as agreed"}
TERMS = "/v1/ops/commission-terms"
_days = count(1)


@pytest.fixture(scope="module", autouse=True)
def house(postgres: Postgres, database: Database) -> ApiHarness:
    """The gateway over a database where transfers and charges cost 2 %."""
    charge_commission(postgres, name_of(database))
    return ApiHarness(database)


@pytest.fixture(autouse=True)
def sound(house: ApiHarness) -> Any:
    """The promises about money hold when the test ends."""
    yield
    with transaction(house.owner) as connection:
        assert invariants.violations(connection) == []


def name_of(database: Database) -> str:
    return make_url(database.owner).database or ""


@pytest.fixture
def ops(house: ApiHarness) -> ApiUser:
    return house.person("ops", "Ona")


@pytest.fixture
def auditor(house: ApiHarness) -> ApiUser:
    return house.person("auditor", "Aud")


def shown(person: ApiUser, id: str, *names: str) -> tuple[Any, ...]:
    payment = person.get(f"/v1/payments/{id}").get_json()
    return tuple(payment[name] for name in names or ("amount", "commission", "target_amount", "balance_after"))


def kinds(person: ApiUser, id: str) -> list[tuple[str, str]]:
    rows = person.get(f"/v1/payments/{id}/operations").get_json()["data"]
    return [(row["kind"], row["amount"]) for row in rows]


def ordered(person: ApiUser, path: str, **body: Any) -> str:
    answer = person.order(path, {"currency": "EUR", **body})
    assert answer.status_code == 202, answer.get_json()
    return answer.get_json()["id"]


def test_commission_of_a_transfer_is_shown_to_the_payer(
    house: ApiHarness, client: ApiUser, stranger: ApiUser, ops: ApiUser, auditor: ApiUser
) -> None:
    customer_wallet, target = client.wallet("10.00"), stranger.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=target, amount="10.00")
    assert shown(client, id)[0] == "10.00"
    assert shown(stranger, id) == (None, None, None, None), "what will arrive is not known yet"
    [listed] = stranger.get("/v1/payments").get_json()["data"]
    assert (listed["amount"], listed["target_amount"]) == (None, None)
    house.post_payments()
    assert shown(client, id) == ("10.00", "0.20", "9.80", "0.00")
    assert shown(stranger, id) == ("9.80", None, "9.80", "9.80")
    for reader in (ops, auditor):
        assert shown(reader, id) == ("10.00", "0.20", "9.80", None)
        assert len(kinds(reader, id)) == 4
    assert kinds(stranger, id) == [("transfer", "-9.80"), ("transfer", "9.80")]
    assert kinds(client, id) == [*kinds(stranger, id), ("commission", "-0.20"), ("commission", "0.20")]
    [listed] = stranger.get("/v1/payments").get_json()["data"]
    assert (listed["amount"], listed["commission"]) == ("9.80", None)


def test_commission_of_a_charge_is_shown_to_the_merchant(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    house.post_payments()
    assert shown(merchant, id) == ("10.00", "0.20", "9.80", "9.80")
    assert shown(client, id) == ("10.00", None, "10.00", "0.00")
    assert shown(ops, id) == ("10.00", "0.20", "9.80", None)
    assert kinds(client, id) == [("transfer", "-10.00"), ("transfer", "10.00")]
    assert (
        kinds(merchant, id) == kinds(ops, id) == [*kinds(client, id), ("commission", "-0.20"), ("commission", "0.20")]
    )
    house_side = merchant.get(f"/v1/payments/{id}/operations").get_json()["data"][3]
    assert house_side["balance_after"] is None, "ours alone"


def test_commission_of_a_partial_capture(house: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00", capture=False)
    house.post_payments()
    assert shown(client, id)[:3] == ("10.00", None, "10.00")
    assert merchant.order(f"/v1/charges/{id}/capture", {"amount": "5.00"}).status_code == 202
    house.post_payments()
    names = ("amount", "captured_amount", "commission", "target_amount", "balance_after")
    assert shown(merchant, id, *names) == ("10.00", "5.00", "0.10", "4.90", "4.90")
    assert shown(client, id, *names) == ("5.00", "5.00", None, "5.00", "5.00")


def test_refunded_commission_is_shown_to_the_merchant(
    house: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    charge = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    house.post_payments()
    answer = merchant.order("/v1/refunds", {"charge": charge, "amount": "5.00", "reason": "duplicate"})
    id = answer.get_json()["id"]
    house.post_payments()
    assert shown(merchant, id) == ("5.00", "0.10", "5.00", "4.90")
    assert shown(client, id) == ("5.00", None, "5.00", "5.00")
    assert kinds(client, id) == [("transfer", "-5.00"), ("transfer", "5.00")]
    assert (
        kinds(merchant, id) == kinds(ops, id) == [("commission", "-0.10"), ("commission", "0.10"), *kinds(client, id)]
    )
    assert shown(client, charge)[:3] == ("10.00", None, "10.00")


def test_transfers_between_own_wallets_and_deposits_are_free(house: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    customer_wallet, savings = client.wallet("10.00"), client.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=savings, amount="10.00")
    house.post_payments()
    assert shown(client, id)[:3] == ("10.00", "0.00", "10.00")
    deposit = ordered(ops, "/v1/deposits", wallet=customer_wallet, amount="3.00", source="wire")
    house.post_payments()
    assert shown(client, deposit)[:3] == shown(ops, deposit)[:3] == ("3.00", "0.00", "3.00")


def test_deposit_commission_is_hidden_from_the_provider(postgres: Postgres, fresh_database: Database) -> None:
    costing(postgres, name_of(fresh_database), "deposit", "1")
    house = ApiHarness(fresh_database)
    client, provider = house.person(), house.person("merchant", scopes=["deposits:write", "payments:read"])
    customer_wallet = client.wallet()
    id = ordered(provider, "/v1/deposits", wallet=customer_wallet, amount="10.00", source="wire")
    house.post_payments()
    assert shown(client, id) == ("10.00", "0.10", "9.90", "9.90")
    assert shown(provider, id)[:3] == ("10.00", None, "10.00")
    assert len(kinds(client, id)) == 4
    assert len(kinds(provider, id)) == 2


def test_failed_payment_costs_no_commission(house: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, target = client.wallet("9.99"), stranger.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=target, amount="10.00")
    house.post_payments()
    assert shown(client, id)[:3] == ("10.00", "0.00", "10.00")
    assert shown(stranger, id)[:3] == ("10.00", None, "10.00")


def preview(person: ApiUser, type: str, amount: str, currency: str = "EUR", **members: Any) -> Any:
    body = {"type": type, "amount": amount, "currency": currency, **members}
    return person.call("POST", "/v1/commissions/preview", json=body)


@pytest.mark.parametrize(
    ("type", "amount", "currency", "commission", "arrives"),
    [
        ("transfer", "10.00", "EUR", "0.20", "9.80"),
        ("charge", "10.00", "EUR", "0.20", "9.80"),
        ("transfer", "0.25", "EUR", "0.00", "0.25"),
        ("transfer", "25", "JPY", "0", "25"),
        ("transfer", "75", "JPY", "2", "73"),
        ("transfer", "1.025", "BHD", "0.020", "1.005"),
        ("deposit", "10.00", "EUR", "0.00", "10.00"),
        ("withdrawal", "10.00", "EUR", "0.00", "10.00"),
    ],
)
def test_preview_shows_the_commission(
    house: ApiHarness, merchant: ApiUser, type: str, amount: str, currency: str, commission: str, arrives: str
) -> None:
    with house.unchanged():
        answer = preview(merchant, type, amount, currency)
    assert answer.status_code == 200
    answer_body = answer.get_json()
    assert (answer_body["amount"], answer_body["commission"], answer_body["arrives"]) == (amount, commission, arrives)
    assert answer_body["terms"]["percent"] == ("2" if type in ("transfer", "charge") else "0")


def test_a_preview_between_ones_own_wallets(client: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, savings, theirs = client.wallet(), client.wallet(), stranger.wallet()
    assert (
        preview(client, "transfer", "10.00", source=customer_wallet, target=savings).get_json()["commission"] == "0.00"
    )
    assert (
        preview(client, "transfer", "10.00", source=customer_wallet, target=theirs).get_json()["commission"] == "0.20"
    )
    assert preview(client, "transfer", "10.00", source=customer_wallet).get_json()["commission"] == "0.20"
    assert preview(client, "transfer", "10.00", target=savings).get_json()["commission"] == "0.00"
    assert preview(client, "transfer", "10.00", source=theirs, target=customer_wallet).status_code == 404
    assert preview(client, "transfer", "10.00", target="wal_" + "x" * 32).status_code == 404


def test_preview_equals_the_commission_taken(
    postgres: Postgres, database: Database, house: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    costing(postgres, name_of(database), "charge", "1.5", currency="EUR", merchant_id=merchant.id, fixed=25)
    customer_wallet, merchant_wallet = client.wallet("10.00"), merchant.wallet()
    answer_body = preview(merchant, "charge", "10.00", source=customer_wallet, target=merchant_wallet).get_json()
    assert answer_body["terms"] == {
        **{"percent": "1.5", "fixed": "0.25", "minimum": "0.00", "maximum": None},
        **{"smallest_paying_amount": "0.01", "smallest_paying_units": 1, "ending_minimum": None},
    }
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    house.post_payments()
    assert shown(merchant, id)[1:3] == (answer_body["commission"], answer_body["arrives"]) == ("0.40", "9.60")
    assert preview(ops, "charge", "10.00", merchant=merchant.id).get_json()["commission"] == "0.40"
    assert preview(ops, "charge", "10.00").get_json()["commission"] == "0.20"
    assert preview(client, "charge", "10.00", merchant=merchant.id).status_code == 404
    assert preview(merchant, "charge", "0.25").get_json()["arrives"] is None, "all of it would be taken"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "refund"}, "invalid_value"),
        ({"amount": 10}, "amount_must_be_string"),
        ({"amount": "0.00"}, "amount_not_positive"),
        ({"amount": "-1.00"}, "amount_invalid"),
        ({"amount": "1.001"}, "amount_precision"),
        ({"amount": "9" * 40}, "amount_too_large"),
        ({"currency": "QQQ"}, "currency_unknown"),
        ({"fee": "0"}, "unknown_field"),
        ({"source": "x"}, "invalid_value"),
    ],
)
def test_invalid_previews_are_refused(client: ApiUser, body: dict[str, Any], code: str) -> None:
    answer = preview(client, **{"type": "transfer", "amount": "1.00", **body})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_terms_are_added_and_listed(house: ApiHarness, ops: ApiUser, auditor: ApiUser, merchant: ApiUser) -> None:
    body = {"type": "charge", "percent": "2.5", "currency": "JPY", "merchant": merchant.id, "fixed": "30"}
    answer = ops.call("POST", TERMS, json={**body, "minimum": "50", "maximum": "500", **WHY})
    assert answer.status_code == 201
    kept = answer.get_json()
    assert kept == {
        **{**body, "minimum": "50", "maximum": "500"},
        **{"smallest_paying_amount": "1", "smallest_paying_units": 1, "ending_minimum": None},
        **{name: kept[name] for name in ("id", "valid_from", "created_at")},
    }
    ahead = datetime.fromisoformat(kept["valid_from"]) - datetime.fromisoformat(kept["created_at"])
    assert ahead == timedelta(minutes=1)
    assert auditor.get(f"{TERMS}?merchant={merchant.id}&currency=JPY&type=charge").get_json()["data"] == [kept]
    assert auditor.get(f"{TERMS}?merchant={merchant.id}&currency=EUR").get_json()["data"] == []
    [line] = ops.get(f"/v1/ops/audit?action=commission_terms.add&target={kept['id']}").get_json()["data"]
    assert (line["actor"], line["reason"], line["after"]) == (ops.id, WHY["reason"], kept)
    assert preview(merchant, "charge", "10", "JPY").get_json()["commission"] == "0", "not yet in force"


@pytest.mark.parametrize(
    ("body", "amount", "units", "ending"),
    [
        ({"percent": "2", "currency": "EUR"}, "0.26", 26, "0.01"),
        ({"percent": "2", "currency": "JPY"}, "26", 26, "1"),
        ({"percent": "2", "currency": "BHD"}, "0.026", 26, "0.001"),
        ({"percent": "2", "currency": "EUR", "minimum": "0.01"}, "0.01", 1, None),
        ({"percent": "100", "currency": "EUR"}, "0.01", 1, None),
        ({"percent": "50", "currency": "EUR"}, "0.02", 2, "0.01"),
        ({"percent": "0", "currency": "EUR"}, None, None, None),
        ({"percent": "2", "currency": "EUR", "maximum": "0"}, None, None, None),
        ({"percent": "0.000001", "currency": "EUR"}, "500000.01", 50_000_001, "0.01"),
        ({"percent": "2"}, None, 26, None),
    ],
)
def test_terms_show_the_smallest_paying_amount(
    ops: ApiUser, body: dict[str, Any], amount: str | None, units: int | None, ending: str | None
) -> None:
    later = datetime.now(UTC) + timedelta(days=next(_days))
    answer = ops.call("POST", TERMS, json={"type": "transfer", "valid_from": later.isoformat(), **body, **WHY})
    assert answer.status_code == 201
    kept = answer.get_json()
    answer_body = (kept["smallest_paying_amount"], kept["smallest_paying_units"], kept["ending_minimum"])
    assert answer_body == (amount, units, ending)
    [listed] = [row for row in ops.get(f"{TERMS}?limit=100").get_json()["data"] if row["id"] == kept["id"]]
    assert listed == kept


def test_splitting_saving_is_shown_and_prevented_by_minimum(
    postgres: Postgres, database: Database, client: ApiUser
) -> None:
    answer_body = preview(client, "transfer", "0.25").get_json()
    assert (answer_body["commission"], answer_body["terms"]["smallest_paying_amount"]) == ("0.00", "0.26")
    assert preview(client, "transfer", "0.26").get_json()["commission"] == "0.01"
    assert answer_body["terms"]["ending_minimum"] == "0.01"
    costing(postgres, name_of(database), "transfer", "2", currency="CHF", minimum=1)
    assert preview(client, "transfer", "0.25", "CHF").get_json()["commission"] == "0.01"


def test_racing_terms_for_one_time_one_wins(house: ApiHarness, ops: ApiUser) -> None:
    body = {"type": "charge", "percent": "9", "valid_from": "2199-01-01T00:00:00Z", **WHY}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ops.call("POST", TERMS, json=body).status_code, range(8)))
    assert sorted(answers) == [201] + [409] * 7
    lines = house.execute("SELECT count(*) FROM audit_log WHERE after ->> 'valid_from' LIKE '2199-01-01%%'")
    assert lines == [1]


def test_all_terms_page_by_page(ops: ApiUser) -> None:
    for _ in range(2):
        assert ops.call("POST", TERMS, json={"type": "withdrawal", "percent": "0", **WHY}).status_code == 201
    seen, cursor = [], ""
    while cursor is not None:
        page = ops.get(f"{TERMS}?limit=1{cursor and '&cursor='}{cursor}").get_json()
        seen += [int(row["id"]) for row in page["data"]]
        cursor = page["next_cursor"]
    assert len(seen) >= 4
    assert seen == sorted(set(seen), reverse=True)


def test_terms_need_a_minute_of_notice(house: ApiHarness, ops: ApiUser) -> None:
    now = house.execute("SELECT now()")[0]
    body = {"type": "withdrawal", "percent": "1", **WHY}
    for early in (now - DAY, now, now + timedelta(seconds=50)):
        refused = ops.call("POST", TERMS, json={**body, "valid_from": early.isoformat()})
        assert (refused.status_code, refused.get_json()["code"]) == (422, "invalid_value")
        assert refused.get_json()["errors"][0]["pointer"] == "/valid_from"
    later = {**body, "valid_from": (now + DAY).isoformat()}
    assert ops.call("POST", TERMS, json=later).status_code == 201
    again = ops.call("POST", TERMS, json={**later, "percent": "3"})
    assert (again.status_code, again.get_json()["code"]) == (409, "duplicate_terms")
    assert ops.call("POST", TERMS, json={**later, "currency": "EUR"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"type": "refund"}, "invalid_value", "/type"),
        ({"percent": 2}, "invalid_type", "/percent"),
        *(
            ({"percent": percent}, "invalid_value", "/percent")
            for percent in ["", "-1", "+1", "101", "100.000001", "1000", "2.5.1", "2.1234567", "02", "2.", ".5", "1e1",
                            "NaN", "٢", " 2", "2\n"]
        ),
        ({"fixed": "1.00"}, "required", "/currency"),
        ({"maximum": "1.00"}, "required", "/currency"),
        ({"minimum": "0.00"}, "required", "/currency"),
        ({"currency": "EUR", "fixed": "1.001"}, "amount_precision", "/fixed"),
        ({"currency": "EUR", "fixed": "-1.00"}, "amount_invalid", "/fixed"),
        ({"currency": "EUR", "fixed": "1" + "0" * 36}, "amount_too_large", "/fixed"),
        ({"currency": "EUR", "minimum": 1}, "amount_must_be_string", "/minimum"),
        ({"currency": "EUR", "minimum": "2.00", "maximum": "1.99"}, "invalid_value", "/maximum"),
        ({"currency": "QQQ"}, "currency_unknown", "/currency"),
        ({"merchant": "01890000-0000-7000-8000-000000000000"}, "not_found", "/merchant"),
        ({"merchant": "me"}, "invalid_value", "/merchant"),
        ({"valid_from": "tomorrow"}, "invalid_value", "/valid_from"),
        ({"reason": ""}, "invalid_value", "/reason"),
        ({"rate": "1"}, "unknown_field", "/rate"),
    ],
)  # fmt: skip
def test_invalid_terms_are_refused(
    house: ApiHarness, ops: ApiUser, body: dict[str, Any], code: str, pointer: str
) -> None:
    count = "SELECT count(*) FROM commission_terms"
    before = house.execute(count)
    answer = ops.call("POST", TERMS, json={"type": "charge", "percent": "2", **WHY, **body})
    assert (answer.status_code, answer.get_json()["code"]) == (404 if code == "not_found" else 422, code)
    assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert house.execute(count) == before


@pytest.mark.parametrize(
    ("percent", "bounds"),
    [
        ("0", {"fixed": "0.00", "minimum": "0", "maximum": "0.00"}),
        ("100", {"fixed": "9" * 36 + ".99", "minimum": "9" * 36 + ".99", "maximum": "9" * 36 + ".99"}),
        ("0.000001", {}),
        ("99.999999", {"minimum": "1.00"}),
    ],
)
def test_the_outermost_terms(ops: ApiUser, percent: str, bounds: dict[str, str]) -> None:
    answer = ops.call("POST", TERMS, json={"type": "deposit", "percent": percent, "currency": "EUR", **bounds, **WHY})
    assert answer.status_code == 201
    assert answer.get_json()["percent"] == percent


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_only_ops_make_terms_and_only_readers_see_them(house: ApiHarness, role: str) -> None:
    person = house.person(role)
    assert person.call("POST", TERMS, json={"type": "charge", "percent": "0", **WHY}).status_code == 403
    today = datetime.now(UTC).date().isoformat()
    for path in (TERMS, f"/v1/ops/commissions?from={today}&to={today}"):
        assert person.get(path).status_code == (200 if role == "auditor" else 403)


def test_report_equals_the_operations(postgres: Postgres, fresh_database: Database) -> None:
    charge_commission(postgres, name_of(fresh_database))
    house = ApiHarness(fresh_database)
    ops, client, merchant = house.person("ops"), house.person(), house.person("merchant")
    today = house.execute("SELECT (now() AT TIME ZONE 'UTC')::date")[0]
    for currency, funds, amount in (("EUR", "100.00", "10.00"), ("JPY", "10000", "1000")):
        customer_wallet, merchant_wallet = client.wallet(funds, currency), merchant.wallet(currency=currency)
        ordered(
            client, "/v1/transfers", source=customer_wallet, target=merchant_wallet, amount=amount, currency=currency
        )
        charge = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount=amount, currency=currency)
        house.post_payments()
        merchant.order("/v1/refunds", {"charge": charge, "reason": "duplicate"})
        house.post_payments()

    def report(first: Any, last: Any, rest: str = "") -> list[dict[str, Any]]:
        return ops.get(f"/v1/ops/commissions?from={first}&to={last}{rest}").get_json()["data"]

    euros = {"currency": "EUR", "taken": "0.40", "given_back": "0.20", "net": "0.20", "payments": 3}
    yen = {"currency": "JPY", "taken": "40", "given_back": "20", "net": "20", "payments": 3}
    days = report(today - DAY, today + DAY)
    assert [{name: row[name] for name in euros} for row in days] == [euros, yen]
    assert {row["date"] for row in days} <= {today.isoformat(), (today + DAY).isoformat()}
    assert [row["currency"] for row in report(today - DAY, today + DAY, "&currency=JPY")] == ["JPY"]
    assert report(today - 3 * DAY, today - DAY) == []
    assert report(today + 2 * DAY, today + 3 * DAY) == []

    moving = "UPDATE operations SET created_at = %s::date::timestamp AT TIME ZONE 'UTC' + %s WHERE currency = 'EUR'"
    for moved, day in ((-timedelta(microseconds=1), today - DAY), (timedelta(0), today)):
        past_the_triggers(postgres, name_of(fresh_database), moving, today, moved)
        [row] = report(day, day, "&currency=EUR")
        assert row == {"date": day.isoformat(), **euros}
        assert report(day - DAY, day - DAY, "&currency=EUR") == report(day + DAY, day + DAY, "&currency=EUR") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-01-01", "required"),
        ("to=2026-01-01", "required"),
        ("from=2026-01-02&to=2026-01-01", "invalid_value"),
        ("from=2024-01-01&to=2025-01-01", "invalid_value"),
        ("from=2026-02-30&to=2026-03-01", "invalid_value"),
        ("from=2026-1-1&to=2026-03-01", "invalid_value"),
        ("from=0001-01-01&to=2026-01-01", "invalid_value"),
        ("from=2026-01-01&to=2026-01-01&currency=eur", "currency_unknown"),
        ("from=2026-01-01&to=2026-01-01&type=charge", "unknown_parameter"),
    ],
)
def test_invalid_report_ranges_are_refused(ops: ApiUser, query: str, code: str) -> None:
    answer = ops.get(f"/v1/ops/commissions?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_report_of_a_leap_year(ops: ApiUser) -> None:
    assert ops.get("/v1/ops/commissions?from=2024-01-01&to=2024-12-31").status_code == 200
