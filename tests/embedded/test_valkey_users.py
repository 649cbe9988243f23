"""Valkey's users: what the product does is allowed to the one who does it, and nothing that ruins the server."""

import re
import shlex
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from deploy import make_secrets
from embedded.home import CHECKOUT
from embedded.valkey import ADMIN, GATEWAY, WORKER, Valkey

RUINOUS = """
FLUSHALL | FLUSHDB | CONFIG GET * | CONFIG SET save x | KEYS * | SCAN 0 | SHUTDOWN NOSAVE | MODULE LIST
REPLICAOF NO ONE | SLAVEOF NO ONE | SAVE | BGSAVE | BGREWRITEAOF | ACL LIST | ACL WHOAMI
CLIENT LIST | CLIENT KILL TYPE normal | CLIENT PAUSE 1 | MONITOR | SCRIPT FLUSH | FUNCTION LIST | FAILOVER
EVAL 'return 1' 0 | SWAPDB 0 1 | MIGRATE h 1 k 0 1 | RESTORE k 0 x | DUMP payments | SORT payments | INFO
LATENCY RESET | SLOWLOG GET | MEMORY DOCTOR | RENAME payments x | GET others | SET others 1 | LPUSH others 1
"""
TAKING = """
BRPOP payments 1 | RPOP payments | DEL payments | LREM payments 0 x | LTRIM payments 1 0 | RPUSH payments x
HGET unacked x | ZADD unacked_index 1 x | SREM _kombu.binding.payments x | LRANGE webhooks 0 1 | DEL LIMITS:x
LPUSH webhooks x | SUBSCRIBE others | PSUBSCRIBE * | PUBLISH others x | LPUSH LIMITS:x y | SADD payments x
"""
"""Commands that only workers may send, or no user."""


def commands(text: str) -> list[str]:
    return [command.strip() for line in text.strip().splitlines() for command in line.split("|")]


@pytest.fixture(params=[WORKER, GATEWAY])
def user(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def admin(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url()) as client:
        yield client


def refused(valkey: Valkey, user: str, command: str) -> bool:
    with redis.Redis.from_url(valkey.url(user=user)) as client:
        try:
            client.execute_command(*shlex.split(command))
        except NoPermissionError:
            return True
        return False


@pytest.mark.parametrize("command", commands(RUINOUS))
def test_nobody_of_ours_may_ruin_the_server(valkey: Valkey, user: str, command: str) -> None:
    assert refused(valkey, user, command)


@pytest.mark.parametrize("command", commands(TAKING))
def test_a_taken_gateway_takes_nothing_from_the_workers(valkey: Valkey, command: str) -> None:
    assert refused(valkey, GATEWAY, command)


def test_without_a_name_nobody_gets_in(valkey: Valkey) -> None:
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_each_user_has_a_password_of_its_own(valkey: Valkey) -> None:
    passwords = {valkey.url(user=user).split(":")[2].split("@")[0] for user in (ADMIN, WORKER, GATEWAY)}
    assert len(passwords) == 3


def test_the_file_of_users_is_the_servers_alone(valkey: Valkey) -> None:
    assert (valkey.data / "users.acl").stat().st_mode & 0o077 == 0


def test_the_users_are_those_of_production(admin: redis.Redis) -> None:
    """One file says what they may do, here and in docker-compose.yml."""
    assert set(admin.acl_users()) == {"default", ADMIN, WORKER, GATEWAY}
    for user, rights in re.findall(r"^user (\S+) (.+)$", make_secrets.secrets()["valkey_users"], re.M):
        assert user in admin.acl_users()
        assert ">" not in rights, "hashes alone"
    composed = (CHECKOUT / "docker-compose.yml").read_text()
    assert "--aclfile /run/secrets/valkey_users" in composed
    assert "--requirepass" not in composed
