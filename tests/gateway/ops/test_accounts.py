"""Ops list technical accounts and wallets, with balances now and at a time; keys lead to their payments."""

from tests.gateway.harness import ApiHarness, ApiUser


def test_technical_accounts_are_listed_with_balances_now_and_then(
    api: ApiHarness, ops: ApiUser, client: ApiUser
) -> None:
    [before] = api.execute("SELECT now()::text")
    wallet = client.wallet("7.00")
    [posted] = api.execute("SELECT to_char(max(created_at), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF:00') FROM operations")
    client.order("/v1/withdrawals", {"wallet": wallet, "amount": "2.00", "currency": "EUR", "target": "crypto"})
    api.post_payments()

    def listed(query: str) -> list[dict]:
        answer = ops.call("GET", f"/v1/ops/accounts?{query}", query_string=None)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()["data"]

    [wire] = listed("code=wire&currency=EUR")
    [external] = listed("code=crypto&currency=EUR")
    assert (wire["code"], wire["owner"], wire["last4"], wire["balance_at"]) == ("wire", None, None, None)
    assert (wire["balance"], external["balance"]) == ("-7.00", "2.00")
    then = posted.replace("+", "%2B")
    assert [row["balance_at"] for row in listed(f"code=crypto&currency=EUR&at={then}")] == ["0.00"]
    [mine] = listed(f"owner={client.id}&at={then}")
    assert (mine["balance"], mine["balance_at"], mine["code"]) == ("5.00", "7.00", None)
    past = f"{before[:10]}T{before[11:19]}Z"
    assert [row["balance_at"] for row in listed(f"owner={client.id}&at={past}")] == ["0.00"]
    assert listed(f"id={wire['id']}") == [wire]
    assert {row["code"] for row in listed("code=internal,exchange&limit=100")} == {"internal", "exchange"}
    assert not [row for row in listed("limit=100") if row["code"]]
    assert {row["code"] for row in listed("code=wire,crypto,exchange&has_moved=true")} == {"wire", "crypto"}
    assert [row["id"] for row in listed(f"owner={client.id}&has_moved=true")] == [mine["id"]]
    client.wallet()
    assert [row["id"] for row in listed(f"owner={client.id}&has_moved=true")] == [mine["id"]], "one of both"
    [hit] = ops.call("GET", "/v1/ops/search", query_string={"q": wire["id"]}).get_json()["data"]
    assert hit["label"] == "wire account in EUR"
    assert ops.get(hit["path"]).get_json()["data"] == [wire]
    assert ops.get("/v1/ops/accounts?code=gold").get_json()["code"] == "invalid_value"


def test_idempotency_key_leads_to_its_payment_for_its_owner_alone(
    api: ApiHarness,
    ops: ApiUser,
    client: ApiUser,
    merchant: ApiUser,
    stranger: ApiUser,
) -> None:
    merchant.wallet()
    order = {"wallet": client.wallet("9.00"), "amount": "2.00", "currency": "EUR", "capture": False}
    charge = merchant.order("/v1/charges", order, key="shared").get_json()["id"]
    api.post_payments()
    merchant.order(f"/v1/charges/{charge}/capture", {}, key="capture-1")
    wallet = stranger.wallet()
    deposit = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"}
    other = stranger.order("/v1/deposits", deposit, key="shared").get_json()["id"]

    def listed(person: ApiUser, query: str) -> list[str]:
        return [row["id"] for row in person.get(f"/v1/payments?idempotency_key={query}").get_json()["data"]]

    assert listed(merchant, "shared") == listed(merchant, "shared&type=charge") == [charge]
    assert listed(stranger, "shared") == [other]
    assert listed(client, "shared") == [], "the payer sees the charge, but it is not their key"
    assert listed(merchant, "shared&state=COMPLETED") == listed(merchant, "shared%25") == []
    assert listed(merchant, f"shared&wallet={wallet}") == []
    assert set(listed(ops, "shared")) == {charge, other}
    assert listed(ops, "shared&sort=created_at") == sorted([charge, other])
    assert merchant.get("/v1/payments?idempotency_key=").get_json()["code"] == "invalid_value"


MANY_OF_A_KEY = """
WITH made AS (
    INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency)
    SELECT uuid_floor(now() - n * interval '1 millisecond'), type, user_id, source_id, target_id, amount, currency
    FROM payments, generate_series(1, %s) AS n WHERE id = %s RETURNING id
)
INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id)
SELECT gen_random_uuid(), 'of a crowd', sha256(''), id FROM made
"""


def test_ops_page_through_the_payments_of_a_key_that_many_users_have(
    api: ApiHarness, ops: ApiUser, client: ApiUser
) -> None:
    deposit = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    id = client.order("/v1/deposits", deposit).get_json()["id"]
    api.execute(MANY_OF_A_KEY, 101, id)
    for query in ("", "&state=INITIATED", "&sort=created_at"):
        first = ops.get(f"/v1/payments?idempotency_key=of+a+crowd&limit=100{query}").get_json()
        assert (len(first["data"]), first["has_more"]) == (100, True)
        cursor = first["next_cursor"]
        last = ops.get(f"/v1/payments?idempotency_key=of+a+crowd&limit=100{query}&cursor={cursor}").get_json()
        assert (len(last["data"]), last["has_more"]) == (1, False)
        assert len({row["id"] for row in first["data"] + last["data"]}) == 101
