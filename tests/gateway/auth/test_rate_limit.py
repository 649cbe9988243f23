"""How often an address or a token may call, counted over a real Valkey, without a trip to it for each request."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import limits
import pytest
import redis
from flask import Flask

from embedded import home as homes
from embedded.valkey import Valkey
from gateway import BLUEPRINTS, create_app
from gateway.auth import rate_limit
from gateway.auth.guards import public, requires
from gateway.auth.rate_limit import RateLimits, per_address
from gateway.http.blueprint import Blueprint
from gateway.http.errors import ApiError
from gateway.http.redis_client import TIMEOUT_SECONDS
from models import token as tokens
from tests.gateway.harness import ApiHarness, ApiUser, settings_for
from tests.gateway.test_fast_path import ODD, deposit_into
from tests.support import Database

NOTICEABLE_SECONDS = 10.0
"""On a busy machine; waiting each time would take several times as long."""


@pytest.fixture
def shared(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Where limits are counted; nothing is counted yet. If a busy machine keeps it for a second, it is not away."""
    monkeypatch.setattr("gateway.http.redis_client.TIMEOUT_SECONDS", 10.0)
    with redis.Redis.from_url(valkey.url(1)) as client:
        client.flushdb()
        client.config_resetstat()
        yield client


@pytest.fixture
def frail() -> Iterator[Valkey]:
    """A Valkey of this test alone, to be frozen."""
    with homes.temporary() as home:
        server = Valkey(home)
        server.start()
        yield server
        server.stop()


