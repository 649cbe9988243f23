"""Group commit: orders that arrive together share flushes, and each gets its own answer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from gateway.acceptance import group_commit
from gateway.acceptance.group_commit import GROUP_MAX, GroupCommit
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import PATIENCE_SECONDS, statements_of

ORDERS = 60


def test_concurrent_orders_share_flushes_with_an_answer_each(api: ApiHarness, client: ApiUser, rings: list) -> None:
    source, target = client.wallet("1.00"), client.wallet()
    rings.clear()
    gate = threading.Barrier(ORDERS)

    def order(number: int) -> tuple[str, str]:
        gate.wait()
        body = {"source": source, "target": target, "amount": f"{number + 1}.00", "currency": "EUR"}
        answer = client.order("/v1/transfers", body)
        assert answer.status_code == 202
        return answer.get_json()["id"], answer.get_json()["amount"]

    with statements_of() as seen, ThreadPoolExecutor(ORDERS) as pool:
        answers = list(pool.map(order, range(ORDERS)))
    inserts = [statement for statement, _ in seen if statement.startswith("EXECUTE accept_between_wallets")]
    assert [amount for _, amount in answers] == [f"{number + 1}.00" for number in range(ORDERS)]
    stored = api.execute("SELECT id::text || ' ' || amount FROM payments WHERE type = 'transfer'")
    assert sorted(stored) == sorted(f"{id} {amount.replace('.', '')}" for id, amount in answers)
    assert len(inserts) < ORDERS
    assert len(rings) == len(inserts)


def test_concurrent_refusals_answer_their_own_orders(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    source, target, foreign = client.wallet("1.00"), client.wallet(), stranger.wallet()
    unknown = "wal_" + "u" * 32
    cases = {
        "good": ({"source": source, "target": target}, 202),
        "foreign source": ({"source": foreign, "target": target}, 404),
        "unknown target": ({"source": source, "target": unknown}, 404),
        "another currency": ({"source": source, "target": target, "currency": "JPY", "amount": "1"}, 422),
    }
    gate = threading.Barrier(ORDERS)

    def order(number: int) -> tuple[str, int]:
        gate.wait()
        name = list(cases)[number % len(cases)]
        return name, client.order("/v1/transfers", {"amount": "1.00", "currency": "EUR", **cases[name][0]}).status_code

    with ThreadPoolExecutor(ORDERS) as pool:
        outcomes = list(pool.map(order, range(ORDERS)))
    assert [outcome for outcome in outcomes if outcome[1] != cases[outcome[0]][1]] == []


def test_a_group_waits_until_it_is_as_large_as_the_one_before(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = client.wallet("1.00"), client.wallet()
    body = {"source": source, "target": target, "amount": "1.00", "currency": "EUR"}
    commit = api.app.extensions["gateway"].group_commit
    sizes, settle = [], commit._settle
    monkeypatch.setattr(commit, "_settle", lambda requests: sizes.append(len(requests)) or settle(requests))
    monkeypatch.setattr(group_commit, "LINGER_SECONDS", PATIENCE_SECONDS)
    commit._size_before = 3
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(client.order, "/v1/transfers", body) for _ in range(3)]
    assert [answer.result().status_code for answer in answers] == [202] * 3
    monkeypatch.setattr(group_commit, "LINGER_SECONDS", 0.0)
    assert [client.order("/v1/transfers", body).status_code for _ in range(2)] == [202] * 2
    assert (sizes, commit._size_before) == ([3, 1, 1], 1)


def test_a_flush_is_bounded() -> None:
    assert GROUP_MAX == 256


def test_a_leader_that_is_cancelled_lets_another_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(_seconds: float) -> None:
        monkeypatch.undo()
        raise asyncio.CancelledError

    commit = GroupCommit(None, None)
    request = SimpleNamespace(needs_own_transaction=False)
    monkeypatch.setattr(group_commit.event_loop, "pause", cancelled)
    with pytest.raises(asyncio.CancelledError):
        commit.submit(request)
    monkeypatch.setattr(commit, "_settle", lambda requests: ["answer"] * len(requests))
    assert commit.submit(request) == "answer"
