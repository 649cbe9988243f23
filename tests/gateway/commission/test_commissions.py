"""Commission over HTTP: what each party of a payment is shown of it."""

from embedded.postgres import Postgres
from tests.gateway.commission.commissions import kinds, ordered, shown
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, costing


def test_commission_of_a_transfer_is_shown_to_the_payer(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, ops: ApiUser, auditor: ApiUser
) -> None:
    customer_wallet, target = client.wallet("10.00"), stranger.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=target, amount="10.00")
    assert shown(client, id)[0] == "10.00"
    assert shown(stranger, id) == (None, None, None, None), "what will arrive is not known yet"
    [listed] = stranger.get("/v1/payments").get_json()["data"]
    assert (listed["amount"], listed["target_amount"]) == (None, None)
    api.post_payments()
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
    api: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    api.post_payments()
    assert shown(merchant, id) == ("10.00", "0.20", "9.80", "9.80")
    assert shown(client, id) == ("10.00", None, "10.00", "0.00")
    assert shown(ops, id) == ("10.00", "0.20", "9.80", None)
    assert kinds(client, id) == [("transfer", "-10.00"), ("transfer", "10.00")]
    assert (
        kinds(merchant, id) == kinds(ops, id) == [*kinds(client, id), ("commission", "-0.20"), ("commission", "0.20")]
    )
    internal_side = merchant.get(f"/v1/payments/{id}/operations").get_json()["data"][3]
    assert internal_side["balance_after"] is None, "of a technical account"


def test_commission_of_a_partial_capture(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    id = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00", capture=False)
    api.post_payments()
    assert shown(client, id)[:3] == ("10.00", None, "10.00")
    assert merchant.order(f"/v1/charges/{id}/capture", {"amount": "5.00"}).status_code == 202
    api.post_payments()
    names = ("amount", "captured_amount", "commission", "target_amount", "balance_after")
    assert shown(merchant, id, *names) == ("10.00", "5.00", "0.10", "4.90", "4.90")
    assert shown(client, id, *names) == ("5.00", "5.00", None, "5.00", "5.00")


def test_refunded_commission_is_shown_to_the_merchant(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser
) -> None:
    customer_wallet, _ = client.wallet("10.00"), merchant.wallet()
    charge = ordered(merchant, "/v1/charges", wallet=customer_wallet, amount="10.00")
    api.post_payments()
    answer = merchant.order("/v1/refunds", {"charge": charge, "amount": "5.00", "reason": "duplicate"})
    id = answer.get_json()["id"]
    api.post_payments()
    assert shown(merchant, id) == ("5.00", "0.10", "5.00", "4.90")
    assert shown(client, id) == ("5.00", None, "5.00", "5.00")
    assert kinds(client, id) == [("transfer", "-5.00"), ("transfer", "5.00")]
    assert (
        kinds(merchant, id) == kinds(ops, id) == [("commission", "-0.10"), ("commission", "0.10"), *kinds(client, id)]
    )
    assert shown(client, charge)[:3] == ("10.00", None, "10.00")


def test_transfers_between_own_wallets_and_deposits_are_free(api: ApiHarness, client: ApiUser, ops: ApiUser) -> None:
    customer_wallet, savings = client.wallet("10.00"), client.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=savings, amount="10.00")
    api.post_payments()
    assert shown(client, id)[:3] == ("10.00", "0.00", "10.00")
    deposit = ordered(ops, "/v1/deposits", wallet=customer_wallet, amount="3.00", source="wire")
    api.post_payments()
    assert shown(client, deposit)[:3] == shown(ops, deposit)[:3] == ("3.00", "0.00", "3.00")


def test_deposit_commission_is_hidden_from_the_provider(postgres: Postgres, fresh_database: Database) -> None:
    costing(postgres, fresh_database.name, "deposit", "1")
    api = ApiHarness(fresh_database)
    client, provider = api.person(), api.person("merchant", scopes=["deposits:write", "payments:read"])
    customer_wallet = client.wallet()
    id = ordered(provider, "/v1/deposits", wallet=customer_wallet, amount="10.00", source="wire")
    api.post_payments()
    assert shown(client, id) == ("10.00", "0.10", "9.90", "9.90")
    assert shown(provider, id)[:3] == ("10.00", None, "10.00")
    assert len(kinds(client, id)) == 4
    assert len(kinds(provider, id)) == 2


def test_failed_payment_costs_no_commission(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, target = client.wallet("9.99"), stranger.wallet()
    id = ordered(client, "/v1/transfers", source=customer_wallet, target=target, amount="10.00")
    api.post_payments()
    assert shown(client, id)[:3] == ("10.00", "0.00", "10.00")
    assert shown(stranger, id)[:3] == ("10.00", None, "10.00")
