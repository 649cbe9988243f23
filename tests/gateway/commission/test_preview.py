"""The preview of a commission: what the payment will cost."""

from typing import Any

import pytest

from embedded.postgres import Postgres
from tests.gateway.commission.commissions import ordered, preview, shown
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, costing


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
    api: ApiHarness, merchant: ApiUser, type: str, amount: str, currency: str, commission: str, arrives: str
) -> None:
    with api.unchanged():
        answer = preview(merchant, type, amount, currency)
    assert answer.status_code == 200
    answer_body = answer.get_json()
    assert (answer_body["amount"], answer_body["commission"], answer_body["arrives"]) == (amount, commission, arrives)
    assert answer_body["terms"]["percent"] == ("2" if type in ("transfer", "charge") else "0")


def test_a_preview_between_ones_own_wallets(client: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, savings, foreign = client.wallet(), client.wallet(), stranger.wallet()
    assert (
        preview(client, "transfer", "10.00", source=customer_wallet, target=savings).get_json()["commission"] == "0.00"
    )
    assert (
        preview(client, "transfer", "10.00", source=customer_wallet, target=foreign).get_json()["commission"] == "0.20"
    )
    assert preview(client, "transfer", "10.00", source=customer_wallet).get_json()["commission"] == "0.20"
    assert preview(client, "transfer", "10.00", target=savings).get_json()["commission"] == "0.00"
    assert preview(client, "transfer", "10.00", source=foreign, target=customer_wallet).status_code == 404
    assert preview(client, "transfer", "10.00", target="wal_" + "x" * 32).status_code == 404


def test_preview_equals_the_commission_taken(
    postgres: Postgres, database: Database, api: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    costing(postgres, database.name, "charge", "1.5", currency="EUR", merchant_id=merchant.id, fixed=25)
    customer_wallet, merchant_wallet = client.wallet("10.00"), merchant.wallet()
    answer_body = preview(merchant, "charge", "10.00", source=customer_wallet, target=merchant_wallet).get_json()
    assert answer_body["terms"] == {
        **{"percent": "1.5", "fixed": "0.25", "minimum": "0.00", "maximum": None},
        **{"smallest_paying_amount": "0.01", "smallest_paying_units": 1, "ending_minimum": None},
    }
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    api.post_payments()
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
