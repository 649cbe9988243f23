"""Terms of commission over HTTP: added by ops with notice, listed, and bounded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedded.postgres import Postgres
from tests.gateway.commission.commissions import DAY, TERMS, WHY, _days, preview
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, costing


def test_terms_are_added_and_listed(api: ApiHarness, ops: ApiUser, auditor: ApiUser, merchant: ApiUser) -> None:
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
    costing(postgres, database.name, "transfer", "2", currency="CHF", minimum=1)
    assert preview(client, "transfer", "0.25", "CHF").get_json()["commission"] == "0.01"


def test_racing_terms_for_one_time_one_wins(api: ApiHarness, ops: ApiUser) -> None:
    body = {"type": "charge", "percent": "9", "valid_from": "2199-01-01T00:00:00Z", **WHY}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ops.call("POST", TERMS, json=body).status_code, range(8)))
    assert sorted(answers) == [201] + [409] * 7
    lines = api.execute("SELECT count(*) FROM audit_log WHERE after ->> 'valid_from' LIKE '2199-01-01%%'")
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


def test_terms_need_a_minute_of_notice(api: ApiHarness, ops: ApiUser) -> None:
    now = api.execute("SELECT now()")[0]
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
    api: ApiHarness, ops: ApiUser, body: dict[str, Any], code: str, pointer: str
) -> None:
    count = "SELECT count(*) FROM commission_terms"
    before = api.execute(count)
    answer = ops.call("POST", TERMS, json={"type": "charge", "percent": "2", **WHY, **body})
    assert (answer.status_code, answer.get_json()["code"]) == (404 if code == "not_found" else 422, code)
    assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert api.execute(count) == before


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
def test_only_ops_make_terms_and_only_readers_see_them(api: ApiHarness, role: str) -> None:
    person = api.person(role)
    assert person.call("POST", TERMS, json={"type": "charge", "percent": "0", **WHY}).status_code == 403
    today = datetime.now(UTC).date().isoformat()
    for path in (TERMS, f"/v1/ops/commissions?from={today}&to={today}"):
        assert person.get(path).status_code == (200 if role == "auditor" else 403)
