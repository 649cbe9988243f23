"""SSRF rules of webhooks: the accepted form of URLs, and the addresses that may be connected to."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

URL_LENGTH_MAX = 2000
"""Longest URL of an endpoint; the column has the same bound."""

PORT_MAX = 65_535

PORTS = {"https": (443, 8443), "http": (80, 8080)}
"""Accepted ports by scheme, the default one first: others may be databases or mail servers of third parties."""

INNER_DOMAINS = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa")
"""Top-level names that are used inside networks only."""

_IPV6_PUBLIC = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # Teredo, ORCHID and other assignments of the protocol
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)
"""Networks that some releases of the standard library call global, though no public server is there."""

_ISATAP_MASK, _ISATAP = 0xFCFF_FFFF_0000_0000, 0x0000_5EFE_0000_0000

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?]*)(?P<path>(?:[/?][A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*)?)", re.ASCII
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])", re.ASCII)
_NAME_LENGTH_MAX = 253


class UrlPolicy(NamedTuple):
    """Exceptions allowed besides https to public addresses: `http`, and the addresses within `networks`."""

    http: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


STRICT = UrlPolicy()


class Target(NamedTuple):
    """A parsed URL; `address` is its host if that is an IP address, so that nothing needs to be resolved."""

    scheme: str
    host: str
    port: int
    path: str
    address: str | None

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme][0] else f"{host}:{self.port}"

    def url_at(self, address: str) -> str:
        """The URL with the host replaced by one of its vetted addresses, so that only that one is connected to."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


class TargetRefused(ValueError):
    """Raised for a URL or address that is not allowed; `code` is the reason, `detail` the same for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def networks_of(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse networks such as 127.0.0.0/8 or fd00::/8; raises ValueError for anything else, also with host bits set."""
    return tuple(ip_network(text) for text in texts)


def target_of(url: str, policy: UrlPolicy = STRICT) -> Target:
    """Parse the URL of a target; raises TargetRefused if it is ambiguous or not allowed.

    A host name must still be resolved and its addresses vetted; an address in the URL has been vetted.
    """
    whole = _URL.fullmatch(url) if len(url) <= URL_LENGTH_MAX else None
    if whole is None:
        raise TargetRefused("url_malformed", "Not an https URL of printable ASCII characters, without a fragment.")
    scheme, path = whole["scheme"], whole["path"]
    if scheme == "http" and not policy.http:
        raise TargetRefused("scheme_refused", "Only https is sent to.")
    authority = _AUTHORITY.fullmatch(whole["authority"])
    if authority is None:
        raise TargetRefused("host_refused", "The host is not a plain name in ASCII; user names are not taken.")
    host = authority["host"].lower()
    port = int(authority["port"] or PORTS[scheme][0])
    address = _literal(host)
    if address is None:
        _refuse_name(host)
    else:
        host = vetted([str(address)], policy)[0]
    is_excepted = address is not None and _is_within(address, policy)
    if port > PORT_MAX or not (port in PORTS[scheme] or is_excepted):
        raise TargetRefused("port_refused", f"The port must be {' or '.join(map(str, PORTS[scheme]))}.")
    return Target(scheme, host, port, path if path.startswith("/") else f"/{path}", host if address else None)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The host as an IP address in its canonical notation; None for a name."""
    try:
        return IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host)
    except ValueError:
        if host.startswith("["):
            raise TargetRefused("host_refused", "The host is no IPv6 address.") from None
        return None


def _refuse_name(host: str) -> None:
    if len(host) > _NAME_LENGTH_MAX or not _NAME.fullmatch(host):
        raise TargetRefused("host_refused", "The host is not a full domain name, nor an address in four plain parts.")
    if host.rpartition(".")[2] in INNER_DOMAINS:
        raise TargetRefused("host_refused", "The host is a name of an inner network.")


def vetted(addresses: Iterable[str], policy: UrlPolicy = STRICT) -> list[str]:
    """The distinct addresses of a host in their order, if ALL may be connected to; raises TargetRefused."""
    distinct = list(dict.fromkeys(addresses))
    if not distinct:
        raise TargetRefused("host_unknown", "The host has no address.")
    for text in distinct:
        address = ip_address(text)
        if not (_is_within(address, policy) or _is_public(address)):
            raise TargetRefused("address_refused", "The host has an address that is not public.")
    return distinct


def _is_within(address: IPv4Address | IPv6Address, policy: UrlPolicy) -> bool:
    return any(address in network for network in policy.networks)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is public, also after unwrapping; `is_global` is wrong for addresses that wrap another."""
    if isinstance(address, IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (_low_half(address) if address in _NAT64 else None)
        if wrapped is not None:
            return _is_public(wrapped)
        if address.scope_id is not None or address not in _IPV6_PUBLIC or int(address) & _ISATAP_MASK == _ISATAP:
            return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_private)
        and not any(address in network for network in _REFUSED)
    )


def _low_half(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
