"""What every request passes before anything looks at it: whose it is by network address, how many came, for whom."""

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, Protocol

from flask import Flask, current_app, request
from flask_cors import CORS
from werkzeug.sansio.utils import host_is_trusted

from gateway.http.access_log import ADDRESS, FAULT, NETWORK, Application, Environ
from gateway.http.errors import ApiError
from settings import Settings

REMEMBERED_MAX = 1024
"""Addresses, and hosts, whose reading a process remembers: at most some eight megabytes of headers each."""

NETWORK_BITS = 64
"""Whoever has an IPv6 address has as many as these leave: they are counted as one."""

ASKED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Request-Id",
)
SHOWN_HEADERS = (
    "ETag", "Location", "Link", "Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed",
    "Preference-Applied", "WWW-Authenticate",
)  # fmt: skip
"""What the pages of other origins may send and read; never a cookie."""

HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/status"})
"""Load balancers ask these by address, so they answer whatever the Host: they say nothing that depends on it."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PREFLIGHT_SECONDS = 600

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ClientAddress(NamedTuple):
    """A network address (None if the server knows none), and the network by which it is counted."""

    address: str | None
    network: str


class RequestCounter(Protocol):
    """A rate limit by network."""

    def count(self, key: str, environ: Environ) -> None:
        """Count one request; raises ApiError above the limit."""


class Edge:
    """Middleware around both ways to answer; what it refuses is refused by the framework, in the common form."""

    def __init__(self, application: Application, settings: Settings, unauthenticated: RequestCounter) -> None:
        self._application = application
        self._unauthenticated = unauthenticated
        self._trusted = tuple(ip_network(network, strict=False) for network in settings.trusted_proxies)
        hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._client = lru_cache(REMEMBERED_MAX)(partial(client_address, self._trusted))
        self._is_ours = lru_cache(REMEMBERED_MAX)(partial(is_known_host, hosts))

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "") if self._trusted else ""
        environ[ADDRESS], environ[NETWORK] = self._client(environ.get("REMOTE_ADDR", ""), forwarded)
        if FAULT not in environ and not self._is_for_us(environ):
            environ[FAULT] = ApiError("host_unknown", "No service of this name is here; see the Host header.")
        if FAULT in environ:
            try:
                self._unauthenticated.count(environ[NETWORK], environ)
            except ApiError as too_many:
                environ[FAULT] = too_many
        return self._application(environ, start_response)

    def _is_for_us(self, environ: Environ) -> bool:
        host = environ.get("HTTP_HOST")
        if environ.get("PATH_INFO") in HEALTH_PATHS:
            environ.pop("HTTP_HOST", None)  # else the framework refuses one that it cannot read
            return True
        if host is None:
            return environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
        return self._is_ours(host)


def client_address(trusted: Collection[Network], peer: str, forwarded: str) -> ClientAddress:
    """Who sent a request that came from `peer`; X-Forwarded-For counts as far as trusted proxies wrote it."""
    address = _parse(peer)
    hops = forwarded.split(",")
    while address is not None and hops and any(address in network for network in trusted):
        before = _parse(hops.pop().strip())
        if before is None:
            break
        address = before
    if address is None:
        return ClientAddress(None, "unknown")
    if address.version == 4:  # noqa: PLR2004 - IPv4
        return ClientAddress(str(address), str(address))
    return ClientAddress(str(address), str(ip_network((int(address), NETWORK_BITS), strict=False)))


def is_known_host(hosts: Collection[str], host: str) -> bool:
    """Whether a Host header names one of our hosts, whatever the port; a leading dot stands for subdomains."""
    host = host.lower()
    if not host_is_trusted(host):
        return False
    literal = host[: host.find("]") + 1]  # host_is_trusted does not know IPv6 addresses among the trusted
    return "*" in hosts or literal in hosts or host_is_trusted(host, hosts)


def admit(unauthenticated: RequestCounter) -> None:
    """Raise again what was met before the framework was asked; count what is asked of no route that needs a token."""
    environ = request.environ
    if FAULT in environ:
        raise environ[FAULT]
    if not _needs_token():
        unauthenticated.count(environ[NETWORK], environ)


def _needs_token() -> bool:
    """Whether the caller will be asked for a token, and counted then."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "scopes", ())) and request.method != "OPTIONS"


def allow_origins(app: Flask, origins: Iterable[str]) -> None:
    """Let the pages of these origins call the app; without any, no answer speaks of origins."""
    if origins:
        CORS(
            app,
            origins=[re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in origins],
            methods=METHODS,
            allow_headers=ASKED_HEADERS,
            expose_headers=SHOWN_HEADERS,
            supports_credentials=False,
            allow_private_network=False,
            max_age=PREFLIGHT_SECONDS,
        )


def _parse(text: str) -> Address | None:
    """The address, without zone, and IPv4 where it only wears the form of IPv6; None for what is no address."""
    try:
        address = ip_address(ip_address(text).packed)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
