"""Who may call what: bearer tokens, roles, scopes, and the decorator that declares them on every route."""

import threading
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, Protocol

from flask import current_app, g, request

from gateway.envelope import FAULT, USER_ID
from gateway.errors import AUTHENTICATE, Refusal
from gateway.parsing import refuse_other_than_json, refuse_query
from models import tokens
from models.session import Engine, statements
from models.user import Role

EVERYBODY = frozenset({"payments:read", "wallets:read", "currencies:read"})
CUSTOMER = EVERYBODY | {"wallets:write", "transfers:write", "deposits:own"}

SCOPES: dict[str, frozenset[str]] = {
    Role.CLIENT: CUSTOMER,
    Role.MERCHANT: CUSTOMER | {"charges:write"},
    Role.OPS: EVERYBODY | {"deposits:write", "payments:read-all", "wallets:read-all"},
    Role.AUDITOR: EVERYBODY | {"payments:read-all", "wallets:read-all"},
}
"""Role to what its tokens may do; the scopes of a token narrow it."""

BY_TOKEN = frozenset({"deposits:write"})
"""What a role need not have for one of its tokens to be given it: bringing in money from outside."""

CACHE_SECONDS = 1.0
"""A revoked token is refused in every process after so long."""

CACHED_MAX = 10_000
"""Tokens a process remembers; past that it forgets them all and asks again."""


class Caller(NamedTuple):
    """Who calls, and what the token lets them do."""

    id: str
    role: str
    scopes: frozenset[str]


class Tokens:
    """Bearer tokens to callers, asked of the database at most once a second each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._lock = threading.Lock()

    def caller(self, token: str) -> Caller:
        """Who holds the token; raises Refusal."""
        hash = tokens.hash_of(token)
        known = self._known.get(hash)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        asked_at = time.monotonic()
        caller = self._look_up(token, hash)
        with self._lock:
            if len(self._known) >= CACHED_MAX:
                self._known.clear()
            self._known[hash] = (asked_at + CACHE_SECONDS, caller)
        return caller

    def _look_up(self, token: str, hash: bytes) -> Caller:
        """Who holds the token, by the database; raises Refusal."""
        holder = None
        if tokens.is_well_formed(token):
            with statements(self._engine) as connection:
                holder = tokens.bearer(connection, hash)
        if holder is None:
            headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
            raise Refusal("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
        if not holder.is_active:
            raise Refusal("user_inactive", "This user has been deactivated.")
        scopes = SCOPES[holder.role]
        if holder.scopes is not None:
            scopes = (scopes | BY_TOKEN) & holder.scopes
        return Caller(holder.user_id, holder.role, scopes)


class HasTokens(Protocol):
    """Whoever knows the tokens of this process."""

    @property
    def tokens(self) -> Tokens: ...


def authenticate(environ: Mapping[str, Any], ours: HasTokens) -> Caller:
    """Who calls, by the Authorization header alone; raises Refusal."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refusal("token_missing", "Send Authorization: Bearer and the token.")
    return ours.tokens.caller(token.strip())


def requires(*scopes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: only for callers with one of these scopes. Outermost but for the route."""

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        takes_query = _takes_query(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if FAULT in request.environ:
                raise request.environ[FAULT]
            g.caller = caller = authenticate(request.environ, current_app.extensions["gateway"])
            request.environ[USER_ID] = caller.id
            if caller.scopes.isdisjoint(scopes):
                raise Refusal("scope_missing", f"This needs the scope {' or '.join(scopes)}.")
            if not takes_query:
                refuse_query()
            refuse_other_than_json()
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
