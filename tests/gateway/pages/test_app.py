"""The pages of merchants and clients: wallets, payments, one payment and its verbs, new orders."""

import re

from gateway.pages.app import payments
from models.rules.state import State
from models.rules.types import PaymentType
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import Browser, alerts, signed_in, with_password

HOSTILE = '"><img src=x onerror=alert(1)>'
KEY = re.compile(r'name="key" value="(\w+)"')


def key_of(browser: Browser, path: str) -> str:
    found = KEY.search(browser.get(path).text)
    assert found
    return found[1]


def test_both_sides_see_a_payment_and_a_stranger_does_not(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    id = merchant.charge(customer_wallet, "12.50", summary=HOSTILE, reference=HOSTILE, metadata={"note": HOSTILE})
    shop, ann, zed = (Browser(api, user.token) for user in (merchant, client, stranger))
    waiting = shop.page(f"/app/payments/{id}")
    assert waiting.all("body")[0]["data-refresh"] == "2", "it is looked at again until it is final"
    assert f"/app/payments/{id}" in shop.get("/app").text
    api.post_payments()
    assert "Idempotency key" in shop.get(f"/app/payments/{id}").text
    assert "Idempotency key" not in ann.get(f"/app/payments/{id}").text, "it is the merchant's"
    for browser in (shop, ann):
        page = browser.page(f"/app/payments/{id}")
        text = " ".join(page.text.split())
        assert "Charge of 12.50 EUR" in text
        assert "final, " in text
        assert HOSTILE in page.text
        assert not page.all("img")
        assert [live for live in page.all("div", id="live") if "data-final" in live]
        listed = browser.page("/app/payments?type=charge&state=COMPLETED")
        assert HOSTILE in listed.text
        assert not listed.all("img")
        assert f"/app/payments/{id}" in {link["href"] for link in listed.all("a")}
    assert "No payment matches" in alerts(zed.get("/app/payments?type=charge"))
    assert browser.get("/app/payments?type=&state=FAILED", 303).location == "/app/payments?state=FAILED"
    assert "currency" in alerts(ann.get("/app/payments?currency=no&limit=x", 422))
    history = alerts(ann.get(f"/app/wallets/{customer_wallet}"))
    assert "−12.50 EUR 87.50 EUR" in history
    assert "Who charged it Merchant" in history
    zed.get(f"/app/payments/{id}", 404)
    zed.get(f"/app/wallets/{customer_wallet}", 404)
    assert zed.form(f"/app/payments/{id}/refund", {"key": "k" * 16}, "/app").status_code == 404


def test_a_merchant_captures_and_refunds_once(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, customer_wallet: str, merchant_wallet: str
) -> None:
    shop, ann = Browser(api, merchant.token), Browser(api, client.token)
    new = "/app/charges/new"
    order = {"wallet": customer_wallet, "amount": "40.00", "currency": "EUR", "take": "hold", "key": key_of(shop, new)}
    with api.unchanged():
        assert shop.post(new, order).status_code == 403, "without the token of a form"
        refused = shop.form(new, {**order, "amount": "no"})
        assert refused.status_code == 422
        assert 'value="no"' in refused.text
        assert ann.form(new, order, "/app").status_code == 403
    first, again = shop.form(new, order), shop.form(new, order)
    assert first.status_code == 303, first.text
    assert first.location == again.location, "a double click is one payment"
    path = first.location
    api.post_payments()
    actions = {form["action"] for form in shop.page(path).all("form", method="post")}
    assert actions - {"/pages/times", "/sign-out"} == {f"{path}/capture", f"{path}/void"}
    assert not [form for form in ann.page(path).all("form") if path in form["action"]]
    capture = {"amount": "30.00", "key": key_of(shop, path)}
    assert shop.form(f"{path}/capture", {**capture, "amount": "999.00"}, path).status_code == 422
    assert shop.form(f"{path}/capture", capture, path).location == f"{path}?done=capture"
    api.post_payments()
    assert "Ordered: capture" in alerts(shop.get(f"{path}?done=capture"))
    refund = {"amount": "5.00", "reason": "duplicate", "key": key_of(shop, path)}
    refunds = {shop.form(f"{path}/refund", refund, path).location for _ in range(2)}
    assert len(refunds) == 1
    api.post_payments()
    assert "Payments that belong to it" in alerts(shop.get(path))
    assert "Refund of 5.00 EUR" in alerts(ann.get(refunds.pop()))
    assert client.balance(customer_wallet) == "75.00"


def test_a_client_transfers_and_cancels(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, customer_wallet: str
) -> None:
    ann, new = Browser(api, client.token), "/app/transfers/new"
    order = {"source": customer_wallet, "target": stranger.wallet(), "amount": "7.00", "currency": "EUR"}
    sent = ann.form(new, {**order, "key": key_of(ann, new)})
    assert sent.status_code == 303, sent.text
    cancel = ann.form(f"{sent.location}/cancel", {"key": key_of(ann, sent.location)}, sent.location)
    assert cancel.location == f"{sent.location}?done=cancel", cancel.text
    api.post_payments()
    assert client.balance(customer_wallet) == "100.00"
    assert ann.form(f"{sent.location}/explode", {}, "/app").status_code == 404


def test_the_lists_are_those_of_the_api() -> None:
    assert set(payments.STATES) == {state.value for state in State}
    assert set(payments.TYPES) == {type.value for type in PaymentType}


def test_keys_and_sessions_are_shown_once_and_ended(api: ApiHarness, stranger: ApiUser) -> None:
    ann = signed_in(api, with_password(api, "client", "Ann"))
    zed, path = Browser(api, stranger.token), "/app/access"
    order = {"name": HOSTILE, "scopes": ["payments:read", "wallets:read"]}
    assert ann.post(f"{path}/keys", order).status_code == 403
    refused = ann.form(f"{path}/keys", {**order, "scopes": ["ops:read"]}, path)
    assert refused.status_code in (403, 422)
    made = ann.form(f"{path}/keys", order, path)
    assert made.status_code == 200
    [token] = re.findall(r'whole-id">(pay_\w+)<', made.text)
    assert ApiUser(api, "", token).get("/v1/payments").status_code == 200
    shown = ann.page(path)
    assert token not in ann.get(path).text
    assert HOSTILE in shown.text
    assert not shown.all("img")
    [end] = [form["action"] for form in shown.all("form") if (form["action"] or "").startswith(f"{path}/keys/")]
    assert zed.form(str(end), {}, path).status_code == 404
    assert ann.form(str(end), {}, path).location == path
    assert ApiUser(api, "", token).get("/v1/payments").status_code == 401
    sessions = [form["action"] for form in shown.all("form") if (form["action"] or "").startswith(f"{path}/sessions/")]
    assert zed.form(str(sessions[0]), {}, path).status_code == 404
    assert ann.form(str(sessions[0]), {}, path).status_code == 303
    assert "/sign-in" in ann.get(path, 303).location, "the session that was ended was this one"


def test_a_member_who_acts_for_nobody_is_told_so(api: ApiHarness) -> None:
    browser = Browser(api, api.person("member", "Mia").token)
    assert "Not for your role" in browser.get("/app", 403).text
    assert browser.get("/console", 303).location == "/app"
