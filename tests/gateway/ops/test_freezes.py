"""Freezing over HTTP: nothing is posted from or to a frozen wallet, and its owner sees that it is frozen."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.invariants import violations
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.adjustments import account_of
from workers.posting import poster as posting
from workers.posting.poster import Poster

AT_ONCE = 20
PATH = "/v1/ops/freezes"
WHY = {"reason": "Asked by the court"}


def freeze(ops: ApiUser, **target: Any) -> TestResponse:
    return ops.call("POST", PATH, json={**WHY, **target})


def thaw(ops: ApiUser, id: str, reason: str = "Settled") -> TestResponse:
    return ops.call("POST", f"{PATH}/{id}/thaw", json={"reason": reason})


def frozen(ops: ApiUser, **target: Any) -> str:
    """The id of a new freeze."""
    answer = freeze(ops, **target)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()["id"]


def is_frozen(owner: ApiUser, wallet: str) -> bool:
    """Whether the wallet is frozen, as its owner sees it in the list and by itself."""
    [shown] = [one for one in owner.get("/v1/wallets").get_json()["data"] if one["token"] == wallet]
    assert owner.get(f"/v1/wallets/{wallet}").get_json() == shown
    return shown["is_frozen"]


def outcome(api: ApiHarness, person: ApiUser, source: str, target: str) -> str | None:
    """The failure of a transfer of 1.00, or None."""
    body = {"source": source, "target": target, "amount": "1.00", "currency": "EUR"}
    id = person.order("/v1/transfers", body).get_json()["id"]
    api.post_payments()
    failure = person.payment(id)["failure"]
    return failure and failure["code"]


@pytest.mark.parametrize("by", ["account", "wallet"])
def test_frozen_wallet_neither_pays_nor_receives_until_it_is_thawed(
    api: ApiHarness, ops: ApiUser, client: ApiUser, stranger: ApiUser, customer_wallet: str, by: str
) -> None:
    other = stranger.wallet("5.00")
    id = frozen(ops, **{by: customer_wallet if by == "wallet" else account_of(ops, client)})
    assert is_frozen(client, customer_wallet)
    assert [row["is_frozen"] for row in ops.get(f"/v1/ops/accounts?owner={client.id}").get_json()["data"]] == [True]
    assert outcome(api, client, customer_wallet, other) == "account_frozen"
    assert outcome(api, stranger, other, customer_wallet) == "account_frozen"
    assert outcome(api, stranger, other, stranger.wallet()) is None
    told = thaw(ops, id).get_json()
    assert (told["in_force"], told["thaw_reason"], told["thawed_by"]) == (False, "Settled", ops.id)
    assert not is_frozen(client, customer_wallet)
    assert outcome(api, client, customer_wallet, other) is None


def test_freezing_changes_the_etag_of_the_wallet(ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    before = client.get(f"/v1/wallets/{customer_wallet}").headers["ETag"]
    frozen(ops, wallet=customer_wallet)
    late = client.call("PATCH", f"/v1/wallets/{customer_wallet}", json={"label": "x"}, headers={"If-Match": before})
    assert late.status_code == 412


def test_frozen_user_has_frozen_wallets_also_new_ones(ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    """By the trigger accounts_open_frozen_with_their_owner."""
    second = client.wallet()
    own = frozen(ops, wallet=second)
    all = frozen(ops, user=client.id)
    third = client.wallet()
    assert [is_frozen(client, wallet) for wallet in (customer_wallet, second, third)] == [True, True, True]
    thaw(ops, all)
    assert [is_frozen(client, wallet) for wallet in (customer_wallet, second, third)] == [False, True, False]
    all = frozen(ops, user=client.id)
    thaw(ops, own)
    assert is_frozen(client, second), "its owner is frozen"
    thaw(ops, all)
    assert not any(is_frozen(client, wallet) for wallet in (customer_wallet, second, third, client.wallet()))


def test_hold_of_a_frozen_wallet_is_not_captured_but_released(
    api: ApiHarness, ops: ApiUser, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    held, voided = (merchant.charge(customer_wallet, "2.00", capture=False) for _ in range(2))
    api.post_payments()
    frozen(ops, wallet=customer_wallet)
    merchant.order(f"/v1/charges/{held}/capture", {})
    merchant.order(f"/v1/charges/{voided}/void", {})
    api.post_payments()
    assert [merchant.payment(id)["failure"]["code"] for id in (held, voided)] == ["account_frozen", "canceled"]
    assert client.get(f"/v1/wallets/{customer_wallet}").get_json()["held"] == "0.00"


def test_twenty_freezes_at_once_are_one_and_so_are_twenty_thaws(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    people = [api.person("ops") for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda person: freeze(person, user=client.id), people))
        assert sorted(answer.status_code for answer in answers) == [200] * (AT_ONCE - 1) + [201]
        [id] = {answer.get_json()["id"] for answer in answers}
        told = [answer.get_json() for answer in pool.map(lambda person: thaw(person, id), people)]
    assert len({str(one) for one in told}) == 1
    lines = api.execute("SELECT to_jsonb(l) FROM audit_log l WHERE target = %s ORDER BY id", client.id)
    assert [(line["action"], line["actor"], line["reason"]) for line in lines] == [
        ("freezes.freeze", told[0]["frozen_by"], WHY["reason"]),
        ("freezes.thaw", told[0]["thawed_by"], "Settled"),
    ]
    assert (lines[1]["before"]["in_force"], lines[1]["after"]["in_force"]) == (True, False)


def test_wallets_opened_while_their_owner_is_frozen_are_frozen(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    """Whichever comes first: none is left out."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        opened = [pool.submit(client.wallet) for _ in range(AT_ONCE // 2)]
        freezing = pool.submit(frozen, ops, user=client.id)
        opened += [pool.submit(client.wallet) for _ in range(AT_ONCE // 2)]
        wallets = [one.result() for one in opened]
        freezing.result()
    assert all(is_frozen(client, wallet) for wallet in wallets)


def test_freeze_races_with_posting_and_each_transfer_is_before_or_after(
    api: ApiHarness,
    ops: ApiUser,
    client: ApiUser,
    stranger: ApiUser,
    customer_wallet: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = stranger.wallet()
    body = {"source": customer_wallet, "target": target, "amount": "0.10", "currency": "EUR"}
    ids = [client.order("/v1/transfers", body).get_json()["id"] for _ in range(60)]
    poster = Poster(api.worker, deposits_open=True, linger_seconds=0)
    monkeypatch.setattr(posting, "BATCH_MAX", 5)
    poster.batch_limit = 5
    with ThreadPoolExecutor(2) as pool:
        drained = pool.submit(poster.drain, 600.0)
        freezing = pool.submit(frozen, ops, wallet=customer_wallet)
        freezing.result()
        drained.result()
    api.post_payments()
    told = [client.payment(id) for id in ids]
    paid = [one for one in told if one["state"] == "COMPLETED"]
    refused = [one for one in told if one["failure"]]
    assert len(paid) + len(refused) == len(ids)
    assert {one["failure"]["code"] for one in refused} <= {"account_frozen"}
    assert told[: len(paid)] == paid, "those before the freeze are posted, those after it are not"
    assert stranger.balance(target) == f"{len(paid) / 10:.2f}"
    with transaction(api.owner) as connection:
        assert violations(connection) == []


@pytest.mark.parametrize(
    ("target", "pointer", "code"),
    [
        ({}, "/account", "required"),
        ({"account": "00000000-0000-7000-8000-000000000000"}, "/account", "not_found"),
        ({"wallet": "wal_" + "x" * 32}, "/wallet", "not_found"),
        ({"user": "00000000-0000-7000-8000-000000000000"}, "/user", "not_found"),
    ],
)
def test_freeze_of_what_does_not_exist_is_refused(
    api: ApiHarness, ops: ApiUser, target: dict[str, str], pointer: str, code: str
) -> None:
    with api.unchanged():
        [flaw] = freeze(ops, **target).get_json()["errors"]
    assert (flaw["pointer"], flaw["code"]) == (pointer, code)


def test_technical_account_cannot_be_frozen(api: ApiHarness, ops: ApiUser) -> None:
    with api.unchanged():
        assert freeze(ops, account=api.technical("wire")).status_code == 404


def test_freezes_are_listed_by_account_user_and_whether_they_are_in_force(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    account, auditor = account_of(ops, client), api.person("auditor")
    first = frozen(ops, account=account)
    thaw(ops, first)
    second, of_user = frozen(ops, account=account), frozen(ops, user=client.id)

    def listed(query: str) -> list[str]:
        return [one["id"] for one in auditor.get(f"{PATH}?{query}").get_json()["data"]]

    assert listed(f"account={account}") == [second, first]
    assert listed(f"account={account}&in_force=true") == [second]
    assert listed(f"account={account}&in_force=false") == [first]
    assert listed(f"user={client.id}") == [of_user]
    assert not any(
        customer_wallet in str(ops.get(f"/v1/ops/audit?target={target}").get_json()) for target in (account, client.id)
    )
