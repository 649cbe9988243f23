"""What a client decides of a wallet: limits, blocked merchants, label, use, token; statements; their own data."""

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import PASSWORD, Browser, Elements, alerts, signed_in, with_password

HOSTILE = '"><img src=x onerror=alert(1)>'


def etag_of(browser: Browser, path: str) -> str:
    return str(browser.page(path).all("input", name="etag")[0]["value"])


def test_a_client_limits_and_blocks_merchants_and_sees_what_changed_meanwhile(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    ann, zed, page = (
        Browser(api, client.token),
        Browser(api, stranger.token),
        f"/app/wallets/{customer_wallet}/controls",
    )
    merchant.charge(customer_wallet, "12.50")
    api.post_payments()
    api.execute("UPDATE users SET name = %s WHERE id = %s", HOSTILE, merchant.id)
    limit = {"merchant": merchant.id, "per_charge": "20.00", "per_day": "", "etag": etag_of(ann, page)}
    assert ann.form(f"{page}/limit", limit, page).location == f"{page}?done=limit"
    everyone = {"merchant": "", "per_charge": "", "per_day": "5.00"}
    with api.unchanged():
        stale = ann.form(f"{page}/limit", {**everyone, "etag": limit["etag"]}, page)
        assert stale.status_code == 412
        assert "Below are the values of now" in alerts(stale)
        assert "20.00 EUR" in alerts(stale)
        wrong = ann.form(f"{page}/limit", {**everyone, "per_day": "5.001", "etag": etag_of(ann, page)}, page)
        assert wrong.status_code == 422
        [field] = [tag for _, tag in Elements(wrong.text).tags if tag.get("aria-invalid")]
        assert (field["name"], field["value"]) == ("per_day", "5.001")
        unknown = ann.form(f"{page}/block", {"merchant": stranger.id, "etag": etag_of(ann, page)}, page)
        assert [tag["name"] for _, tag in Elements(unknown.text).tags if tag.get("aria-invalid")] == ["merchant"]
        assert zed.form(f"{page}/limit", limit, "/app").status_code == 404
        assert ann.form(f"{page}/limit", everyone, page).status_code in (412, 428), "without a version"
    assert ann.form(f"{page}/limit", {**everyone, "etag": etag_of(ann, page)}, page).status_code == 303
    blocked = ann.form(f"{page}/block", {"merchant": merchant.id, "etag": etag_of(ann, page)}, page)
    assert blocked.location == f"{page}?done=block", blocked.text
    wallet = client.get(f"/v1/wallets/{customer_wallet}").get_json()
    assert {(one["merchant"], one["per_charge"], one["per_day"]) for one in wallet["charge_limits"]} == {
        *((merchant.id, "20.00", None), (None, None, "5.00")),
    }
    assert wallet["blocked_merchants"] == [merchant.id]
    shown = ann.page(page)
    assert HOSTILE in shown.text
    assert not shown.all("img")
    for name, fields in (
        ("unblock", {"merchant": merchant.id}),
        ("limit", {"merchant": ""}),
        ("label", {"label": "x"}),
    ):
        answer = ann.form(f"{page}/{name}", {**fields, "etag": etag_of(ann, page)}, page)
        assert answer.location == f"{page}?done={name}", answer.text
    wallet = client.get(f"/v1/wallets/{customer_wallet}").get_json()
    assert (len(wallet["charge_limits"]), wallet["blocked_merchants"], wallet["label"]) == (1, [], "x")
    moved = ann.form(f"{page}/rotate", {}, page).location
    assert customer_wallet not in moved
    page = moved.partition("?")[0]
    assert ann.form(f"{page}/use", {"is_active": "false", "etag": etag_of(ann, page)}, page).status_code == 303
    assert "x" in alerts(ann.get("/app?is_active=false"))
    assert ann.form(f"{page}/explode", {}, page).status_code == 404


def test_statements_come_in_every_format_and_are_of_the_owner_alone(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    ann, zed = Browser(api, client.token), Browser(api, stranger.token)
    path = f"/app/wallets/{customer_wallet}/statement"
    types = {"html": "text/html", "csv": "text/csv", "jsonl": "application/x-ndjson", "json": "application/json"}
    for format, media_type in types.items():
        answer = ann.get(f"{path}?month=2026-11&format={format}")
        assert answer.mimetype == media_type
        saved = answer.headers.get("Content-Disposition", "")
        assert (f'filename="statement-2026-11.{format}"' in saved) == (format != "html")
        assert answer.text
        zed.get(f"{path}?month=2026-11&format={format}", 404)
    assert "A month, such as" in alerts(ann.get(f"{path}?month=no&format=csv", 422))
    ann.get(f"{path}?month=2026-11&format=exe", 422)
    ann.get("/app/closing", 404)


def test_the_closing_of_a_merchant_is_a_page_and_files(
    api: ApiHarness, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    merchant.charge(customer_wallet, "12.50")
    api.post_payments()
    shop = Browser(api, merchant.token)
    assert "12.50 EUR" in alerts(shop.get("/app/closing"))
    assert "12.50" in shop.get("/app/closing?format=csv").text
    refused = Elements(shop.get("/app/closing?timezone=Nowhere", 422).text)
    assert [tag["name"] for _, tag in refused.tags if tag.get("aria-invalid")] == ["timezone"]


def test_users_change_their_own_data_and_password(api: ApiHarness) -> None:
    email = with_password(api, "client", "Ann")
    ann, path = signed_in(api, email), "/app/profile"
    assert (
        ann.form(f"{path}/person", {"first_name": HOSTILE, "last_name": "Ash"}, path).location == f"{path}?done=person"
    )
    assert not ann.page(path).all("img")
    refused = ann.form(f"{path}/person", {"phone_number": "12"}, path)
    assert refused.status_code == 422
    [field] = [tag for _, tag in Elements(refused.text).tags if tag.get("aria-invalid")]
    assert (field["name"], field["value"]) == ("phone_number", "12")
    wrong = ann.form(f"{path}/password", {"current_password": "no", "password": "another 4 horses ride"}, path)
    assert [tag["name"] for _, tag in Elements(wrong.text).tags if tag.get("aria-invalid")] == ["current_password"]
    assert "another 4 horses" not in wrong.text
    change = {"current_password": PASSWORD, "password": "another 4 horses ride"}
    assert ann.form(f"{path}/password", change, path).location == f"{path}?done=password"
    assert ann.get(path).status_code == 200, "this session goes on"
    assert ann.form(f"{path}/role", {"role": "ops"}, path).status_code == 404