@contextmanager
def frozen(server: Valkey) -> Iterator[None]:
    """The server takes connections in this block, and answers nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def limits_for(database: Database, url: str, **changes: Any) -> RateLimits:
    """The limits of an app, as those of one more process."""
    return RateLimits(settings_for(database, limits_redis_url=url, **changes))


def passes(limit: rate_limit.RateLimiter, key: str = "k", most: int = 5_000) -> int:
    """How many requests the limit lets through before it refuses one."""
    for number in range(most):
        try:
            limit.count(key, {})
        except ApiError:
            return number
    return most


def scripts_run(shared: redis.Redis) -> int:
    return sum(stat["calls"] for name, stat in shared.info("commandstats").items() if "evalsha" in name)


@pytest.mark.parametrize("amount", [1, 7, 10, 19, 30, 50, 999, 1000])
def test_one_process_lets_through_the_amount(
    database: Database, valkey: Valkey, shared: redis.Redis, amount: int
) -> None:
    ours = limits_for(database, valkey.url(1), rate_limit_token=f"{amount} per day")
    assert passes(ours.token) == amount
    assert passes(ours.token) == 0
    assert passes(ours.token, "another") == amount


def test_so_many_processes_let_through_little_more(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    processes = [limits_for(database, valkey.url(1), rate_limit_token="200 per day").token for _ in range(4)]
    assert 200 <= sum(passes(process) for process in processes) <= 200 * (1 + 3 / rate_limit.ALONE_SHARE)
    processes = [limits_for(database, valkey.url(1), rate_limit_token="201 per day").token for _ in range(4)]
    in_turn = sum(1 for number in range(1_000) if passes(processes[number % 4], most=1))
    assert 200 <= in_turn <= 201 * (1 + 3 / rate_limit.ALONE_SHARE)


def test_permits_are_taken_in_portions(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    ours = limits_for(database, valkey.url(1), rate_limit_token="1000 per day")
    assert passes(ours.token) == 1000
    assert passes(ours.token) == 0
    assert scripts_run(shared) <= rate_limit.PERMITS_SHARE


def test_without_redis_each_process_lets_through_the_amount(database: Database) -> None:
    ours = limits_for(database, "unix:///nowhere/redis.sock?db=1", rate_limit_token="77 per day")
    assert passes(ours.token) == 77


def test_what_was_used_without_redis_is_told_when_it_is_back(
    database: Database, frail: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.redis_client.BREAKER_SECONDS", 0)
    ours = limits_for(database, frail.url(1), rate_limit_token="100 per day")
    frail.stop()
    assert passes(ours.token, most=40) == 40
    frail.start()
    assert passes(ours.token) == 60
    with redis.Redis.from_url(frail.url(1)) as shared:
        assert [int(shared.get(key)) for key in shared.scan_iter()] == [100]
    assert passes(limits_for(database, frail.url(1), rate_limit_token="100 per day").token) == 10


def test_the_counts_of_a_window_are_bounded_and_end_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(time=lambda: clock.now, now=1_000.0)
    monkeypatch.setattr(rate_limit, "time", clock)
    monkeypatch.setattr(rate_limit, "COUNTED_MAX", 10)
    limit = limits_for(database, "unix:///nowhere/redis.sock", rate_limit_address="2 per second").address
    for number in range(25):
        limit.count(f"k{number}", {})
        assert len(limit._counts) <= 10
    assert passes(limit) == 2
    clock.now += 1
    assert passes(limit) == 2
    assert len(limit._counts) == 1


def test_a_frozen_redis_costs_a_moment_once(database: Database, frail: Valkey) -> None:
    ours = limits_for(database, frail.url(1), rate_limit_token="1000 per day", rate_limit_address="1000 per day")
    assert passes(ours.token, most=300) == 300
    with frozen(frail):
        began = time.monotonic()
        assert passes(ours.token) == 700
        assert passes(ours.address) == 1000
        assert TIMEOUT_SECONDS <= time.monotonic() - began < NOTICEABLE_SECONDS


def test_the_headers_say_how_a_token_stands_on_either_way(
    database: Database, valkey: Valkey, shared: redis.Redis
) -> None:
    house = ApiHarness(database, limits_redis_url=valkey.url(1), rate_limit_token="10 per day")
    client = house.person()
    wallet = client.wallet()
    short = client.order("/v1/deposits", deposit_into(wallet))
    canonical = client.order("/v1/deposits", deposit_into(wallet), **ODD)
    refused = client.order("/v1/deposits", {})
    unknown = client.get("/v1/payments/00000000-0000-0000-0000-000000000000")
    assert [answer.status_code for answer in (short, canonical, refused, unknown)] == [202, 202, 422, 404]
    for remaining, answer in zip((8, 7, 6, 5), (short, canonical, refused, unknown), strict=True):
        assert answer.headers["RateLimit-Policy"] == '"token";q=10;w=86400'
        assert answer.headers["RateLimit"].startswith(f'"token";r={remaining};t=')
    for _ in range(5):
        assert client.get("/v1/wallets").status_code == 200
    assert_too_many(client.get("/v1/wallets"), "token", 10)
    assert_too_many(client.order("/v1/deposits", deposit_into(wallet)), "token", 10)
    assert_too_many(client.order("/v1/deposits", deposit_into(wallet), **ODD), "token", 10)
    assert house.person().get("/v1/wallets").status_code == 200


def assert_too_many(answer: Any, policy: str, amount: int, window: int = 86_400) -> None:
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= window
    assert answer.headers["RateLimit-Policy"] == f'"{policy}";q={amount};w={window}'
    assert answer.headers["RateLimit"] == f'"{policy}";r=0;t={answer.headers["Retry-After"]}'


@pytest.mark.parametrize("path", ["/status", "/health/live", "/docs", "/openapi.json", "/v1/nope", "/"])
def test_an_address_is_counted_whatever_it_asks_for(database: Database, path: str) -> None:
    house = ApiHarness(database, rate_limit_address="2 per day")
    nobody = house.nobody()
    for remaining in (1, 0):
        answer = nobody.get(path)
        assert answer.status_code != 429
        assert answer.headers["RateLimit-Policy"] == '"address";q=2;w=86400'
        assert answer.headers["RateLimit"].startswith(f'"address";r={remaining};t=')
    assert_too_many(nobody.get(path), "address", 2)
    assert_too_many(nobody.call("DELETE", path), "address", 2)


def test_the_address_catches_who_has_many_keys_and_each_key_is_counted(database: Database) -> None:
    house = ApiHarness(database, rate_limit_token="4 per day", rate_limit_address="20 per day")
    keys = [house.person() for _ in range(6)]
    assert keys[5].get("/v1/wallets").status_code == 200
    statuses = [[key.get("/v1/wallets").status_code for _ in range(5)] for key in keys[:4]]
    assert statuses == [[200, 200, 200, 200, 429]] * 4
    assert_too_many(keys[4].get("/v1/wallets"), "address", 20)
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert keys[4].call("GET", "/v1/wallets", **elsewhere).status_code == 200
    assert_too_many(keys[0].call("GET", "/v1/wallets", **elsewhere), "token", 4)


def test_no_request_makes_a_trip_to_redis(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    plenty = "1000 per day"
    house = ApiHarness(database, limits_redis_url=valkey.url(1), rate_limit_token=plenty, rate_limit_address=plenty)
    client = house.person()
    wallet = client.wallet()
    before = {name: stat["calls"] for name, stat in shared.info("commandstats").items()}
    for _ in range(25):
        assert client.order("/v1/deposits", deposit_into(wallet)).status_code == 202
        assert client.get("/v1/wallets").status_code == 200
    after = {name: stat["calls"] for name, stat in shared.info("commandstats").items()}
    made = {name for name in after if after[name] != before.get(name, 0)}
    assert made <= {"cmdstat_info", "cmdstat_ping"}  # a line that listens for notices is asked now and then


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apps that are created have three rarely called routes, two of which share a name."""
    routes = Blueprint("probes", __name__, url_prefix="/probe")

    @routes.route("/0")
    @public
    @routes.response(200)
    @per_address("letters")
    def letter() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    @routes.route("/1")
    @public
    @per_address("letters")
    @routes.response(200)
    def postcard() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    @routes.route("/2")
    @requires("me:read")
    @per_address("parcels")
    @routes.response(200)
    def parcel() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    monkeypatch.setattr("gateway.BLUEPRINTS", (*BLUEPRINTS, routes))


