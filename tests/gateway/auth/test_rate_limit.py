"""Rate limits counted over a real Valkey, without a trip to it for each request."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import redis

from embedded.valkey import Valkey
from gateway.auth import rate_limit
from gateway.http.redis_client import TIMEOUT_SECONDS
from tests.gateway.auth.rate_limits import NOTICEABLE_SECONDS, assert_too_many, frozen, limits_for, passes, scripts_run
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import CANONICAL, deposit_into
from tests.support import Database


@pytest.mark.parametrize("amount", [1, 7, 10, 19, 30, 50, 999, 1000])
def test_one_process_lets_through_the_amount(
    database: Database, valkey: Valkey, shared: redis.Redis, amount: int
) -> None:
    limits = limits_for(database, valkey.url(1), rate_limit_token=f"{amount} per day")
    assert passes(limits.token) == amount
    assert passes(limits.token) == 0
    assert passes(limits.token, "another") == amount


def test_many_processes_let_through_little_more(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    processes = [limits_for(database, valkey.url(1), rate_limit_token="200 per day").token for _ in range(4)]
    assert 200 <= sum(passes(process) for process in processes) <= 200 * (1 + 3 / rate_limit.LOCAL_DIVISOR)
    processes = [limits_for(database, valkey.url(1), rate_limit_token="201 per day").token for _ in range(4)]
    in_turn = sum(1 for number in range(1_000) if passes(processes[number % 4], most=1))
    assert 200 <= in_turn <= 201 * (1 + 3 / rate_limit.LOCAL_DIVISOR)


def test_permits_are_taken_in_portions(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    limits = limits_for(database, valkey.url(1), rate_limit_token="1000 per day")
    assert passes(limits.token) == 1000
    assert passes(limits.token) == 0
    assert scripts_run(shared) <= rate_limit.PERMITS_DIVISOR


def test_without_redis_each_process_lets_through_the_amount(database: Database) -> None:
    limits = limits_for(database, "unix:///nowhere/redis.sock?db=1", rate_limit_token="77 per day")
    assert passes(limits.token) == 77


def test_concurrent_requests_below_the_amount_all_pass(
    database: Database, valkey: Valkey, shared: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = limits_for(database, valkey.url(1), rate_limit_token="5000 per day").token
    monkeypatch.setattr(limit, "_permits_per_call", 1)  # of an exact limit: one more request is enough to use them up
    monkeypatch.setattr(limit, "_local_permits", 0)
    switch_seconds = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(20) as threads:
            passed = list(threads.map(lambda _: passes(limit, most=100), range(20)))
    finally:
        sys.setswitchinterval(switch_seconds)
    assert passed == [100] * 20


def test_permits_used_without_redis_are_counted_once_it_is_back(
    database: Database, frail: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.redis_client.BREAKER_SECONDS", 0)
    limits = limits_for(database, frail.url(1), rate_limit_token="100 per day")
    frail.stop()
    assert passes(limits.token, most=40) == 40
    frail.start()
    assert passes(limits.token) == 60
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
    limits = limits_for(database, frail.url(1), rate_limit_token="1000 per day", rate_limit_address="1000 per day")
    assert passes(limits.token, most=300) == 300
    with frozen(frail):
        began = time.monotonic()
        assert passes(limits.token) == 700
        assert passes(limits.address) == 1000
        assert TIMEOUT_SECONDS <= time.monotonic() - began < NOTICEABLE_SECONDS


def test_headers_show_the_rate_limit_of_a_token_on_both_paths(
    database: Database, valkey: Valkey, shared: redis.Redis
) -> None:
    api = ApiHarness(database, limits_redis_url=valkey.url(1), rate_limit_token="10 per day")
    client = api.person()
    wallet = client.wallet()
    short = client.order("/v1/deposits", deposit_into(wallet))
    canonical = client.order("/v1/deposits", deposit_into(wallet), **CANONICAL)
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
    assert_too_many(client.order("/v1/deposits", deposit_into(wallet), **CANONICAL), "token", 10)
    assert api.person().get("/v1/wallets").status_code == 200


@pytest.mark.parametrize("path", ["/status", "/health/live", "/docs", "/openapi.json", "/v1/nope", "/"])
def test_an_address_is_counted_whatever_it_asks_for(database: Database, path: str) -> None:
    api = ApiHarness(database, rate_limit_address="2 per day")
    anonymous = api.anonymous()
    for remaining in (1, 0):
        answer = anonymous.get(path)
        assert answer.status_code != 429
        assert answer.headers["RateLimit-Policy"] == '"address";q=2;w=86400'
        assert answer.headers["RateLimit"].startswith(f'"address";r={remaining};t=')
    assert_too_many(anonymous.get(path), "address", 2)
    assert_too_many(anonymous.call("DELETE", path), "address", 2)


def test_many_tokens_of_one_address_are_limited_by_address(database: Database) -> None:
    api = ApiHarness(database, rate_limit_token="4 per day", rate_limit_address="20 per day")
    keys = [api.person() for _ in range(6)]
    assert keys[5].get("/v1/wallets").status_code == 200
    statuses = [[key.get("/v1/wallets").status_code for _ in range(5)] for key in keys[:4]]
    assert statuses == [[200, 200, 200, 200, 429]] * 4
    assert_too_many(keys[4].get("/v1/wallets"), "address", 20)
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert keys[4].call("GET", "/v1/wallets", **elsewhere).status_code == 200
    assert_too_many(keys[0].call("GET", "/v1/wallets", **elsewhere), "token", 4)


def test_no_request_makes_a_trip_to_redis(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    plenty = "1000 per day"
    api = ApiHarness(database, limits_redis_url=valkey.url(1), rate_limit_token=plenty, rate_limit_address=plenty)
    client = api.person()
    wallet = client.wallet()
    before = {name: stat["calls"] for name, stat in shared.info("commandstats").items()}
    for _ in range(25):
        assert client.order("/v1/deposits", deposit_into(wallet)).status_code == 202
        assert client.get("/v1/wallets").status_code == 200
    after = {name: stat["calls"] for name, stat in shared.info("commandstats").items()}
    made = {name for name in after if after[name] != before.get(name, 0)}
    assert made <= {"cmdstat_info", "cmdstat_ping"}  # a line that listens for notices is asked now and then


def test_a_refusal_on_the_short_way_is_not_counted_twice(database: Database) -> None:
    api = ApiHarness(database, rate_limit_token="20 per day", rate_limit_address="30 per day")
    client: ApiUser = api.person()
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
    assert api.app.extensions["gateway"].rate_limits.address._counts["127.0.0.1"].used == 5
