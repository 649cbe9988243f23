"""Whether a webhook may be sent to a URL, asked of its name's addresses before anything is kept."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from functools import cache

from flask import g

from gateway.http.errors import ApiError, invalid
from gateway.services import services
from models.rules.webhook_url import Target, TargetRefused, UrlPolicy, networks_of, target_of
from models.webhook_address import allowed_addresses

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
            _look_up(target, policy, g.caller.id)
        except (TargetRefused, Late):
            raise _refusal(UNKNOWN) from None


_asked_by: Counter[str] = Counter()


def _look_up(target: Target, policy: UrlPolicy, user_id: str) -> None:
    """Resolve the host and check its addresses; raises TargetRefused, or Late.

    Under gevent the threads are greenlets, so that no other request waits.
    """
    if _asked_by[user_id] >= ASKED_BY_USER_MAX:
        raise Late
    _asked_by[user_id] += 1
    lookup = _resolvers().submit(allowed_addresses, target, policy)
    lookup.add_done_callback(lambda _: _no_longer_asks(user_id))
    try:
        lookup.result(timeout=RESOLVE_SECONDS_MAX)
    finally:
        lookup.cancel()


def _no_longer_asks(user_id: str) -> None:
    _asked_by[user_id] -= 1
    if not _asked_by[user_id]:
        del _asked_by[user_id]


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(RESOLVERS_MAX)


def _refusal(detail: str) -> ApiError:
    return invalid([("/url", "url_not_allowed", detail)])
