"""Revocations between processes: a revoked token is refused everywhere at once, or within a second without Redis."""

import time

import pytest
import redis

from embedded.valkey import Valkey
from gateway.auth import tokens as auth
from gateway.auth.revocation import CHANNEL, TokenRevocations
from gateway.http.redis_client import TIMEOUT_SECONDS
from models import token
from tests.gateway.auth.rate_limits import NOTICEABLE_SECONDS, frozen
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, eventually

NOWHERE = "unix:///nowhere/redis.sock?db=1"


def listening(url: str) -> int:
    """The number of processes that hear notices."""
    with redis.Redis.from_url(url) as client:
        return dict(client.pubsub_numsub(CHANNEL))[CHANNEL.encode()]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that a busy machine keeps for a second is not away."""
    monkeypatch.setattr("gateway.http.redis_client.TIMEOUT_SECONDS", 10.0)


def in_process(api: ApiHarness, person: ApiUser) -> ApiUser:
    """The same user, calling another process."""
    return ApiUser(api, person.id, person.token)


def revoke(api: ApiHarness, person: ApiUser) -> None:
    api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", person.id)
    api.app.extensions["gateway"].tokens.forget_everywhere(person.id)


@pytest.mark.usefixtures("patient")
def test_n30_a_revocation_is_known_everywhere_at_once(
    database: Database, frail: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 3600.0)
    first, second = (ApiHarness(database, limits_redis_url=frail.url(1)) for _ in range(2))
    person, other = first.person(), first.person()
    for api in (first, second):
        tokens = api.app.extensions["gateway"].tokens
        eventually(lambda tokens=tokens: tokens._evictions, message="that it listens")
        assert in_process(api, person).get("/v1/wallets").status_code == 200
        assert in_process(api, other).get("/v1/wallets").status_code == 200
    first.execute("UPDATE tokens SET revoked_at = now() WHERE user_id IN (%s, %s)", person.id, other.id)
    assert in_process(second, person).get("/v1/wallets").status_code == 200, "is remembered"
    first.app.extensions["gateway"].tokens.forget_everywhere(person.id)
    assert in_process(first, person).get("/v1/wallets").status_code == 401
    eventually(lambda: in_process(second, person).get("/v1/wallets").status_code == 401)
    assert in_process(second, other).get("/v1/wallets").status_code == 200, "others are still remembered"


def test_n30_a_revocation_is_known_within_a_second_without_redis(database: Database) -> None:
    first, second = (ApiHarness(database, limits_redis_url=NOWHERE) for _ in range(2))
    person = first.person()
    assert in_process(second, person).get("/v1/wallets").status_code == 200
    revoke(first, person)
    assert in_process(first, person).get("/v1/wallets").status_code == 401
    eventually(
        lambda: in_process(second, person).get("/v1/wallets").status_code == 401, seconds=auth.CACHE_SECONDS + 0.5
    )


def test_missed_revocations_are_looked_up_once_redis_is_back(
    database: Database, frail: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 3600.0)
    api = ApiHarness(database, limits_redis_url=frail.url(1))
    person = api.person()
    assert person.get("/v1/wallets").status_code == 200
    eventually(lambda: listening(frail.url()) == 1)
    frail.kill()
    assert person.get("/v1/wallets").status_code == 200, "is remembered"
    api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", person.id)
    frail.start()
    eventually(lambda: person.get("/v1/wallets").status_code == 401)


def test_lookup_under_way_does_not_restore_a_revoked_token(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 3600.0)
    tokens = api.app.extensions["gateway"].tokens
    look_up = token.bearer

    def revoked_meanwhile(*arguments: object) -> object:
        found = look_up(*arguments)
        api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", client.id)
        tokens.forget(client.id)
        return found

    monkeypatch.setattr(token, "bearer", revoked_meanwhile)
    assert client.get("/v1/wallets").status_code == 200
    monkeypatch.setattr(token, "bearer", look_up)
    assert client.get("/v1/wallets").status_code == 401


def test_a_frozen_redis_costs_a_moment_once(frail: Valkey) -> None:
    notices = TokenRevocations(frail.url(1))
    notices.publish("x")
    with frozen(frail):
        began = time.monotonic()
        for _ in range(100):
            notices.publish("x")
        assert TIMEOUT_SECONDS <= time.monotonic() - began < NOTICEABLE_SECONDS


@pytest.mark.usefixtures("patient")
def test_unknown_notices_are_ignored(frail: Valkey) -> None:
    notices, heard, missed = TokenRevocations(frail.url(1)), [], []
    notices.listen(heard.append, lambda: missed.append(True))
    eventually(lambda: missed)
    with redis.Redis.from_url(frail.url()) as client:
        for strange in (b"", b" ", b"\xff\xfe\x00", b"birds 1", b"revoked", b"x" * 100_000):
            client.publish(CHANNEL, strange)
    notices.publish("rex")
    notices.publish("tom")
    eventually(lambda: "tom" in heard)
    assert heard == ["", "rex", "tom"]


def test_a_line_that_fell_silent_is_given_up(frail: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.auth.revocation.SILENCE_SECONDS", 0.1)
    notices, missed = TokenRevocations(frail.url(1)), []
    notices.listen(lambda _user_id: None, lambda: missed.append(time.monotonic()))
    eventually(lambda: len(missed) == 1)
    with frozen(frail):
        eventually(lambda: notices._is_disconnected, message="that it is noticed")
    eventually(lambda: len(missed) > 1)


@pytest.mark.usefixtures("patient")
def test_notices_name_no_token(database: Database, frail: Valkey) -> None:
    api = ApiHarness(database, limits_redis_url=frail.url(1))
    person = api.person()
    assert person.get("/v1/wallets").status_code == 200
    with redis.Redis.from_url(frail.url()) as client, client.pubsub(ignore_subscribe_messages=True) as line:
        line.subscribe(CHANNEL)
        eventually(lambda: listening(frail.url()) == 2)
        revoke(api, person)
        message = eventually(lambda: line.get_message(timeout=1))
    assert message["data"].decode() == f"revoked {person.id}"
