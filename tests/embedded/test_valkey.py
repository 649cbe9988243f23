"""The embedded Valkey: private, append-only, and up again after a crash with what it was given."""

from collections.abc import Iterator

import pytest
import redis

from embedded import home as homes
from embedded.valkey import Valkey


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with homes.temporary() as home:
        server = Valkey(home)
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_it_was_given_is_there_after_a_restart(server: Valkey, end: str):
    with redis.Redis.from_url(server.url()) as client:
        client.set(f"kept after {end}", "yes")
    getattr(server, end)()
    assert not server.is_alive
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        assert client.get(f"kept after {end}") == b"yes"


@pytest.mark.parametrize(
    ("setting", "value"), [("port", "0"), ("appendonly", "yes"), ("maxmemory-policy", "noeviction")]
)
def test_it_listens_on_its_socket_alone_and_drops_nothing(server: Valkey, setting: str, value: str):
    with redis.Redis.from_url(server.url()) as client:
        assert client.config_get(setting) == {setting: value}


def test_databases_are_apart(server: Valkey):
    with redis.Redis.from_url(server.url(1)) as first, redis.Redis.from_url(server.url(2)) as second:
        first.set("only in the first", 1)
        assert second.get("only in the first") is None


def test_strangers_cannot_reach_the_socket(server: Valkey):
    assert server.home.sockets.stat().st_mode & 0o007 == 0
    assert server.socket.stat().st_mode & 0o007 == 0
