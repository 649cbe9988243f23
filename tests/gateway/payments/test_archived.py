"""Payments of archived months: 410 for every id, also for a repeated request, and nothing moves twice."""

import pytest
from sqlalchemy import make_url

from embedded.postgres import Postgres
from tests.gateway.harness import ApiHarness
from tests.support import past_the_triggers

ARCHIVED = "016f6000-0000-7000-8000-000000000000"
"""An id of 2020-01."""


@pytest.fixture(scope="module", autouse=True)
def archived_month(api: ApiHarness, postgres: Postgres) -> None:
    past_the_triggers(
        postgres,
        make_url(api.database.owner).database or "",
        "INSERT INTO archived_months (month, first_id, next_id, payments, operations, manifest) VALUES"
        " ('2020-01-01', uuid_floor('2020-01-01Z'), uuid_floor('2020-02-01Z'), 1, 2, sha256('x'))",
    )


@pytest.mark.parametrize("path", ["", "/operations", "/timeline", "/receipt", "/request"])
def test_id_of_an_archived_month_answers_410(api: ApiHarness, path: str) -> None:
    answer = api.person().get(f"/v1/payments/{ARCHIVED}{path}")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "archived")
    unknown = api.person().get(f"/v1/payments/{ARCHIVED.replace('016f6', '017f6')}{path}")
    assert unknown.status_code == 404


def test_refund_of_an_archived_charge_answers_410(api: ApiHarness) -> None:
    answer = api.person("merchant").order("/v1/refunds", {"charge": ARCHIVED, "reason": "duplicate"})
    assert (answer.status_code, answer.get_json()["code"]) == (410, "archived")


def test_repeated_request_of_an_archived_payment_is_410(api: ApiHarness, postgres: Postgres) -> None:
    ann, bob = api.person(), api.person()
    order = {"source": ann.wallet("9.00"), "target": bob.wallet(), "amount": "1.00", "currency": "EUR"}
    accepted = ann.order("/v1/transfers", order, key="old")
    assert accepted.status_code == 202
    past_the_triggers(
        postgres,
        make_url(api.database.owner).database or "",
        "UPDATE idempotency_keys SET payment_id = %s WHERE key = 'old'",
        ARCHIVED,
    )
    with api.unchanged():
        again = ann.order("/v1/transfers", order, key="old")
        assert (again.status_code, again.get_json()["code"]) == (410, "archived")
        other = ann.order("/v1/transfers", order | {"amount": "2.00"}, key="old")
        assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
