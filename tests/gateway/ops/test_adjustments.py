"""Adjustments: one ops user proposes, another approves, and only then money moves."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from uuid_utils import compat as uuids

from models import payment
from models.invariants import violations
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.adjustments import AT_ONCE, PATH, account_of, approve, proposal, proposed, reject
from tests.gateway.orders import deposit_into


def internal(api: ApiHarness) -> int:
    [balance] = api.execute("SELECT balance FROM accounts WHERE code = 'internal' AND currency = 'EUR'")
    return int(balance)


def test_adjustment_names_wallet_by_token_or_account_id(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    by_id = proposal(ops, client)
    by_token = {name: value for name, value in by_id.items() if name != "account"} | {"wallet": client_wallet}
    for body in (by_id, by_token):
        adjustment = ops.order(PATH, body).get_json()
        assert (adjustment["account"], adjustment["wallet"]) == (by_id["account"], client_wallet)
        shown = chief.get(f"{PATH}?state=proposed").get_json()["data"][0]
        assert (shown["id"], shown["account"], shown["wallet"]) == (adjustment["id"], by_id["account"], client_wallet)
        [seen] = [row for row in api.person("auditor").get(PATH).get_json()["data"] if row["id"] == adjustment["id"]]
        assert (seen["account"], seen["wallet"]) == (by_id["account"], None)
        assert client_wallet not in str(ops.get(f"/v1/ops/audit?target={adjustment['id']}").get_json())
        assert approve(chief, adjustment["id"]).get_json()["wallet"] == client_wallet
    api.post_payments()
    assert client.balance(client_wallet) == "18.00"
    for wrong, pointer, code in [
        ({**by_id, "wallet": client_wallet}, "/wallet", "invalid_value"),
        ({**by_token, "wallet": "wal_" + "x" * 32}, "/wallet", "not_found"),
        ({name: by_id[name] for name in by_id if name != "account"}, "/account", "required"),
    ]:
        with api.unchanged():
            [flaw] = ops.order(PATH, wrong).get_json()["errors"]
        assert (flaw["pointer"], flaw["code"]) == (pointer, code)


@pytest.mark.parametrize(("direction", "balance", "moved"), [("credit", "14.00", -400), ("debit", "6.00", 400)])
def test_approved_adjustment_changes_balance(
    api: ApiHarness,
    ops: ApiUser,
    chief: ApiUser,
    client: ApiUser,
    client_wallet: str,
    direction: str,
    balance: str,
    moved: int,
) -> None:
    before = internal(api)
    id = proposed(ops, client, direction=direction)
    api.post_payments()
    assert client.balance(client_wallet) == "10.00", "a proposal moves nothing"
    answer = approve(chief, id, reason="Seen the receipt")
    adjustment = answer.get_json()
    assert (answer.status_code, adjustment["proposed_by"], adjustment["approved_by"]) == (202, ops.id, chief.id)
    assert (adjustment["reason"], adjustment["approval_reason"]) == ("Lost in the post", "Seen the receipt")
    api.post_payments()
    assert (client.balance(client_wallet), internal(api) - before) == (balance, moved)
    for reader in (client, ops, chief):
        shown = reader.payment(adjustment["payment"])
        assert (shown["type"], shown["state"], shown["amount"]) == ("adjustment", "COMPLETED", "4.00")
        assert shown["commission"] in ("0.00", None)
        wallet = shown["target" if direction == "credit" else "source"]["wallet"]
        assert wallet == (client_wallet if reader is client else None)


def test_proposal_with_same_key_is_replayed(api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str) -> None:
    body, key = proposal(ops, client), secrets.token_hex(8)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: ops.order(PATH, body, key), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == AT_ONCE - 1
    other = ops.order(PATH, {**body, "amount": "5.00"}, key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    deposit = deposit_into(client_wallet)
    assert ops.order("/v1/deposits", deposit, key).get_json()["code"] == "idempotency_key_reused"


def test_debit_above_balance_fails(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    adjustment = approve(chief, proposed(ops, client, direction="debit", amount="10.01")).get_json()
    api.post_payments()
    assert ops.payment(adjustment["payment"])["failure"]["code"] == "insufficient_funds"
    assert client.balance(client_wallet) == "10.00"


def test_proposals_and_decisions_are_audited(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    id = proposed(ops, client)
    approve(chief, id, reason="Seen")
    lines = api.audit_log(id)
    assert [(line["action"], line["actor"], line["reason"]) for line in lines] == [
        ("adjustments.propose", ops.id, "Lost in the post"),
        ("adjustments.approve", chief.id, "Seen"),
    ]
    assert lines[1]["before"] == lines[0]["after"]
    assert client_wallet not in str(lines)
    reject(ops, second := proposed(ops, client))
    [_, line] = api.audit_log(second)
    assert (line["action"], line["actor"], line["reason"]) == ("adjustments.reject", ops.id, "Not ours")
    assert (line["before"]["state"], line["after"]["state"]) == ("proposed", "rejected")


def test_adjustments_are_listed_and_filtered(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    zeroth, first, second = (proposed(ops, client) for _ in range(3))
    approve(chief, first)
    reject(chief, zeroth)

    def listed(query: str = "", reader: ApiUser = ops) -> list[str]:
        rows = reader.get(f"{PATH}?limit=3{query}").get_json()["data"]
        return [row["id"] for row in rows if row["id"] in (zeroth, first, second)]

    assert listed() == listed(reader=api.person("auditor")) == [second, first, zeroth]
    assert listed("&state=approved") == [first]
    assert listed("&state=proposed") == [second]
    assert listed("&state=rejected,approved") == [first, zeroth]
    assert ops.get(f"{PATH}?state=open").status_code == 422
    page = ops.get(f"{PATH}?limit=1").get_json()
    following = ops.get(f"{PATH}?limit=1&cursor={page['next_cursor']}").get_json()
    assert [page["data"][0]["id"], following["data"][0]["id"]] == [second, first]


@pytest.mark.parametrize("role", ["client", "merchant", "auditor"])
def test_adjustments_need_the_ops_scope(
    api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str, role: str
) -> None:
    person, body, id = api.person(role), proposal(ops, client), proposed(ops, client)
    with api.unchanged():
        assert person.order(PATH, body).status_code == 403
        assert approve(person, id).status_code == 403
        assert reject(person, id).status_code == 403
    if role != "auditor":
        assert person.get(PATH).status_code == 403


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"account": str(uuids.uuid7())}, 404, "not_found"),
        ({"account": "wal_" + "x" * 32}, 422, "invalid_value"),
        ({"direction": "up"}, 422, "invalid_value"),
        ({"amount": "0"}, 422, "amount_not_positive"),
        ({"amount": "-1.00"}, 422, "amount_invalid"),
        ({"amount": 4}, 422, "amount_must_be_string"),
        ({"currency": "USD"}, 422, "currency_mismatch"),
        ({"currency": "ZZZ"}, 422, "currency_unknown"),
        ({"reason": ""}, 422, "invalid_value"),
        ({"reason": "x" * 501}, 422, "text_too_long"),
        ({"approved_by": str(uuids.uuid7())}, 422, "unknown_field"),
    ],
)
def test_invalid_proposal_is_refused(
    api: ApiHarness,
    ops: ApiUser,
    client: ApiUser,
    client_wallet: str,
    members: dict[str, Any],
    status: int,
    code: str,
) -> None:
    body = proposal(ops, client, **members)
    with api.unchanged():
        answer = ops.order(PATH, body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_technical_account_cannot_be_adjusted(
    api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    [wire] = api.execute("SELECT id::text FROM accounts WHERE code = 'wire' AND currency = 'EUR'")
    assert ops.order(PATH, proposal(ops, client, account=wire)).status_code == 404


@pytest.mark.parametrize("id", ["x", "%00", str(uuids.uuid7())], ids=["word", "null", "unknown"])
def test_unknown_adjustment_is_not_found(api: ApiHarness, chief: ApiUser, id: str) -> None:
    with api.unchanged():
        assert approve(chief, id).status_code == 404
        assert reject(chief, id).status_code == 404


def test_worker_fails_adjustment_payment_without_approval(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    """A compromised gateway could insert an adjustment without approval, or a second one for an approval."""
    world, account = api, account_of(ops, client)
    approve(chief, proposed(ops, client))
    internal_id = world.technical("internal")
    forged = [
        world.new_payment("adjustment", maker, internal_id, account, 400) for maker in (client.id, ops.id, chief.id)
    ]
    with transaction(api.gateway) as connection:
        payment.accept(connection, forged)
    api.post_payments()
    for new in forged:
        assert ops.payment(new.id)["failure"]["code"] == "not_permitted"
    assert client.balance(client_wallet) == "14.00"


def test_ledger_invariants_hold_after_adjustments(api: ApiHarness) -> None:
    with api.worker.connect() as connection:
        assert violations(connection) == []
