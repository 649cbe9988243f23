"""Retries of many payments, and dry runs."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import REASON, order, park
from tests.support import Database


def retry_many(person: ApiUser, filter: Any, **rest: Any) -> Any:
    return person.call("POST", "/v1/ops/payments/retry", json={"filter": filter, **REASON, **rest})


class WaitingPayments:
    """Five parked payments and three stuck ones, oldest first, with an ops user."""

    def __init__(self, database: Database) -> None:
        self.api = ApiHarness(database)
        self.ops = self.api.person("ops")
        client = self.api.person()
        wallet = client.wallet()
        self.parked = [order(client, wallet) for _ in range(5)]
        for id in self.parked:
            park(self.api, id)
        self.stuck = [order(client, wallet) for _ in range(3)]

    def attempts(self) -> set[int]:
        """The attempts of the parked payments."""
        return set(self.api.execute("SELECT attempts FROM payments WHERE id = ANY(%s::uuid[])", self.parked))


@pytest.fixture
def waiting(fresh_database: Database) -> WaitingPayments:
    return WaitingPayments(fresh_database)


def test_dry_run_retries_nothing(waiting: WaitingPayments, rings: list) -> None:
    rings.clear()
    with waiting.api.unchanged():
        unasked = retry_many(waiting.ops, {"parked": True})
        dry = retry_many(waiting.ops, {"parked": True}, dry_run=True)
        limited = retry_many(waiting.ops, {"stuck": 0, "limit": 2})
        exact = retry_many(waiting.ops, {"stuck": 0, "limit": 3, "type": "deposit,transfer", "currency": "EUR"})
        none = retry_many(waiting.ops, {"stuck": 3600})
    assert unasked.status_code == 200
    assert unasked.get_json() == {"dry_run": True, "count": 5, "payments": waiting.parked, "has_more": False}
    assert dry.get_json() == unasked.get_json()
    assert limited.get_json() == {"dry_run": True, "count": 2, "payments": waiting.stuck[:2], "has_more": True}
    assert exact.get_json() == {"dry_run": True, "count": 3, "payments": waiting.stuck, "has_more": False}
    assert none.get_json() == {"dry_run": True, "count": 0, "payments": [], "has_more": False}
    assert rings == []


def test_many_retries_start_with_the_oldest(waiting: WaitingPayments, rings: list) -> None:
    rings.clear()
    answer = retry_many(waiting.ops, {"parked": True, "limit": 4}, dry_run=False)
    assert answer.status_code == 202
    assert answer.get_json() == {"dry_run": False, "count": 4, "payments": waiting.parked[:4], "has_more": True}
    assert rings == [answer.headers["Request-Id"]]
    assert waiting.attempts() == {1}
    waiting.api.post_payments()
    left = waiting.ops.get("/v1/ops/payments?parked=true").get_json()["data"]
    assert [row["id"] for row in left] == waiting.parked[4:]
    lines = waiting.ops.get("/v1/ops/audit?action=payments.retry").get_json()["data"]
    assert {line["target"] for line in lines} == set(waiting.parked[:4])
    assert {line["reason"] for line in lines} == {REASON["reason"]}


def test_repeated_retry_of_many_adds_one_command_each(waiting: WaitingPayments) -> None:
    answers = [retry_many(waiting.ops, {"parked": True}, dry_run=False) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert waiting.api.execute("SELECT count(*) FROM commands") == [5]


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"filter": {}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": 1, "parked": True}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"parked": False}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"parked": "true"}}, "invalid_type", "/filter/parked"),
        ({"filter": {"stuck": "60"}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": 1.0}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": True}}, "invalid_type", "/filter/stuck"),
        ({"filter": {"stuck": -1}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": 10**12}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"stuck": None}}, "invalid_value", "/filter/stuck"),
        ({"filter": {"parked": True, "limit": 0}}, "limit_out_of_range", "/filter/limit"),
        ({"filter": {"parked": True, "limit": 1001}}, "limit_out_of_range", "/filter/limit"),
        ({"filter": {"parked": True, "limit": "10"}}, "invalid_type", "/filter/limit"),
        ({"filter": {"parked": True, "type": "' OR 1=1--"}}, "invalid_value", "/filter/type"),
        ({"filter": {"parked": True, "currency": "eur"}}, "currency_unknown", "/filter/currency"),
        ({"filter": {"parked": True, "ids": []}}, "unknown_field", "/filter/ids"),
        ({"filter": []}, "invalid_type", "/filter"),
        ({"filter": None}, "null_not_allowed", "/filter"),
        ({"dry_run": "false"}, "invalid_type", "/dry_run"),
        ({"reason": ""}, "invalid_value", "/reason"),
        ({"user": "x"}, "unknown_field", "/user"),
    ],
)
def test_n16_invalid_retry_filter_is_refused(api: ApiHarness, change: dict, code: str, pointer: str) -> None:
    body = {"filter": {"parked": True}, "dry_run": False, **REASON, **change}
    ops = api.person("ops")
    with api.unchanged():
        answer = ops.call("POST", "/v1/ops/payments/retry", json=body)
    [flaw] = answer.get_json()["errors"]
    assert (answer.status_code, flaw["code"], flaw["pointer"]) == (422, code, pointer)


@pytest.mark.parametrize("body", [{"filter": {"parked": True}}, REASON])
def test_retry_of_many_needs_filter_and_reason(api: ApiHarness, body: dict) -> None:
    answer = api.person("ops").call("POST", "/v1/ops/payments/retry", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "required")


def test_parked_payments_are_listed_in_pages(waiting: WaitingPayments) -> None:
    def page(query: str) -> Any:
        return waiting.ops.get(f"/v1/ops/payments?parked=true&{query}").get_json()

    first = page("limit=2")
    second = page(f"limit=2&cursor={first['next_cursor']}")
    third = page(f"limit=2&cursor={second['next_cursor']}")
    back = page(f"limit=2&cursor={third['prev_cursor']}")
    rows = [row["id"] for page in (first, second, third) for row in page["data"]]
    assert rows == waiting.parked[::-1]
    assert back["data"] == second["data"]
    assert (third["has_more"], first["prev_cursor"]) == (False, None)
