"""URLs of Redis: a server, or sentinels that know the primary, `sentinel://user:password@host1:26379;host2:26379/0`."""

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis import Redis
from redis.sentinel import Sentinel

SENTINEL = "sentinel"
SENTINEL_PORT = 26379
PRIMARY_NAME = "payments"
"""Of the primary in the sentinels' configuration, unless the URL says `?master_name=`."""


def normalized(url: str) -> str:
    """The URL in the Redis client's spelling, even if it is in kombu's."""
    return url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")


def beside(url: str) -> str:
    """Database 1 of the same server."""
    parts = urlsplit(url)
    return f"unix://{parts.netloc}{parts.path}?db=1" if parts.scheme == "unix" else parts._replace(path="/1").geturl()


def primary_name(url: str) -> str:
    """What sentinels call the primary."""
    return parse_qs(urlsplit(url).query).get("master_name", [PRIMARY_NAME])[0]


def for_kombu(url: str) -> str:
    """The URL in kombu's spelling: a Unix socket is redis+socket://, and each sentinel has a whole URL."""
    parts = urlsplit(url)
    if parts.scheme != SENTINEL:
        return url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    user, at, hosts = parts.netloc.rpartition("@")
    return ";".join(f"{SENTINEL}://{user}{at}{host}{parts.path}" for host in hosts.split(";"))


def client(url: str, **options: Any) -> Redis:
    """A client of the server, or of whichever is the primary at each new connection.

    `options` are the client's; a Unix socket takes no connect timeout.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        options.pop("socket_connect_timeout", None)
    if parts.scheme != SENTINEL:
        return Redis.from_url(url, **options)
    timeouts = {name: value for name, value in options.items() if name.startswith("socket_")}
    sentinels = Sentinel(_sentinels(parts), sentinel_kwargs=timeouts | {"retry": options.get("retry")})
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    options |= {"username": unquote(user) or None, "password": unquote(password) or None}
    primary: Redis = sentinels.master_for(primary_name(url), db=int(parts.path.strip("/") or 0), **options)
    return primary


def _sentinels(parts: SplitResult) -> list[tuple[str, int]]:
    pairs = (host.partition(":") for host in parts.netloc.rpartition("@")[2].split(";"))
    return [(name, int(port or SENTINEL_PORT)) for name, _, port in pairs]
