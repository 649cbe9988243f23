"""Objects of other users: as unknown as those that do not exist, and shown without what is private."""

import secrets

import pytest
from uuid_utils import compat as uuids

import bell
from models import token as tokens
from models.session import transaction
from tests.gateway.auth.scope_matrix import CALLS, ID, WALLET, rule_of
from tests.gateway.bulks.builders import CHARGES, ORGANIZATION, TRANSFERS, line
from tests.gateway.bulks.builders import order as order_of_transfers
from tests.gateway.exchange.quotes import quote
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.gateway.webhooks.helpers import delivery, endpoint


def objects_of(owner: ApiUser, api: ApiHarness) -> dict[str, dict[str, str]]:
    """An object of the owner's, or of a merchant's who charged them, for each parameter, by the route's beginning."""
    wallet = owner.wallet("10.00")
    [payment] = owner.get("/v1/payments").get_json()["data"]
    key = owner.call("POST", "/v1/api-keys", json={"name": "server"}).get_json()["id"]
    shop = api.person("merchant")
    shop.wallet()
    order = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "capture": False}
    charge = shop.order("/v1/charges", order).get_json()["id"]
    bank = {"organization_name": "ACME Corp", "iban": ORGANIZATION["organization_iban"], "wallet": wallet}
    account = owner.call("POST", "/v1/bank-accounts", json=bank).get_json()["id"]
    bulk = owner.order(TRANSFERS, order_of_transfers(line())).get_json()["id"]
    run = owner.order(CHARGES, {"currency": "EUR", "charges": [{"wallet": shop.wallet(), "amount": "1.00"}]}).get_json()
    hook = endpoint(owner)
    session = str(uuids.uuid7())
    with transaction(api.gateway) as connection:
        tokens.open_session(connection, session, owner.id, tokens.new(), 1, None, None)
    api.execute("INSERT INTO memberships (merchant_id, user_id, role) VALUES (%s, %s, 'viewer')", owner.id, shop.id)
    guest = {"email": f"{owner.id}@guests.example", "role": "viewer"}
    invitation = owner.call("POST", "/v1/invitations", json=guest).get_json()["id"]
    api.execute("INSERT INTO exchange_rates (source, target, rate, source_name) VALUES ('EUR', 'USD', 1.1, 'ECB')")
    return {
        "/v1/quotes/<id>": {"<id>": quote(owner)["id"]},
        "/v1/members/<id>": {"<id>": shop.id},
        "/v1/invitations/<id>": {"<id>": invitation},
        "/v1/payments/<id>": {"<id>": payment["id"]},
        "/v1/charges/<id>": {"<id>": charge},
        "/v1/wallets/<token>": {"<token>": wallet},
        "/v1/sessions/<id>": {"<id>": session},
        "/v1/api-keys/<id>": {"<id>": key},
        "/v1/bank-accounts/<id>": {"<id>": account},
        "/v1/bulk-transfers/<id>": {"<id>": bulk},
        "/v1/bulk-charges/<id>": {"<id>": run["id"]},
        "/v1/webhook-endpoints/<id>": {"<id>": hook},
        "/v1/webhook-deliveries/<id>": {"<id>": delivery(api, hook)},
    }


OF_SOMEBODY = [
    call for call, (_, path, _) in CALLS.items() if (ID in path or WALLET in path) and not call.startswith("ops:")
]
"""Calls that name an object of one user; those of ops may name those of all users."""


@pytest.fixture(scope="module")
def holder(api: ApiHarness) -> ApiUser:
    """A merchant with one of everything."""
    return api.person("merchant")


