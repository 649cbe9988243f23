"""Bulk transfers that are refused: amounts, lines, organizations and bank accounts that are not valid."""

import json
from typing import Any

import pytest

from gateway.bulks.schemas import LINES_MAX
from tests.gateway.bulks.builders import (
    TRANSFERS,
    errors_of,
    iban,
    line,
    order,
    organization,
)
from tests.gateway.harness import ApiHarness, ApiUser

AMOUNTS = {
    "0.001": "amount_precision",
    "NaN": "amount_invalid",
    "0": "amount_not_positive",
    "-1.00": "amount_invalid",
    "1e3": "amount_invalid",
    " 1": "amount_invalid",
    14.5: "amount_must_be_string",
    "9" * 39: "amount_too_large",
}


@pytest.mark.parametrize(("amount", "code"), list(AMOUNTS.items()))
def test_an_amount_that_cannot_be_paid_is_named(api: ApiHarness, payer: ApiUser, amount: Any, code: str) -> None:
    """Elsewhere the sub-cents of a line were rounded away, and the total with them."""
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(line(), line(n=2, **{"amount": amount})))
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert errors_of(answer) == [("/credit_transfers/1/amount", code)]


@pytest.mark.parametrize(
    ("members", "code", "where"),
    [
        ({"counterparty_iban": "DE88370400440532013000"}, "iban_invalid", "counterparty_iban"),
        ({"counterparty_iban": None}, "null_not_allowed", "counterparty_iban"),
        ({"counterparty_iban": 5}, "invalid_type", "counterparty_iban"),
        ({"counterparty_bic": "COBADEF"}, "bic_invalid", "counterparty_bic"),
        ({"counterparty_bic": "BNPAFRPP"}, "bic_mismatch", "counterparty_bic"),
        ({"counterparty_name": " "}, "invalid_value", "counterparty_name"),
        ({"counterparty_name": "x" * 71}, "text_too_long", "counterparty_name"),
        ({"description": "x" * 141}, "text_too_long", "description"),
        ({"description": "a\x00b"}, "text_invalid", "description"),
        ({"currency": "USD"}, "currency_mismatch", "currency"),
        ({"wallet": "wal"}, "unknown_field", "wallet"),
    ],
)
def test_each_wrong_line_is_named(
    api: ApiHarness, payer: ApiUser, members: dict[str, Any], code: str, where: str
) -> None:
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(*(line(n=n) for n in range(3)), line(n=3, **members)))
    assert (answer.status_code, errors_of(answer)) == (422, [(f"/credit_transfers/3/{where}", code)])


def test_outside_sepa_a_bic_is_required(api: ApiHarness, payer: ApiUser) -> None:
    turkish = line(counterparty_iban="TR330006100519786457841326")
    del turkish["counterparty_bic"]
    german = {**line(), "counterparty_iban": " ".join([iban(1)[:4], iban(1)[4:]])}
    del german["counterparty_bic"]
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(german, turkish))
    assert errors_of(answer) == [("/credit_transfers/1/counterparty_bic", "bic_required")]
    assert payer.order(TRANSFERS, order(german)).status_code == 202


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"organization_iban": iban(7)}, "bank_account_unknown", "/organization_iban"),
        ({"organization_name": "Other Corp"}, "bank_account_unknown", "/organization_name"),
        ({"organization_bic": "DEUTDEFF"}, "bank_account_unknown", "/organization_bic"),
        ({"currency": "USD"}, "currency_mismatch", "/currency"),
        ({"mode": "both"}, "invalid_value", "/mode"),
        ({"is_open": True}, "invalid_value", "/mode"),
        ({"credit_transfers": []}, "invalid_value", "/credit_transfers"),
        ({"credit_transfers": {}}, "invalid_type", "/credit_transfers"),
        ({"credit_transfers": [1]}, "invalid_type", "/credit_transfers/0"),
    ],
)
def test_invalid_bulks_are_refused(
    api: ApiHarness, payer: ApiUser, members: dict[str, Any], code: str, pointer: str
) -> None:
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(line(), **members))
    assert (answer.status_code, errors_of(answer)) == (422, [(pointer, code)])


def test_the_organizations_bic_is_of_its_ibans_country(api: ApiHarness, payer: ApiUser) -> None:
    registered = {"organization_name": "Branch", "iban": iban(77), "wallet": payer.wallet()}
    assert payer.call("POST", "/v1/bank-accounts", json=registered).status_code == 201
    named = {"organization_name": "Branch", "organization_iban": iban(77)}
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(line(), **named, organization_bic="BNPAFRPP"))
    assert (answer.status_code, errors_of(answer)) == (422, [("/organization_bic", "bic_mismatch")])
    assert payer.order(TRANSFERS, order(line(), **named)).status_code == 202


def test_organization_name_may_differ_in_spelling(payer: ApiUser) -> None:
    written = {"organization_name": "acme  CORP", "organization_iban": "de89 3704 0044 0532 0130 00"}
    assert payer.order(TRANSFERS, order(line(), **written, currency="EUR")).status_code == 202


def test_bulk_takes_a_thousand_lines_at_most(api: ApiHarness, payer: ApiUser) -> None:
    sent_lines = [line("0.01", n) for n in range(LINES_MAX + 1)]
    with api.unchanged():
        answer = payer.order(TRANSFERS, order(*sent_lines))
        assert (answer.status_code, errors_of(answer)) == (422, [("/credit_transfers", "invalid_value")])
        oversized = payer.raw(TRANSFERS, json.dumps(order(*sent_lines[:-1])).encode().ljust(1024 * 1024 + 1))
        assert oversized.status_code == 413
        elsewhere = payer.raw("/v1/charges", b" " * 65 * 1024)
        assert elsewhere.status_code == 413, "only bulks are so large"
    kept = payer.order(TRANSFERS, order(*sent_lines[:-1]))
    assert (kept.status_code, kept.get_json()["total"]) == (202, "10.00")


def test_a_bulk_needs_a_key_and_the_scope(api: ApiHarness, payer: ApiUser) -> None:
    people = (api.person("client"), api.person("ops"), api.person("merchant", scopes=["charges:write"]))
    with api.unchanged():
        answer = payer.call("POST", TRANSFERS, json=order(line()))
        assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")
        for person in people:
            assert person.order(TRANSFERS, order(line())).get_json()["code"] == "scope_missing"


def test_inactive_bank_account_or_wallet_is_refused(api: ApiHarness) -> None:
    merchant, wallet = organization(api, "5.00")
    kept = merchant.order(TRANSFERS, order(line()), "once")
    [account] = merchant.get("/v1/bank-accounts").get_json()["data"]
    for path in (f"/v1/bank-accounts/{account['id']}", f"/v1/wallets/{wallet}"):
        off, on = (
            merchant.call("PATCH", path, json={"is_active": active}, headers={"If-Match": "*"})
            for active in (False, True)
        )
        assert (off.status_code, on.status_code) == (200, 200)
        merchant.call("PATCH", path, json={"is_active": False}, headers={"If-Match": "*"})
        answer = merchant.order(TRANSFERS, order(line()))
        assert (answer.status_code, errors_of(answer)) == (422, [("/organization_iban", "account_inactive")])
        assert merchant.order(TRANSFERS, order(line()), "once").get_json()["id"] == kept.get_json()["id"]
        merchant.call("PATCH", path, json={"is_active": True}, headers={"If-Match": "*"})
