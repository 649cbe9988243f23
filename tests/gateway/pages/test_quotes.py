"""The page of a quote, from and to the payment that used it."""

from tests.gateway.exchange.quotes import RATE, exchange, quote
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import Browser


def test_quote_and_its_payment_lead_to_each_other(
    api: ApiHarness, ops: Browser, client: ApiUser, stranger: ApiUser
) -> None:
    assert api.person("ops").call("PUT", "/v1/exchange-rates", json=RATE).status_code == 200
    ann, made, source, target = (
        Browser(api, client.token),
        quote(client),
        client.wallet("100.00"),
        client.wallet(currency="USD"),
    )
    for browser, area in ((ops, "console"), (ann, "app")):
        text = " ".join(browser.page(f"/{area}/quotes/{made['id']}").text.split())
        assert "Quote of EUR to USD open" in text
        assert "1 EUR = 1.0837 USD" in text
        assert "40.00 EUR 0.00 EUR 43.34 USD" in text
    payment = exchange(client, source, target, made["id"]).get_json()["id"]
    for browser, area in ((ops, "console"), (ann, "app")):
        page = browser.page(f"/{area}/payments/{payment}")
        assert f"/{area}/quotes/{made['id']}" in {link["href"] for link in page.all("a")}
        page = browser.page(f"/{area}/quotes/{made['id']}")
        assert f"/{area}/payments/{payment}" in {link["href"] for link in page.all("a")}
        assert "Quote of EUR to USD used" in " ".join(page.text.split())
    Browser(api, stranger.token).get(f"/app/quotes/{made['id']}", 404)
