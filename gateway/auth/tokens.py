"""Who may call what: bearer tokens, roles, scopes, and the decorator that declares them on every route."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple, Protocol

from flask import current_app, g, request

from gateway.auth.rate_limit import RateLimits, too_many
from gateway.auth.revocation import TokenRevocations
from gateway.http.access_log import ADDRESS, CALLER, NETWORK, REQUEST_ID, USER_ID, Environ
from gateway.http.errors import AUTHENTICATE, ApiError
from gateway.http.parsing import refuse_other_than_json, refuse_query
from models import token as tokens
from models.audit import Actor
from models.session import POOL_SIZE, DatabaseAway, Engine, statements
from models.user import Role

BASE_SCOPES = frozenset(
    {
        "payments:read", "wallets:read", "currencies:read", "me:read", "me:write",
        "sessions:read", "sessions:write", "api-keys:read", "api-keys:write",
    }
)  # fmt: skip
"""Everybody reads what is theirs, and manages themselves."""

CUSTOMER = BASE_SCOPES | {
    *("wallets:write", "transfers:write", "withdrawals:write", "deposits:own", "webhooks:read", "webhooks:write"),
}
READ_ALL = {"payments:read-all", "wallets:read-all", "ops:read"}

SCOPES: dict[str, frozenset[str]] = {
    Role.CLIENT: CUSTOMER,
    Role.MERCHANT: CUSTOMER | {"charges:write", "bulks:write"},
    Role.OPS: BASE_SCOPES
    | READ_ALL
    | {"deposits:write", "ops:retry", "ops:users", "ops:currencies", "ops:adjustments", "ops:commissions", "ops:rates"}
    | {"ops:reconciliations"},
    Role.AUDITOR: BASE_SCOPES | READ_ALL,
}
"""Role to what its tokens may do; the scopes of a token narrow it."""

GRANTABLE_SCOPES = frozenset({"deposits:write"})
"""What a role need not have for one of its tokens to be given it: bringing in money from outside."""

MOVES_MONEY = frozenset(
    {"deposits:own", "deposits:write", "withdrawals:write", "transfers:write", "charges:write", "bulks:write"}
)
"""What waits until the user has confirmed the e-mail address."""

CACHE_SECONDS = 1.0
"""A revoked token is refused in every process after so long, should the notice of it be lost."""

CACHED_MAX = 10_000
"""Tokens a process remembers; past that it forgets them all and asks again."""

ASKED_AT_ONCE_MAX = POOL_SIZE // 2
"""A thousand who waited wake at once, and are asked again: they must not take every line to the database."""

TURN_SECONDS_MAX = 5.0
"""Who is not asked for by then is told that the database is away."""

GUESS_SECONDS_MAX = 0.2
"""So long a token waits to be looked up alone, from where too many were wrong: no flood of them fills a process."""

REVOKED = "revoked"
"""The subject of the notices that name a user whose tokens are to be asked for again."""

NOBODY = "nobody"
"""In the audit log: who has not signed in."""


class Caller(NamedTuple):
    """Who calls, and what the token lets them do; `unconfirmed_scopes` is what it will once the user has confirmed."""

    id: str
    role: str
    scopes: frozenset[str]
    token_id: str
    unconfirmed_scopes: frozenset[str] = frozenset()

    @property
    def reads_all(self) -> bool:
        """Whether payments, bulks and events of everybody."""
        return "payments:read-all" in self.scopes


class TokenCache:
    """Bearer tokens to callers, asked of the database at most once a second each."""

    def __init__(self, engine: Engine, notices: TokenRevocations, *, require_confirmation: bool) -> None:
        self._engine = engine
        self._notices = notices
        self._require_confirmation = require_confirmation
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._times_forgotten = 0
        self._turns = threading.Semaphore(ASKED_AT_ONCE_MAX)
        self._guesses = threading.Semaphore(1)
        self._lock = threading.Lock()
        notices.listen(REVOKED, self.forget, self.forget_all)

    def caller(self, token: str, is_guess: Callable[[], bool] = lambda: False) -> Caller:
        """Who holds the token; raises ApiError or DatabaseAway.

        One that may be a guess is looked up when no other such is, unless it was good here before.
        """
        hash = tokens.hash_of(token)
        known = self._remembered(hash)
        if known is not None:
            return known
        if hash not in self._known and is_guess():
            if not self._guesses.acquire(timeout=GUESS_SECONDS_MAX):
                raise too_many(1)
            try:
                return self._in_turn(token, hash)
            finally:
                self._guesses.release()
        return self._in_turn(token, hash)

    def _in_turn(self, token: str, hash: bytes) -> Caller:
        if not self._turns.acquire(timeout=TURN_SECONDS_MAX):
            raise DatabaseAway
        try:
            return self._remembered(hash) or self._asked(token, hash)
        finally:
            self._turns.release()

    def _remembered(self, hash: bytes) -> Caller | None:
        known = self._known.get(hash)
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def _asked(self, token: str, hash: bytes) -> Caller:
        asked_at, times_forgotten = time.monotonic(), self._times_forgotten
        try:
            caller = self._look_up(token, hash)
        except ApiError:
            self._known.pop(hash, None)
            raise
        with self._lock:
            if len(self._known) >= CACHED_MAX:
                self._known.clear()
            if self._times_forgotten == times_forgotten:  # else this may be what was to be forgotten
                self._known[hash] = (asked_at + CACHE_SECONDS, caller)
        return caller

    def forget(self, user_id: str) -> None:
        """Ask the database again for this user's tokens."""
        with self._lock:
            self._times_forgotten += 1
            self._known = {hash: known for hash, known in self._known.items() if known[1].id != user_id}

    def forget_all(self) -> None:
        """Ask the database again for every token."""
        with self._lock:
            self._times_forgotten += 1
            self._known = {}

    def forget_everywhere(self, user_id: str) -> None:
        """Ask again for this user's tokens in every process; after the commit that changed them. Never raises."""
        self.forget(user_id)
        self._notices.tell(REVOKED, user_id)

    def _look_up(self, token: str, hash: bytes) -> Caller:
        """Who holds the token, by the database; raises ApiError."""
        holder = None
        if tokens.is_well_formed(token):
            with statements(self._engine) as connection:
                holder = tokens.bearer(connection, hash)
        if holder is None:
            headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
            raise ApiError("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
        if not holder.is_active:
            raise ApiError("user_inactive", "This user has been deactivated.")
        scopes = SCOPES[holder.role]
        if holder.scopes is not None:
            scopes = (scopes | GRANTABLE_SCOPES) & holder.scopes
        unconfirmed_scopes = frozenset[str]()
        if self._require_confirmation and not holder.is_confirmed:
            unconfirmed_scopes = scopes & MOVES_MONEY
        return Caller(holder.user_id, holder.role, scopes - unconfirmed_scopes, holder.token_id, unconfirmed_scopes)


class AuthServices(Protocol):
    """Whoever knows the tokens of this process, and how often they may call."""

    @property
    def tokens(self) -> TokenCache: ...

    @property
    def rate_limits(self) -> RateLimits: ...


def authenticate(environ: Environ, ours: AuthServices) -> Caller:
    """Who calls, by the Authorization header alone, once a request; raises ApiError.

    What fails is counted apart from the requests of those who have a token, and above that amount a wrong token is
    429; a missing one is 401 all the same.
    """
    if CALLER in environ:
        known: Caller = environ[CALLER]
        return known
    network, unauthenticated = environ[NETWORK], ours.rate_limits.unauthenticated
    try:
        caller = ours.tokens.caller(_token_of(environ), partial(unauthenticated.is_spent, network))
    except ApiError as refusal:
        try:
            unauthenticated.count(network, environ)
        except ApiError as above:
            raise (above if refusal.code in ("token_invalid", "rate_limited") else refusal) from None
        raise
    environ[USER_ID] = caller.id
    ours.rate_limits.address.count(network, environ)
    ours.rate_limits.token.count(caller.token_id, environ)
    environ[CALLER] = caller
    return caller


def authenticate_again(environ: Environ, ours: AuthServices) -> Caller:
    """Who calls, after a wait in which the token may have ended; raises ApiError."""
    environ[CALLER] = caller = ours.tokens.caller(_token_of(environ))
    return caller


def _token_of(environ: Environ) -> str:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError("token_missing", "Send Authorization: Bearer and the token.")
    return token.strip()


def may_grant(caller: Caller) -> frozenset[str]:
    """The scopes that the caller may give to a new token: his own, never more."""
    return caller.scopes | caller.unconfirmed_scopes


def actor(user_id: str | None = None) -> Actor:
    """Who acts in the current request, for the audit log: the caller, else the user that is given."""
    caller: Caller | None = g.get("caller")
    return Actor(
        caller.id if caller else user_id or NOBODY,
        caller.token_id if caller else None,
        request.environ[ADDRESS],
        request.environ[REQUEST_ID],
    )


def requires(*scopes: str, others: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: only for callers with one of these scopes. Outermost but for the route.

    `others` are the media types that it answers with beside JSON.
    """

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        takes_query = _takes_query(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = caller = authenticate(request.environ, current_app.extensions["gateway"])
            if caller.scopes.isdisjoint(scopes):
                if not caller.unconfirmed_scopes.isdisjoint(scopes):
                    raise ApiError("email_unconfirmed", "Confirm your e-mail address first; then money moves.")
                raise ApiError("scope_missing", f"This needs the scope {' or '.join(scopes)}.")
            if not takes_query:
                refuse_query()
            refuse_other_than_json(*others)
            return view(*args, **kwargs)

        guarded.scopes = frozenset(scopes)  # type: ignore[attr-defined]
        _document(guarded, security=[{"bearer": []}], **{"x-scopes": list(scopes)})
        return guarded

    return decorator


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: for everybody, without a token."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refuse_query()
        return view(*args, **kwargs)

    guarded.scopes = frozenset()  # type: ignore[attr-defined]
    _document(guarded, security=[])
    return guarded


def _takes_query(view: Callable[..., Any]) -> bool:
    declared = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    return any(parameter["in"] == "query" for parameter in declared)


def _document(view: Callable[..., Any], **members: Any) -> None:
    documented = dict(getattr(view, "_apidoc", {}))
    documented["manual_doc"] = {**documented.get("manual_doc", {}), **members}
    view._apidoc = documented  # type: ignore[attr-defined]
