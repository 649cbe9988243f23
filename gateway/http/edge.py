"""Middleware for trusted proxies, hosts, query strings and CORS, and the rate limit of unauthenticated requests."""

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from flask import Flask, current_app, request
from flask_cors import CORS
from werkzeug.sansio.utils import host_is_trusted

from gateway.http.access_log import ADDRESS, NETWORK, PENDING_ERROR, Application, Environ
from gateway.http.errors import ApiError
from settings import Settings

CACHED_MAX = 1024
"""Parsed addresses, and hosts, that a process caches: each of the two caches holds some eight megabytes at most."""

NETWORK_BITS = 64
"""The prefix by which IPv6 addresses are counted: one client usually has all addresses in it."""

REQUEST_HEADERS = (
    "Authorization",
    "Consistency-Token",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Request-Id",
)
EXPOSED_HEADERS = (
    "ETag", "Location", "Link", "Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed",
    "Preference-Applied", "WWW-Authenticate", "Consistency-Token",
)  # fmt: skip
"""Headers that pages of allowed origins may send and read; never a cookie."""

HEALTH_PATHS = frozenset({"/health/live", "/health/ready", "/status"})
"""Load balancers request these by address, so any Host is accepted; no response depends on it."""

METRICS_PATH = "/metrics"
"""Monitors request it by address too, with a token of its own."""

ANY_HOST_PATHS = HEALTH_PATHS | {METRICS_PATH}

CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PREFLIGHT_SECONDS = 600

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ClientAddress(NamedTuple):
    """The address of a client (None if unknown), and the network by which it is rate-limited."""

    address: str | None
    network: str


class RequestCounter(Protocol):
    """A rate limit by network."""

    def count(self, key: str, environ: Environ) -> None:
        """Count one request; raises ApiError above the limit."""


class EdgeMiddleware:
    """Finds the client's address behind trusted proxies, checks Host and query string; Flask renders its errors."""

    def __init__(self, application: Application, settings: Settings, unauthenticated: RequestCounter) -> None:
        self._application = application
        self._unauthenticated = unauthenticated
        self._trusted = tuple(ip_network(network, strict=False) for network in settings.trusted_proxies)
        hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._client = lru_cache(CACHED_MAX)(partial(client_address, self._trusted))
        self._is_known_host = lru_cache(CACHED_MAX)(partial(is_known_host, hosts))

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "") if self._trusted else ""
        environ[ADDRESS], environ[NETWORK] = self._client(environ.get("REMOTE_ADDR", ""), forwarded)
        if PENDING_ERROR not in environ:
            self._check_host(environ)
        if PENDING_ERROR not in environ and not is_utf8(environ.get("QUERY_STRING", "")):
            environ[PENDING_ERROR] = ApiError("bad_request", "The query string is not percent-encoded UTF-8.")
        if PENDING_ERROR in environ:
            try:
                self._unauthenticated.count(environ[NETWORK], environ)
            except ApiError as error:
                environ[PENDING_ERROR] = error
        return self._application(environ, start_response)

    def _check_host(self, environ: Environ) -> None:
        """Set the error of an unknown Host; a health check may have any, which is removed from the environment."""
        if environ.get("PATH_INFO") in ANY_HOST_PATHS:
            environ.pop("HTTP_HOST", None)  # else the framework refuses one that it cannot read
        elif not self._has_known_host(environ):
            environ[PENDING_ERROR] = ApiError("host_unknown", "This service does not answer to this Host.")

    def _has_known_host(self, environ: Environ) -> bool:
        host = environ.get("HTTP_HOST")
        return environ.get("SERVER_PROTOCOL") == "HTTP/1.0" if host is None else self._is_known_host(host)


def client_address(trusted: Collection[Network], peer: str, forwarded: str) -> ClientAddress:
    """The client of a request that `peer` sent; X-Forwarded-For counts as far as trusted proxies wrote it."""
    address = _parse(peer)
    hops = forwarded.split(",")
    while address is not None and hops and any(address in network for network in trusted):
        previous = _parse(hops.pop().strip())
        if previous is None:
            break
        address = previous
    if address is None:
        return ClientAddress(None, "unknown")
    if address.version == 4:  # noqa: PLR2004 - IPv4
        return ClientAddress(str(address), str(address))
    return ClientAddress(str(address), str(ip_network((int(address), NETWORK_BITS), strict=False)))


def is_known_host(hosts: Collection[str], host: str) -> bool:
    """True if a Host header names one of these hosts, with any port; a leading dot includes subdomains."""
    host = host.lower()
    if not host_is_trusted(host):
        return False
    literal = host[: host.find("]") + 1]  # host_is_trusted does not know IPv6 addresses among the trusted
    return "*" in hosts or literal in hosts or host_is_trusted(host, hosts)


def is_utf8(query: str) -> bool:
    """True if a query string, as in the environment, is UTF-8 once decoded: the framework would replace what is not."""
    if query.isascii() and "%" not in query:
        return True
    try:
        unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeDecodeError:
        return False
    return True


def raise_pending_error() -> None:
    """Before a view: raise the error that middleware found."""
    if PENDING_ERROR in request.environ:
        raise request.environ[PENDING_ERROR]


def count_public_request(unauthenticated: RequestCounter) -> None:
    """Before a view that needs no token: count the request; all others are counted on authentication."""
    view = current_app.view_functions.get(request.endpoint or "")
    needs_token = bool(getattr(view, "scopes", ())) and request.method != "OPTIONS"
    if not needs_token:
        unauthenticated.count(request.environ[NETWORK], request.environ)


def allow_origins(app: Flask, origins: Iterable[str]) -> None:
    """Enable CORS for these origins; without any, responses have no CORS headers."""
    if origins:
        CORS(
            app,
            origins=[re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in origins],
            methods=CORS_METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            supports_credentials=False,
            allow_private_network=False,
            max_age=PREFLIGHT_SECONDS,
        )


def _parse(text: str) -> Address | None:
    """The address without zone, IPv4-mapped IPv6 as IPv4; None if it is not an address."""
    try:
        address = ip_address(ip_address(text).packed)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
