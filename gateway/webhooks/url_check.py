"""SSRF check of a webhook URL: resolves the host and refuses internal addresses before anything is stored."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as ResolveTimeout
from functools import cache

from flask import g

from gateway.http.errors import ApiError, invalid
from gateway.services import services
from models.rules.webhook_url import Target, TargetRefused, UrlPolicy, networks_of, target_of
from models.webhook_address import allowed_addresses

RESOLVE_SECONDS_MAX = 3.0
"""A name that takes longer counts as unknown, because the request waits meanwhile."""

RESOLVERS_MAX = 8
"""Names that a process resolves at once: names that never resolve must not take a thread each."""

RESOLVING_PER_USER_MAX = RESOLVERS_MAX // 2
"""Of these, for one user: a name server that never answers must not delay other users."""

UNKNOWN = "The host name is unknown, or has an address that is not public."
"""One sentence for both, so as not to reveal which names the internal network has."""


def check_url(url: str) -> None:
    """Refuse a URL that webhooks must not be sent to; resolves its host. Raises ApiError."""
    settings = services().settings
    policy = UrlPolicy(settings.webhook_http, networks_of(settings.webhook_networks))
    try:
        target = target_of(url, policy)
    except TargetRefused as refused:
        raise _url_not_allowed(refused.detail) from None
    if target.address is None:
        try:
            _look_up(target, policy, g.caller.id)
        except (TargetRefused, ResolveTimeout):
            raise _url_not_allowed(UNKNOWN) from None


_resolving_by: Counter[str] = Counter()


def _look_up(target: Target, policy: UrlPolicy, user_id: str) -> None:
    """Resolve the host and check its addresses; raises TargetRefused, or ResolveTimeout."""
    if _resolving_by[user_id] >= RESOLVING_PER_USER_MAX:
        raise ResolveTimeout
    _resolving_by[user_id] += 1
    lookup = _resolvers().submit(allowed_addresses, target, policy)
    lookup.add_done_callback(lambda _: _done_resolving(user_id))
    try:
        lookup.result(timeout=RESOLVE_SECONDS_MAX)
    finally:
        lookup.cancel()


def _done_resolving(user_id: str) -> None:
    _resolving_by[user_id] -= 1
    if not _resolving_by[user_id]:
        del _resolving_by[user_id]


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(RESOLVERS_MAX)


def _url_not_allowed(detail: str) -> ApiError:
    return invalid([("/url", "url_not_allowed", detail)])
