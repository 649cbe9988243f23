"""The addresses of a webhook's host: resolved by the system and checked, the same when saved and when sent to."""

import socket
from collections.abc import Callable, Sequence

from models.rules.webhook_url import Target, TargetRefused, UrlPolicy, vetted

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host for a port; raises OSError."""


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of the host by the system's resolver, for which it may block; raises OSError."""
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def allowed_addresses(target: Target, policy: UrlPolicy, resolve: Resolve = resolve_host) -> list[str]:
    """All addresses of the target's name, if each may be connected to; raises TargetRefused. May block, as above."""
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise TargetRefused("host_unknown", "The host has no address.") from error
    return vetted(addresses, policy)
