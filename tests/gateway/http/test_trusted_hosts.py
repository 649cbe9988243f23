"""For whom a request is, and whose pages may send it: the Host header, and the origins of the web."""

from typing import Any

import pytest

from gateway.http.edge import HEALTH_PATHS, is_known_host
from tests.gateway.harness import ApiHarness
from tests.gateway.orders import CANONICAL, deposit_into
from tests.support import Database

OURS = "https://shop.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, x-other, prefer",
}


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("localhost", True), ("LOCALHOST:8000", True), ("127.0.0.1:80", True), ("[::1]", True), ("[::1]:8000", True),
        ("api.example.com", True), ("a.b.example.com:443", True), ("example.com", True),
        ("", False), ("example.com.evil", False), ("evilexample.com", False), ("localhost@evil", False),
        ("localhost:99999", False), ("localhost, evil", False), ("[::2]", False), ("localhost/", False), ("é", False),
        ("[", False), ("[::1", False), ("localhost:", False), ("*", False),
    ],
)  # fmt: skip
def test_which_hosts_are_ours(host: str, is_one: bool) -> None:
    hosts = {"localhost", "127.0.0.1", "[::1]", ".example.com"}
    assert is_known_host(hosts, host) is is_one


@pytest.mark.parametrize("path", ["/v1/wallets", "/health/lives", "/health", "/docs", "/v1/nope", "/openapi.json"])
def test_a_strange_host_is_refused_on_every_route(api: ApiHarness, path: str) -> None:
    person = api.person()
    for host in ("evil.example", "local host", ""):
        answer = person.get(path, Host=host)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "host_unknown"), host
    assert person.get("/v1/wallets", Host="localhost:8000").status_code == 200


def test_unknown_host_is_refused_alike_on_both_paths(api: ApiHarness) -> None:
    client = api.person()
    order = deposit_into(client.wallet())
    with api.unchanged():
        short, canonical = (client.order("/v1/deposits", order, Host="evil", **odd) for odd in ({}, CANONICAL))
    assert {**short.get_json(), "request_id": ""} == {**canonical.get_json(), "request_id": ""}
    assert short.get_json()["code"] == "host_unknown"


@pytest.mark.parametrize("path", sorted(HEALTH_PATHS))
@pytest.mark.parametrize(
    "host", ["10.0.3.7", "10.0.3.7:8000", "[fd00::7]:8000", "evil.example", "local host", "", "@", "é"]
)
def test_health_answers_whatever_the_host(api: ApiHarness, path: str, host: str) -> None:
    usual = api.anonymous().get(path, Host="localhost")
    for answer in (
        api.anonymous().get(path, Host=host),
        api.anonymous().call("HEAD", path, headers={"Host": host}),
    ):
        assert (answer.status_code, answer.mimetype) == (usual.status_code, usual.mimetype)
    assert without_host(api, "HTTP/1.1", path) == usual.status


def test_health_is_public_and_named_in_full(api: ApiHarness) -> None:
    paths = {rule.rule for rule in api.app.url_map.iter_rules() if rule.endpoint.startswith("health.")}
    assert paths == HEALTH_PATHS


def without_host(api: ApiHarness, protocol: str, path: str = "/v1/nope") -> str:
    """The status of a request that names no host."""
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_PROTOCOL": protocol, "SERVER_NAME": "x",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
    }  # fmt: skip
    said: list[str] = []
    api.app.wsgi_app(environ, lambda status, _headers, _info=None: said.append(status))
    return said[0]


def test_only_the_oldest_protocol_may_name_no_host(api: ApiHarness) -> None:
    assert without_host(api, "HTTP/1.1") == "400 BAD REQUEST"
    assert without_host(api, "HTTP/1.0") == "404 NOT FOUND"


def test_every_host_where_none_is_named(database: Database) -> None:
    anyone = ApiHarness(database, allowed_hosts=("*",)).anonymous()
    assert anyone.get("/docs", Host="what.ever").status_code == 200
    assert anyone.get("/docs", Host="what ever").status_code == 400


def cross(answer: Any) -> dict[str, str]:
    """The headers of an answer that pages of other origins depend on."""
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}


def test_without_origins_no_answer_speaks_of_them(api: ApiHarness) -> None:
    client = api.person()
    for answer in (
        client.get("/v1/wallets", Origin=OURS),
        client.call("OPTIONS", "/v1/wallets", headers={"Origin": OURS, **PREFLIGHT}),
    ):
        assert cross(answer) == {}
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.fixture(scope="module")
def open_api(database: Database) -> ApiHarness:
    return ApiHarness(database, allowed_origins=(OURS, "http://[::1]:3000"), rate_limit_token="5 per day")


def test_every_answer_to_a_declared_origin_may_be_read(open_api: ApiHarness) -> None:
    client = open_api.person()
    wallet = client.wallet()
    answers = [
        client.order("/v1/deposits", deposit_into(wallet), Origin=OURS),
        client.get("/v1/payments/00000000-0000-7000-8000-000000000000", Origin=OURS),
        client.get("/v1/nope", Origin=OURS),
        open_api.anonymous().get("/v1/wallets", Origin=OURS),
        client.get("/v1/wallets", Origin=OURS, Host="evil"),
        client.call("DELETE", "/v1/wallets", headers={"Origin": OURS}),
        client.order("/v1/deposits", {}, Origin=OURS),
        *(client.get("/v1/wallets", Origin=OURS) for _ in range(2)),
    ]
    assert [answer.status_code for answer in answers] == [202, 404, 404, 401, 400, 405, 422, 200, 429]
    for answer in answers:
        said = cross(answer)
        assert said["Access-Control-Allow-Origin"] == OURS
        assert {"RateLimit", "Retry-After", "ETag", "Request-Id"} <= set(
            said["Access-Control-Expose-Headers"].split(", ")
        )
        assert "Access-Control-Allow-Credentials" not in said
        assert "Origin" in answer.headers["Vary"]
    assert open_api.anonymous().get("/docs", Origin="http://[::1]:3000").headers["Access-Control-Allow-Origin"]


def test_unavailable_database_answers_other_origins_too(database: Database) -> None:
    away = ApiHarness(database, allowed_origins=(OURS,), gateway_database_url="postgresql+psycopg2://x@127.0.0.1:1/x")
    answer = away.person().get("/v1/wallets", Origin=OURS)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (503, OURS)


def test_a_preflight_is_answered_for_declared_origins(open_api: ApiHarness) -> None:
    answer = open_api.anonymous().call("OPTIONS", "/v1/deposits", headers={"Origin": OURS, **PREFLIGHT})
    said = cross(answer)
    assert answer.status_code == 200
    assert said["Access-Control-Allow-Headers"] == "authorization, prefer"
    assert said["Access-Control-Max-Age"] == "600"
    assert "POST" in said["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        OURS + ".evil.example",
        "http://shop.example",
        OURS + ":444",
        "https://shopxexample",
    ],
)
def test_other_origins_get_nothing(open_api: ApiHarness, origin: str) -> None:
    client = open_api.person()
    assert cross(client.get("/v1/wallets", Origin=origin)) == {}
    assert cross(client.call("OPTIONS", "/v1/wallets", headers={"Origin": origin, **PREFLIGHT})) == {}
