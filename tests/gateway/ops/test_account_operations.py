"""Ops read what moved on any account, and its balances over time."""

from datetime import datetime

from tests.gateway.harness import ApiHarness, ApiUser


def account(ops: ApiUser, query: str) -> str:
    """The id of the one account of the query."""
    [found] = ops.get(f"/v1/ops/accounts?{query}").get_json()["data"]
    return str(found["id"])


def test_operations_of_an_account_are_listed_newest_first(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    wallet = client.wallet("7.00")
    order = {"wallet": wallet, "amount": "2.50", "currency": "EUR", "target": "crypto"}
    client.order("/v1/withdrawals", order)
    api.post_payments()
    mine = account(ops, f"owner={client.id}")
    rows = ops.get(f"/v1/ops/accounts/{mine}/operations").get_json()["data"]
    assert [(row["account_seq"], row["type"], row["amount"], row["balance_after"]) for row in rows] == [
        (2, "withdrawal", "-2.50", "4.50"),
        (1, "deposit", "7.00", "7.00"),
    ]
    first = ops.get(f"/v1/ops/accounts/{mine}/operations?limit=1").get_json()
    second = ops.get(f"/v1/ops/accounts/{mine}/operations?limit=1&cursor={first['next_cursor']}").get_json()
    assert first["data"] + second["data"] == rows
    crypto = account(ops, "code=crypto&currency=EUR")
    newest = ops.get(f"/v1/ops/accounts/{crypto}/operations?limit=1").get_json()["data"]
    assert [(row["payment"], row["amount"]) for row in newest] == [(rows[0]["payment"], "2.50")]


def test_balances_are_those_of_the_operations_at_each_time(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    client.wallet("7.00")
    mine, wire = account(ops, f"owner={client.id}"), account(ops, "code=wire&currency=EUR")
    unknown = client.id
    asked = ops.get(f"/v1/ops/balances?account={wire},{mine},{unknown}&days=1").get_json()["data"]
    assert {curve["account"] for curve in asked} == {mine, wire}, "one that does not exist is left out"
    [curve] = [curve for curve in asked if curve["account"] == mine]
    times = [datetime.fromisoformat(point["at"]) for point in curve["points"]]
    assert (len(times), (times[-1] - times[0]).total_seconds()) == (61, 86_400)
    assert times == sorted(times)
    assert [point["balance"] for point in curve["points"]] == ["0.00"] * 60 + ["7.00"]
    for query, code in (
        (f"account={mine}&days=0", "invalid_value"),
        (f"account={mine}&days=367", "invalid_value"),
        ("days=1", "required"),
        (f"account={','.join([mine] * 21)}", "invalid_value"),
    ):
        assert ops.get(f"/v1/ops/balances?{query}").get_json()["code"] == code, query
