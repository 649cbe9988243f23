"""Group commit: orders that arrive together share flushes, and each gets its own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import statements_of

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
