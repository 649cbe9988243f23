"""The simulated bank: acts once a key, misbehaves by amount or on request, and remembers all of it."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from embedded.bank import BEHAVIOURS, DELAY_SECONDS, RETURN_SECONDS, Bank, create_app

CONFIRMED = {"status": "confirmed", "reason": None, "reference": "payout-1"}


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(str(tmp_path / "bank.db"), hang_seconds=0)


@pytest.fixture
def http(bank: Bank) -> FlaskClient:
    return create_app(bank).test_client()


def pay(http: FlaskClient, key: str = "k", amount: str = "1.00", **members: object) -> tuple[int, dict]:
    body = {"amount": amount, "currency": "EUR", "iban": "DE89370400440532013000", "name": "Ann", **members}
    answer = http.post("/payouts", json=body, headers={"Idempotency-Key": key})
    return answer.status_code, answer.get_json()


def counted(http: FlaskClient, key: str = "k") -> tuple[int, int, int, int]:
    payout = http.get("/admin/payouts").get_json()[key]
    return payout["submitted"], payout["inquired"], payout["acted"], payout["returned"]


def news(http: FlaskClient, after: int = 0) -> list[tuple]:
    items = http.get(f"/news?after={after}").get_json()["items"]
    return [(item["kind"], item["key"], item["status"] or item["amount"]) for item in items]


def test_any_other_amount_is_confirmed_at_once_and_once(http: FlaskClient) -> None:
    for _ in range(3):
        assert pay(http) == (200, CONFIRMED)
    assert http.get("/payouts/k").get_json() == CONFIRMED
    assert counted(http) == (3, 1, 1, 0)
    assert news(http) == []


@pytest.mark.parametrize(("amount", "returned"), [("14.5", "14.50"), ("20", "20.00"), (None, "100.00")])
def test_a_part_comes_back_with_the_digits_of_the_whole(http: FlaskClient, amount: str | None, returned: str) -> None:
    pay(http, amount="100.00")
    assert http.post("/admin/payouts/k/return", json={"amount": amount} if amount else {}).status_code == 200
    assert news(http) == [("return", "k", returned)]


@pytest.mark.parametrize("amount", [5, "0.00", "-1", "14.555", "x", ""])
def test_no_part_comes_back_that_is_none(http: FlaskClient, amount: object) -> None:
    pay(http, amount="100.00")
    assert http.post("/admin/payouts/k/return", json={"amount": amount}).status_code == 422
    assert news(http) == []


def test_a_key_stands_for_one_payout(http: FlaskClient) -> None:
    pay(http)
    assert pay(http, amount="2.00") == (409, {"code": "key_reused"})
    assert counted(http)[2] == 1


@pytest.mark.parametrize(
    ("amount", "first", "afterwards", "acted"),
    [
        ("6660.01", 200, 200, 1),
        ("6660.02", 200, 200, 0),
        ("6660.03", 200, 200, 0),
        ("6660.04", 500, 200, 1),
        ("6660.05", 500, 404, 0),
        ("6660.06", 500, 200, 1),
        ("6660.07", 500, 404, 0),
        ("6660.08", 200, 200, 1),
        ("6660.09", 200, 200, 1),
        ("6660.020", 200, 200, 0),
        ("6660.10", 200, 200, 1),
        ("6660.00", 200, 200, 1),
    ],
)
def test_each_magic_amount(http: FlaskClient, amount: str, first: int, afterwards: int, acted: int) -> None:
    assert pay(http, amount=amount)[0] == first
    answer = http.get("/payouts/k")
    assert answer.status_code == afterwards
    assert counted(http) == (1, 1, acted, 0)
    if afterwards == 404:
        assert answer.get_json() == {"code": "payout_unknown"}


def test_a_delayed_one_acts_and_tells_when_its_time_has_come(http: FlaskClient, bank: Bank) -> None:
    assert pay(http, amount="6660.03")[1]["status"] == "pending"
    assert news(http) == []
    http.post("/admin/clock", json={"seconds": DELAY_SECONDS})
    assert news(http) == [("answer", "k", "confirmed")]
    assert counted(http)[2] == 1


def test_one_that_comes_back_does_so_days_later_and_once(http: FlaskClient) -> None:
    pay(http, amount="6660.09")
    http.post("/admin/clock", json={"seconds": RETURN_SECONDS - 60})
    assert news(http) == []
    for _ in range(2):
        http.post("/admin/clock", json={"seconds": 60})
        assert news(http) == [("return", "k", "6660.09")]


def test_one_that_times_out_before_acting_acts_the_third_time(http: FlaskClient) -> None:
    assert [pay(http, amount="6660.05")[0] for _ in range(4)] == [500, 500, 200, 200]
    assert counted(http)[2] == 1


def test_an_answer_given_twice_is_told_again(http: FlaskClient) -> None:
    pay(http, amount="6660.08")
    assert news(http) == [("answer", "k", "confirmed")] * 2
    assert news(http, after=1) == [("answer", "k", "confirmed")]


def test_its_operator_steers_any_key_and_sends_any_payout_back(http: FlaskClient) -> None:
    assert http.post("/admin/payouts/k/behaviour", json={"behaviour": "reject"}).status_code == 200
    assert http.post("/admin/payouts/k/behaviour", json={"behaviour": "dance"}).status_code == 422
    assert pay(http)[1]["status"] == "rejected"
    assert http.post("/admin/payouts/k/return", json={}).status_code == 404, "it never went out"
    pay(http, key="l", amount="6660.07")
    http.post("/admin/payouts/l/behaviour", json={"behaviour": "confirm"})
    assert pay(http, key="l", amount="6660.07")[0] == 200
    for amount in ("6000.00", None):
        assert http.post("/admin/payouts/l/return", json={"amount": amount}).status_code == 200
    assert news(http) == [("return", "l", "6000.00"), ("return", "l", "6660.07")]


def test_it_remembers_when_it_is_started_again(http: FlaskClient, bank: Bank) -> None:
    pay(http)
    again = create_app(Bank(bank.path)).test_client()
    assert pay(again) == (200, CONFIRMED)
    assert counted(again) == (2, 0, 1, 0)


@pytest.mark.parametrize(
    "members", [{"amount": "1e3"}, {"amount": 7.5}, {"amount": None}, {"iban": ""}, {"name": None}]
)
def test_what_it_cannot_read_it_refuses(http: FlaskClient, members: dict[str, object]) -> None:
    assert pay(http, **{"amount": "1.00", **members})[1]["code"] == "payout_refused"


def test_news_come_in_pages(http: FlaskClient) -> None:
    for number in range(3):
        pay(http, key=str(number), amount="6660.08")
    page = http.get("/news?after=2&limit=3").get_json()
    assert [item["key"] for item in page["items"]] == ["1", "1", "2"]
    assert page["position"] == 5
    assert http.get("/news?after=6").get_json() == {"items": [], "position": 6}


def test_the_magic_amounts_are_nine_and_no_more() -> None:
    assert [str(amount) for amount in BEHAVIOURS] == [f"6660.0{number}" for number in range(1, 10)]
