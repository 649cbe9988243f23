"""Bank accounts of organisations: registered once a merchant, over a wallet of their own."""

from typing import Any

import pytest
from uuid_utils import compat as uuids
from werkzeug.test import TestResponse

from tests.gateway.bulks.builders import BIC, iban
from tests.gateway.harness import ApiHarness, ApiUser

PATH = "/v1/bank-accounts"


def register(person: ApiUser, token: str, **members: Any) -> TestResponse:
    body = {"organization_name": "ACME Corp", "iban": iban(1), "bic": BIC, "wallet": token}
    return person.call("POST", PATH, json={**body, **members})


def test_a_merchant_registers_and_reads(merchant: ApiUser) -> None:
    wallet = merchant.wallet()
    answer = register(merchant, wallet, iban=" ".join([iban(1)[:4], iban(1)[4:]]).lower())
    kept = answer.get_json()
    assert (answer.status_code, kept["iban"], kept["bic"], kept["currency"]) == (201, iban(1), BIC, "EUR")
    assert (kept["wallet"], kept["is_active"]) == (wallet, True)
    assert merchant.get(answer.headers["Location"]).get_json() == kept
    second = register(merchant, wallet, iban=iban(2), bic=None).get_json()
    assert second["bic"] is None
    assert [row["id"] for row in merchant.get(PATH).get_json()["data"]] == [second["id"], kept["id"]]


def test_an_iban_is_registered_once_a_merchant(api: ApiHarness, merchant: ApiUser) -> None:
    wallet = merchant.wallet()
    register(merchant, wallet)
    with api.unchanged():
        again = register(merchant, wallet, organization_name="Other")
    assert (again.status_code, again.get_json()["code"]) == (409, "duplicate_bank_account")
    other = api.person("merchant")
    assert register(other, other.wallet()).status_code == 201


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"iban": "DE00370400440532013000"}, "/iban", "iban_invalid"),
        ({"bic": "DEUT"}, "/bic", "bic_invalid"),
        ({"bic": "BNPAFRPP"}, "/bic", "bic_mismatch"),
        ({"organization_name": ""}, "/organization_name", "invalid_value"),
        ({"wallet": "wal_" + "x" * 32}, "/wallet", "not_found"),
    ],
)
def test_invalid_bank_accounts_are_refused(
    api: ApiHarness, merchant: ApiUser, members: dict[str, str], pointer: str, code: str
) -> None:
    wallet = merchant.wallet()
    with api.unchanged():
        answer = register(merchant, wallet, **members)
    assert answer.status_code == 422
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]] == [(pointer, code)]


def test_bank_account_of_anothers_wallet_is_refused(api: ApiHarness, merchant: ApiUser, client: ApiUser) -> None:
    wallet = client.wallet("10.00")
    with api.unchanged():
        assert register(merchant, wallet).status_code == 422
        assert register(client, wallet).status_code == 403


def test_bank_account_is_visible_to_its_owner(api: ApiHarness, merchant: ApiUser, stranger: ApiUser) -> None:
    path = register(merchant, merchant.wallet()).headers["Location"]
    assert stranger.get(path).get_json()["detail"] == stranger.get(f"{PATH}/{uuids.uuid7()}").get_json()["detail"]
    assert (stranger.get(path).status_code, stranger.get(PATH).get_json()["data"]) == (404, [])
    ops = api.person("ops")
    assert ops.get(path).get_json()["wallet"] is None
    assert ops.call("PATCH", path, json={"is_active": False}, headers={"If-Match": "*"}).status_code == 403


def test_bank_account_change_needs_the_etag(api: ApiHarness, merchant: ApiUser) -> None:
    answer = register(merchant, merchant.wallet())
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    off = {"is_active": False}
    with api.unchanged():
        assert merchant.call("PATCH", path, json=off).status_code == 428
        assert merchant.call("PATCH", path, json=off, headers={"If-Match": '"9-x"'}).status_code == 412
    changed = merchant.call("PATCH", path, json=off, headers={"If-Match": tag})
    assert (changed.get_json()["is_active"], changed.headers["ETag"] != tag) == (False, True)
    assert merchant.call("PATCH", path, json=off, headers={"If-Match": tag}).status_code == 412
