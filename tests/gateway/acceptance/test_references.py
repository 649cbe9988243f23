"""A reference names one payment of its merchant's that may come to something: FAILED, it is free for the next."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks.builders import CHARGES, TRANSFERS, lines, order, organization
from tests.gateway.bulks.builders import line as transfer_line
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import at_once

AT_ONCE = 20

Body = dict[str, Any]


class Shop:
    """A merchant who charges the wallet of one customer."""

    def __init__(self, api: ApiHarness, merchant: ApiUser, customer: ApiUser) -> None:
        self.api, self.merchant, self.customer = api, merchant, customer
        self.customer_wallet = customer.wallet()
        self.merchant_wallet = merchant.wallet()

    def fund(self, amount: str) -> None:
        """Bring money to the customer."""
        deposit = deposit_into(self.customer_wallet, amount)
        assert self.customer.order("/v1/deposits", deposit).status_code == 202
        self.api.post_payments()

    def charge(self, reference: str, key: str | None = None, **members: Any) -> TestResponse:
        """Order a charge of 5.00."""
        body = {"wallet": self.customer_wallet, "amount": "5.00", "currency": "EUR", "reference": reference, **members}
        return self.merchant.order("/v1/charges", body, key)

    def bulk(self, *references: str) -> TestResponse:
        """Order a charge of 5.00 for each of these."""
        charges = [
            {"wallet": self.customer_wallet, "amount": "5.00", "reference": reference} for reference in references
        ]
        return self.merchant.order(CHARGES, {"currency": "EUR", "charges": charges})

    def state(self, answer: TestResponse) -> str:
        """The state of the payment."""
        return str(self.merchant.get(answer.headers["Location"]).get_json()["state"])

    def failed(self, reference: str, key: str | None = None) -> TestResponse:
        """A charge that FAILED because the wallet was empty."""
        answer = self.charge(reference, key)
        self.api.post_payments()
        assert self.state(answer) == "FAILED"
        return answer


@pytest.fixture
def shop(api: ApiHarness, merchant: ApiUser, client: ApiUser) -> Shop:
    """A shop whose customer has no money yet."""
    return Shop(api, merchant, client)


def decided(order: Callable[[], TestResponse]) -> TestResponse:
    """The first answer that is not 503: on a busy machine a lock may be held for longer than it is waited for."""
    while (answer := order()).status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        pass
    return answer


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    body = answer.get_json()
    return answer.status_code, body["code"], body["payment"]


def taken(by: str) -> tuple[int, str, str]:
    return 409, "duplicate_reference", by


def intact(api: ApiHarness) -> bool:
    with transaction(api.worker) as connection:
        return violations(connection) == []


def test_an_order_is_paid_on_the_second_try(api: ApiHarness, shop: Shop) -> None:
    first = shop.failed("A-1", "first")
    shop.fund("20.00")
    second = shop.charge("A-1", "second")
    assert (second.status_code, second.get_json()["reference"]) == (202, "A-1")
    assert refusal(shop.charge("A-1")) == taken(second.get_json()["id"]), "while it is INITIATED"
    api.post_payments()
    assert shop.state(second) == "COMPLETED"
    assert refusal(shop.charge("A-1")) == taken(second.get_json()["id"])
    assert shop.merchant.balance(shop.merchant_wallet) == "5.00"
    again = shop.charge("A-1", "first")
    assert (again.status_code, again.get_json()["id"]) == (202, first.get_json()["id"]), "a key keeps its payment"
    assert (again.get_json()["state"], again.headers["Idempotent-Replayed"]) == ("FAILED", "true")
    found = shop.merchant.get("/v1/payments?reference=A-1").get_json()["data"]
    assert {row["id"]: row["state"] for row in found} == {
        first.get_json()["id"]: "FAILED",
        second.get_json()["id"]: "COMPLETED",
    }
    assert intact(api)


def test_it_fails_and_passes_on_as_often_as_it_takes(api: ApiHarness, shop: Shop) -> None:
    ids = [shop.failed("A-2").get_json()["id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert api.execute("SELECT payment_id::text FROM payment_references WHERE reference = 'A-2'") == ids[-1:]
    assert intact(api)


def canceled(shop: Shop, answer: TestResponse) -> None:
    path = f"/v1/payments/{answer.get_json()['id']}/cancel"
    assert shop.merchant.call("POST", path, json={}, headers={"Idempotency-Key": "c"}).status_code == 202


def voided(shop: Shop, answer: TestResponse) -> None:
    shop.api.post_payments()
    path = f"/v1/charges/{answer.get_json()['id']}/void"
    assert shop.merchant.call("POST", path, json={}, headers={"Idempotency-Key": "v"}).status_code == 202


@pytest.mark.parametrize(
    ("members", "end"), [({"scheduled_at": "2200-01-01T00:00:00Z"}, canceled), ({"capture": False}, voided)]
)
def test_canceled_or_voided_charge_frees_its_reference(
    api: ApiHarness, shop: Shop, members: Body, end: Callable[[Shop, TestResponse], None]
) -> None:
    shop.fund("20.00")
    first = shop.charge("A-3", **members)
    end(shop, first)
    assert refusal(shop.charge("A-3")) == taken(first.get_json()["id"]), "ordered to end, not ended"
    api.post_payments()
    assert shop.state(first) == "FAILED"
    second = shop.charge("A-3")
    api.post_payments()
    assert shop.state(second) == "COMPLETED"


def test_a_hold_keeps_its_reference(api: ApiHarness, shop: Shop) -> None:
    shop.fund("20.00")
    held = shop.charge("A-4", capture=False)
    api.post_payments()
    assert shop.state(held) == "AUTHORIZED"
    assert refusal(shop.charge("A-4")) == taken(held.get_json()["id"])


def test_of_twenty_that_race_for_a_free_reference_one_wins(api: ApiHarness, shop: Shop) -> None:
    shop.failed("A-5")
    answers = at_once(AT_ONCE, lambda _: decided(lambda: shop.charge("A-5")))
    [winner] = [answer.get_json()["id"] for answer in answers if answer.status_code == 202]
    assert {refusal(answer) for answer in answers if answer.status_code != 202} == {taken(winner)}
    assert intact(api)


def test_orders_and_lines_of_bulks_race_for_a_free_reference(api: ApiHarness, shop: Shop) -> None:
    for reference in ("B-1", "B-2"):
        shop.failed(reference)

    def charge_or_bulk(n: int) -> TestResponse:
        return decided(lambda: shop.bulk("B-1", "B-2") if n % 2 else shop.charge("B-1"))

    answers = at_once(AT_ONCE, charge_or_bulk)
    [winner] = [answer for answer in answers if answer.status_code == 202]
    names = api.execute("SELECT payment_id::text FROM payment_references WHERE reference = 'B-1'")
    assert {refusal(answer) for answer in answers if answer is not winner} == {taken(names[0])}
    assert intact(api)


def test_lines_of_a_bulk_take_what_failed_and_no_more(api: ApiHarness, shop: Shop) -> None:
    shop.failed("C-1")
    shop.fund("5.00")
    done = shop.charge("C-2")
    api.post_payments()
    with api.unchanged():
        refused = shop.bulk("C-1", "C-2", "C-3")
        assert refusal(refused) == taken(done.get_json()["id"])
        assert [flaw["pointer"] for flaw in refused.get_json()["errors"]] == ["/charges/1/reference"]
    first = shop.bulk("C-1", "C-3")
    assert first.status_code == 202
    api.post_payments()
    assert {row["state"] for row in lines(shop.merchant, first)} == {"FAILED"}
    shop.fund("10.00")
    second = shop.bulk("C-3", "C-1")
    api.post_payments()
    assert {row["state"] for row in lines(shop.merchant, second)} == {"COMPLETED"}
    assert refusal(shop.charge("C-1"))[:2] == taken("")[:2]
    assert intact(api)


def test_the_salaries_of_a_bulk_that_failed_are_ordered_again(api: ApiHarness) -> None:
    merchant, wallet = organization(api)
    body = order(transfer_line("5.00", 1, reference="S-1"), transfer_line("5.00", 2, reference="S-2"))
    first = merchant.order(TRANSFERS, body)
    api.post_payments()
    assert merchant.get(first.headers["Location"]).get_json()["state"] == "FAILED"
    deposit = deposit_into(wallet, "10.00")
    merchant.order("/v1/deposits", deposit)
    api.post_payments()
    second = merchant.order(TRANSFERS, body)
    assert second.status_code == 202
    api.post_payments()
    assert {row["state"] for row in lines(merchant, second)} == {"AUTHORIZED"}
    third = merchant.order(TRANSFERS, body)
    assert refusal(third) == taken(lines(merchant, second)[0]["payment"])
    assert intact(api)