@pytest.fixture(scope="module")
def owned(api: ApiHarness, holder: ApiUser) -> dict[str, dict[str, str]]:
    """The objects of the holder, which no other user changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bell, "ring", lambda *_: None)
        return objects_of(holder, api)


@pytest.mark.parametrize("call", OF_SOMEBODY)
def test_anothers_object_is_as_unknown_as_none(
    api: ApiHarness, call: str, holder: ApiUser, owned: dict[str, dict[str, str]]
) -> None:
    method, rule = rule_of(api, call)
    stranger = api.person("merchant")
    [(beginning, parameters)] = [(k, v) for k, v in owned.items() if rule.startswith(k)]
    [(parameter, value)] = parameters.items()
    _, path, body = CALLS[call]
    real = "".join((rule.replace(parameter, value), *path.partition("?")[1:]))
    kwargs = {} if body is None else {"json": body}
    headers = {"If-Match": "*", "Idempotency-Key": secrets.token_hex(8)}
    with api.unchanged():
        answers = [stranger.call(method, at, headers=headers, **kwargs) for at in (real, path)]
    assert [answer.status_code for answer in answers] == [404, 404], beginning
    bodies = [{k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in answers]
    assert bodies[0] == bodies[1]
    if call == "its socket":
        assert holder.get(real).status_code == 426
    elif method == "GET":  # without a body: a stream's would be long
        is_pending = call == "receipt"  # until the payment is posted
        assert holder.call("HEAD", real).status_code == (409 if is_pending else 200)


def test_n01_n03_a_strangers_payment_is_as_unknown_as_none(client: ApiUser, stranger: ApiUser) -> None:
    client.wallet("10.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    for suffix in ("", "/operations"):
        foreign = stranger.get(f"/v1/payments/{payment['id']}{suffix}")
        unknown = stranger.get(f"/v1/payments/{uuids.uuid7()}{suffix}")
        same = [
            {k: v for k, v in a.get_json().items() if k not in ("instance", "request_id")} for a in (foreign, unknown)
        ]
        assert foreign.status_code == unknown.status_code == 404
        assert same[0] == same[1]


def test_n02_another_merchants_charge(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet = client.wallet("10.00")
    merchant.wallet()
    charge = merchant.order("/v1/charges", {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR"}).get_json()
    assert api.person("merchant").get(f"/v1/payments/{charge['id']}").status_code == 404


def test_n03_a_strangers_wallet(client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet()
    assert stranger.get(f"/v1/wallets/{wallet}").status_code == 404
    assert client.get(f"/v1/wallets/{wallet}").status_code == 200


def test_n04_filtering_by_a_strangers_wallet_shows_no_rows(client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet("10.00")
    assert stranger.get(f"/v1/payments?wallet={wallet}").get_json()["data"] == []
    assert len(client.get(f"/v1/payments?wallet={wallet}").get_json()["data"]) == 1


def test_n06_n12_a_strangers_wallet_as_source(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, own = client.wallet("10.00"), stranger.wallet()
    order = {"target": own, "amount": "1.00", "currency": "EUR"}
    with api.unchanged():
        foreign = stranger.order("/v1/transfers", {**order, "source": customer_wallet})
        unknown = stranger.order("/v1/transfers", {**order, "source": "wal_" + "x" * 32})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.get_json()["errors"] == unknown.get_json()["errors"]


def test_n12_a_deposit_into_a_strangers_wallet(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    wallet = client.wallet()
    with api.unchanged():
        order = deposit_into(wallet)
        assert stranger.order("/v1/deposits", order).status_code == 404


def test_n12_a_charge_into_a_strangers_wallet(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser
) -> None:
    customer_wallet, foreign = client.wallet("5.00"), stranger.wallet()
    with api.unchanged():
        order = {"wallet": customer_wallet, "target": foreign, "amount": "1.00", "currency": "EUR"}
        assert merchant.order("/v1/charges", order).status_code == 404


@pytest.mark.parametrize(
    "id", ["1", "0", "x", "%27", "1%20OR%201=1", "{8}", "..%2f..", "00000000-0000-0000-0000-000000000000", "%00", "é"]
)
def test_n10_n52_guessed_ids(client: ApiUser, id: str) -> None:
    assert client.get(f"/v1/payments/{id}").status_code == 404
    assert client.get(f"/v1/wallets/{id}").status_code == 404


def test_an_id_has_one_spelling(client: ApiUser) -> None:
    client.wallet("1.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    for spelling in (payment["id"].upper(), payment["id"].replace("-", ""), f"{{{payment['id']}}}"):
        assert client.get(f"/v1/payments/{spelling}").status_code == 404


def test_n18_the_other_side_sees_neither_token_nor_balance(client: ApiUser, merchant: ApiUser, api: ApiHarness) -> None:
    customer_wallet = client.wallet("50.00")
    merchant_wallet = merchant.wallet()
    order = {"wallet": customer_wallet, "amount": "10.00", "currency": "EUR", "metadata": {"note": "internal"}}
    id = merchant.order("/v1/charges", order).get_json()["id"]
    api.post_payments()
    by_merchant, by_client = (who.payment(id) for who in (merchant, client))
    assert by_client["target"] == {"wallet": None, "name": "Shop", "last4": merchant_wallet[-4:]}
    assert (
        by_client["source"]
        == by_merchant["source"]
        == {"wallet": customer_wallet, "name": "Ann", "last4": customer_wallet[-4:]}
    )
    assert (by_client["balance_after"], by_merchant["balance_after"]) == ("40.00", "10.00")
    assert (by_client["commission"], by_merchant["commission"]) == (None, "0.00")
    assert (by_client["metadata"], by_merchant["metadata"]) == (None, {"note": "internal"})
    operations = client.get(f"/v1/payments/{id}/operations").get_json()["data"]
    assert [row["balance_after"] for row in operations] == ["40.00", None]
    assert [row["account"]["wallet"] for row in operations] == [customer_wallet, None]


@pytest.mark.parametrize("role", ["ops", "auditor"])
def test_ops_and_auditor_read_all_but_no_token(api: ApiHarness, client: ApiUser, role: str) -> None:
    wallet = client.wallet("10.00")
    reader = api.person(role)
    [payment] = reader.get(f"/v1/payments?wallet={wallet}").get_json()["data"]
    assert payment["target"]["wallet"] is None
    assert reader.get(f"/v1/payments/{payment['id']}").status_code == 200
    assert reader.get(f"/v1/wallets/{wallet}").get_json()["balance"] == "10.00"
    assert len(reader.get(f"/v1/payments/{payment['id']}/operations").get_json()["data"]) == 2
