"""GET /metrics: only with its token, whatever the host; requests are counted by the template of their route."""

import secrets

import pytest

from tests.alert_rules import Scrape
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database

TOKEN = "the token of the monitors"
BEARER = f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def api(database: Database, redis_url: str) -> ApiHarness:
    return ApiHarness(database, metrics_token=TOKEN, broker_url=redis_url)


def scrape(api: ApiHarness) -> Scrape:
    return Scrape.of([api.anonymous().get("/metrics", Authorization=BEARER).text])


def test_metrics_take_their_own_token_alone(api: ApiHarness, ops: ApiUser) -> None:
    for refused in (api.anonymous().get("/metrics"), ops.get("/metrics")):
        assert (refused.status_code, refused.get_json()["code"]) == (401, "token_invalid")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    answer = api.anonymous().get("/metrics", Authorization=BEARER, Host="gateway:8000")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert "payments_database_up 1.0" in answer.text


def test_without_a_setting_there_is_no_such_route(database: Database) -> None:
    api = ApiHarness(database)
    for bearer in (BEARER, "Bearer ", ""):
        assert api.anonymous().get("/metrics", Authorization=bearer).status_code == 404
    api.close()


def test_requests_are_counted_by_route_and_nothing_that_a_client_chose(api: ApiHarness, client: ApiUser) -> None:
    wallet, other = client.wallet("1.00"), client.wallet()
    before = scrape(api)
    order = {"source": wallet, "target": other, "amount": "0.01", "currency": "EUR"}
    id = client.order("/v1/transfers", order, Prefer="wait=0").get_json()["id"]
    client.order("/v1/transfers?x=1", order)
    for _ in range(3):
        client.payment(id)
    client.get(f"/v1/payments/{id}?x=1")
    client.get(f"/v1/wallets/{wallet}")
    invented = f"/{secrets.token_hex(8)}"
    client.get(invented)
    client.call("PATCH", "/v1/payments")
    after = scrape(api)

    def grown(**labels: str) -> float:
        name = "payments_request_seconds_count"
        return after.total(name, **labels) - before.total(name, **labels)

    assert grown(method="POST", route="/v1/transfers", status="2xx", waits="yes") == 1
    assert grown(method="POST", route="/v1/transfers", status="4xx", waits="no") == 1
    assert grown(method="GET", route="/v1/payments/{id}", status="2xx") == 3
    assert grown(method="GET", route="/v1/payments/{id}", status="4xx") == 1
    assert grown(method="GET", route="/v1/wallets/{token}") == 1
    assert grown(method="GET", route="other", status="4xx") == 1
    assert grown(method="PATCH", route="other", status="4xx") == 1
    values = {value for vector in after.samples.values() for labels in vector for _, value in labels}
    assert values.isdisjoint({id, wallet, other, invented})
    assert not any(client.id in value or invented in value for value in values)