def probe(app: Flask, number: int, **headers: str) -> Any:
    return app.test_client().get(f"/probe/{number}", headers=headers)


@pytest.mark.usefixtures("probes")
def test_rare_routes_are_counted_by_name_over_all_apps(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    settings = settings_for(database, limits_redis_url=valkey.url(1), sign_up_limit="4 per year")
    one, two = create_app(settings), create_app(settings)
    assert [probe(app, number).status_code for app in (one, two) for number in (0, 1)] == [200] * 4
    for app in (one, two):
        for number in (0, 1):
            assert_too_many(probe(app, number), "letters", 4, limits.parse("1 per year").get_expiry())
    assert probe(two, 2).status_code == 401
    assert one.test_client().get("/probe/0", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


@pytest.mark.usefixtures("probes")
def test_rare_routes_are_counted_in_the_process_while_redis_is_away(database: Database) -> None:
    app = create_app(settings_for(database, sign_up_limit="4 per year"))
    assert [probe(app, 0).status_code for _ in range(5)] == [200] * 4 + [429]


@pytest.mark.usefixtures("probes")
def test_rare_routes_do_not_wait_for_a_frozen_redis(database: Database, frail: Valkey) -> None:
    app = create_app(settings_for(database, limits_redis_url=frail.url(1), sign_up_limit="4 per year"))
    assert probe(app, 0).status_code == 200
    with frozen(frail):
        began = time.monotonic()
        assert [probe(app, 0).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        assert time.monotonic() - began < NOTICEABLE_SECONDS


def test_a_refusal_on_the_short_way_is_not_counted_twice(database: Database) -> None:
    house = ApiHarness(database, rate_limit_token="20 per day", rate_limit_address="30 per day")
    client: ApiUser = house.person()
    wallet = client.wallet()
    remaining = [
        answer.headers["RateLimit"].partition(";t=")[0]
        for answer in (
            client.order("/v1/deposits", {**deposit_into(wallet), "amount": "0"}),
            client.order("/v1/deposits", deposit_into("wal_" + "a" * 32)),
            client.order("/v1/charges", {}),
            client.get("/v1/payments/00000000-0000-7000-8000-000000000000"),
        )
    ]
    assert remaining == [f'"token";r={left}' for left in (18, 17, 16, 15)]
    assert house.app.extensions["gateway"].rate_limits.address._counts["127.0.0.1"].used == 5


def unknown() -> str:
    """A well-formed token of nobody."""
    return tokens.new()


@pytest.fixture
def crowd(database: Database) -> ApiHarness:
    """All come from one address, which has four requests of each kind."""
    return ApiHarness(database, rate_limit_address="4 per day")


GUESSES = {
    "none": "",
    "nonsense": "nonsense",
    "no checksum": "pay_" + "a" * 50,
    "no ASCII": "\xff",
    "well-formed": unknown(),
}


@pytest.mark.parametrize("odd", [{}, ODD], ids=["lean", "canonical"])
@pytest.mark.parametrize("guess", GUESSES)
def test_who_has_no_valid_token_uses_up_nobodys_share(crowd: ApiHarness, guess: str, odd: dict[str, str]) -> None:
    path = "/v1/payments/00000000-0000-7000-8000-000000000000"
    guessing = ApiUser(crowd, "", GUESSES[guess])
    codes = [guessing.get(path, **odd).status_code for _ in range(12)]
    assert codes == [401] * 4 + [401 if guess == "none" else 429] * 8
    newcomer = crowd.person()
    assert [newcomer.get(path, **odd).status_code for _ in range(5)] == [404, 404, 404, 404, 429]


@pytest.mark.parametrize("odd", [{}, ODD], ids=["lean", "canonical"])
def test_401_comes_before_429(crowd: ApiHarness, odd: dict[str, str]) -> None:
    client = crowd.person()
    assert [client.get("/v1/wallets").status_code for _ in range(5)] == [200] * 4 + [429]
    for guess in ("", unknown()):
        assert ApiUser(crowd, "", guess).order("/v1/deposits", {}, **odd).status_code == 401
    missing = [crowd.nobody().order("/v1/deposits", {}, **odd) for _ in range(10)]
    assert {answer.status_code for answer in missing} == {401}
    assert all("WWW-Authenticate" in answer.headers for answer in missing)


def test_guesses_are_bounded_and_each_is_looked_up_alone_past_that(crowd: ApiHarness) -> None:
    good, looked_up = crowd.person(), []
    assert good.get("/v1/wallets").status_code == 200
    ours = crowd.app.extensions["gateway"]
    look_up = ours.tokens._look_up
    ours.tokens._look_up = lambda token, hash: looked_up.append(token) or look_up(token, hash)
    answers = [ApiUser(crowd, "", unknown()).get("/v1/wallets") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    assert_too_many(answers[-1], "address", 4)
    assert len(looked_up) == 6
    with ours.tokens._suspect_lookups:
        assert_too_many(ApiUser(crowd, "", unknown()).get("/v1/wallets"), "address", 4)
        assert len(looked_up) == 6
        ours.tokens._cached = {hash: (0.0, caller) for hash, (_, caller) in ours.tokens._cached.items()}
        assert good.get("/v1/wallets").status_code == 200, "was good before"
        elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
        assert ApiUser(crowd, "", unknown()).call("GET", "/v1/wallets", **elsewhere).status_code == 401
    assert crowd.person().get("/v1/wallets").status_code == 200


def test_a_token_that_ended_is_no_longer_one_that_was_good(crowd: ApiHarness) -> None:
    person = crowd.person()
    assert person.get("/v1/wallets").status_code == 200
    ours = crowd.app.extensions["gateway"]
    crowd.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", person.id)
    ours.tokens._cached = {hash: (0.0, caller) for hash, (_, caller) in ours.tokens._cached.items()}
    assert [person.get("/v1/wallets").status_code for _ in range(5)] == [401] * 4 + [429]
    assert not ours.tokens._cached


def test_a_deactivated_user_is_told_so_however_often(crowd: ApiHarness) -> None:
    person = crowd.person()
    crowd.execute("UPDATE users SET is_active = false WHERE id = %s", person.id)
    assert {person.get("/v1/wallets").status_code for _ in range(8)} == {403}


def test_public_routes_and_strange_hosts_are_counted_apart_from_tokens(crowd: ApiHarness) -> None:
    nobody, client = crowd.nobody(), crowd.person()
    assert nobody.get("/v1/wallets", Host="evil").status_code == 400
    assert nobody.call("OPTIONS", "/v1/wallets").status_code == 200
    assert client.get("/docs").status_code == 200, "a token that is not asked for does not count"
    assert client.get("/v1/nope").status_code == 404
    assert_too_many(client.get("/v1/nope"), "address", 4)
    assert_too_many(nobody.get("/v1/wallets", Host="evil"), "address", 4)
    assert client.get("/v1/wallets").status_code == 200
