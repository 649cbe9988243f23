"""Whether a webhook may be sent to a URL, asked of its name's addresses before anything is kept."""

import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from functools import cache

from flask import g

from gateway.http.errors import ApiError, invalid
from gateway.services import services
from models.rules.webhook_url import TargetRefused, UrlPolicy, networks_of, target_of, vetted

RESOLVE_SECONDS_MAX = 3.0
"""A name that takes longer is not known; whoever waits holds a request."""

RESOLVERS_MAX = 8
"""Names that a process asks for at once: one that is never answered must not take a thread each."""

ASKED_BY_USER_MAX = RESOLVERS_MAX // 2
"""Of these, for one user: a name server of his that never answers holds up nobody else's."""

UNKNOWN = "The host's name is not known, or has an address that is not public."
"""One sentence for both: nobody learns here which names our network knows."""


def check_url(url: str) -> None:
    """Refuse a URL that webhooks are not sent to, with a pointer to it; waits for the name's addresses."""
    settings = services().settings
    policy = UrlPolicy(settings.webhook_http, networks_of(settings.webhook_networks))
    try:
        target = target_of(url, policy)
    except TargetRefused as refused:
        raise _refusal(refused.detail) from None
    if target.address is None:
        try:
            vetted(_resolved(target.host, target.port, g.caller.id), policy)
        except (TargetRefused, OSError, Late):
            raise _refusal(UNKNOWN) from None


_asked_by: Counter[str] = Counter()


def _resolved(host: str, port: int, user_id: str) -> list[str]:
    """The addresses of a name; raises OSError, or Late. Under gevent the threads are greenlets, and nobody waits."""
    if _asked_by[user_id] >= ASKED_BY_USER_MAX:
        raise Late
    _asked_by[user_id] += 1
    asked = _resolvers().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    asked.add_done_callback(lambda _: _no_longer_asks(user_id))
    try:
        return [str(answer[4][0]) for answer in asked.result(timeout=RESOLVE_SECONDS_MAX)]
    finally:
        asked.cancel()


def _no_longer_asks(user_id: str) -> None:
    _asked_by[user_id] -= 1
    if not _asked_by[user_id]:
        del _asked_by[user_id]


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(RESOLVERS_MAX)


def _refusal(detail: str) -> ApiError:
    return invalid([("/url", "url_not_allowed", detail)])
