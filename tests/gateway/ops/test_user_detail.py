"""Ops see a person on one page."""

from tests.gateway.harness import ApiHarness, ApiUser


def test_user_is_shown_with_what_is_theirs(api: ApiHarness, ops: ApiUser, client: ApiUser, merchant: ApiUser) -> None:
    wallet, other = client.wallet("7.00"), client.wallet(currency="USD")
    limit = {"charge_limits": [{"merchant": merchant.id, "per_day": "5.00"}]}
    assert client.call("PATCH", f"/v1/wallets/{wallet}", json=limit, headers={"If-Match": "*"}).status_code == 200
    client.call("PATCH", f"/v1/wallets/{other}", json={"is_active": False}, headers={"If-Match": "*"})
    key = client.call("POST", "/v1/api-keys", json={"name": "server", "scopes": ["payments:read"]}).get_json()
    merchant.wallet()
    charge = merchant.charge(wallet, "2.00", capture=False)
    api.post_payments()
    ops.order("/v1/ops/freezes", {"user": client.id, "reason": "fraud"})
    answer = ops.get(f"/v1/ops/users/{client.id}")
    shown = answer.get_json()
    assert not [secret for secret in ("wal_", client.token, key["token"]) if secret in answer.get_data(as_text=True)]
    dollars, euros = shown["wallets"]
    assert (dollars["is_active"], dollars["last4"], euros["last4"]) == (False, other[-4:], wallet[-4:])
    assert (euros["balance"], euros["held"], euros["available"]) == ("7.00", "2.00", "5.00")
    assert (euros["charge_limits"][0]["per_day"], euros["is_frozen"], shown["is_frozen"]) == ("5.00", True, True)
    newest, payment = shown["api_keys"][0], shown["payments"][0]
    assert (newest["name"], newest["scopes"]) == ("server", ["payments:read"])
    assert (payment["id"], payment["actions"]) == (charge, ["fail", "capture", "void"])
    assert {(row["action"], row["actor"]) for row in shown["audit"]} >= {
        ("freezes.freeze", ops.id),
        ("api_keys.create", client.id),
    }
    assert shown["sessions"] == []
    api.execute("UPDATE tokens SET kind = 'session', expires_at = now() + interval '1 day' WHERE id = %s", key["id"])
    [session] = ops.get(f"/v1/ops/users/{client.id}").get_json()["sessions"]
    assert (session["id"], session["last4"]) == (key["id"], key["token"][-4:])
