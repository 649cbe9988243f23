"""Whether a webhook may be sent to a URL, asked of its name's addresses before anything is kept."""

import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from functools import cache

from gateway.errors import Refusal, flawed
from gateway.services import services
from models.rules.targets import Policy, TargetRefused, networks_of, target_of, vetted

RESOLVE_SECONDS_MAX = 3.0
"""A name that takes longer is not known; whoever waits holds a request."""

RESOLVERS_MAX = 8
"""Names that a process asks for at once: one that is never answered must not take a thread each."""

UNKNOWN = "The host's name is not known, or has an address that is not public."
"""One sentence for both: nobody learns here which names our network knows."""


def refuse_unless_allowed(url: str) -> None:
    """Refuse a URL that webhooks are not sent to, with a pointer to it; waits for the name's addresses."""
    settings = services().settings
    policy = Policy(settings.webhook_http, networks_of(settings.webhook_networks))
    try:
        target = target_of(url, policy)
    except TargetRefused as refused:
        raise _refusal(refused.detail) from None
    if target.address is None:
        try:
            vetted(_resolved(target.host, target.port), policy)
        except (TargetRefused, OSError, Late):
            raise _refusal(UNKNOWN) from None


def _resolved(host: str, port: int) -> list[str]:
    """The addresses of a name; raises OSError, or Late. Under gevent the threads are greenlets, and nobody waits."""
    asked = _resolvers().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return [str(answer[4][0]) for answer in asked.result(timeout=RESOLVE_SECONDS_MAX)]
    finally:
        asked.cancel()


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(RESOLVERS_MAX)


def _refusal(detail: str) -> Refusal:
    return flawed([("/url", "url_not_allowed", detail)])
