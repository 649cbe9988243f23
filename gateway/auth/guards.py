"""Authentication of a request, and the decorators that state who may call a route."""

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, Protocol

from flask import current_app, g, request

from gateway.auth.rate_limit import RateLimits
from gateway.auth.tokens import Caller, TokenCache
from gateway.http.access_log import ADDRESS, CALLER, NETWORK, REQUEST_ID, USER_ID, Environ
from gateway.http.errors import ApiError
from gateway.http.parsing import refuse_other_than_json, refuse_query
from models.audit import Actor

UNAUTHENTICATED = "nobody"
"""The actor of an unauthenticated request in the audit log."""


class AuthServices(Protocol):
    """The services that authentication needs."""

    @property
    def tokens(self) -> TokenCache: ...

    @property
    def rate_limits(self) -> RateLimits: ...


def authenticate(environ: Environ, services: AuthServices) -> Caller:
    """The caller by the Authorization header, determined once per request; raises ApiError.

    Failures are counted apart from requests with a valid token; above that limit an invalid token is answered with 429,
    a missing one still with 401.
    """
    if CALLER in environ:
        caller: Caller = environ[CALLER]
        return caller
    network, unauthenticated = environ[NETWORK], services.rate_limits.unauthenticated
    try:
        caller = services.tokens.caller(_token_of(environ), partial(unauthenticated.is_exhausted, network))
    except ApiError as error:
        try:
            unauthenticated.count(network, environ)
        except ApiError as limit_error:
            raise (limit_error if error.code in ("token_invalid", "rate_limited") else error) from None
        raise
    environ[USER_ID] = caller.person_id
    services.rate_limits.address.count(network, environ)
    services.rate_limits.token.count(caller.token_id, environ)
    environ[CALLER] = caller
    return caller


def authenticate_again(environ: Environ, services: AuthServices) -> Caller:
    """The caller after a wait in which the token may have been revoked; raises ApiError."""
    environ[CALLER] = caller = services.tokens.caller(_token_of(environ))
    return caller


def _token_of(environ: Environ) -> str:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError("token_missing", "Send Authorization: Bearer with a token.")
    return token.strip()


def actor(user_id: str | None = None) -> Actor:
    """The actor of the current request for the audit log: the person who calls, else this user."""
    caller: Caller | None = g.get("caller")
    return Actor(
        caller.person_id if caller else user_id or UNAUTHENTICATED,
        caller.token_id if caller else None,
        request.environ[ADDRESS],
        request.environ[REQUEST_ID],
    )


def requires(
    *scopes: str, others: Sequence[str] = (), second_factor: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: only callers with one of these scopes may call. Outermost except for the route.

    `others` are the media types of its responses besides JSON. With `second_factor` a session of a user who has, or
    must have, a second factor must have proved it recently.
    """

    def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
        takes_query = _takes_query(view)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = caller = authenticate(request.environ, current_app.extensions["gateway"])
            if caller.scopes.isdisjoint(scopes):
                if caller.must_enrol:
                    raise ApiError(
                        "second_factor_enrolment_required", "Set up a second factor: POST /v1/second-factor."
                    )
                if not caller.unconfirmed_scopes.isdisjoint(scopes):
                    raise ApiError("email_unconfirmed", "Confirm your e-mail address before moving money.")
                raise ApiError("scope_missing", f"This needs the scope {' or '.join(scopes)}.")
            if second_factor and caller.must_prove:
                require_session(caller)
                raise ApiError("second_factor_expired", "Send a code to POST /v1/sessions/current/second-factor.")
            if not takes_query:
                refuse_query()
            refuse_other_than_json(*others)
            return view(*args, **kwargs)

        guarded.scopes = frozenset(scopes)  # type: ignore[attr-defined]
        asked_again = {"x-second-factor": True} if second_factor else {}
        _document(guarded, security=[{"bearer": []}], **{"x-scopes": list(scopes)}, **asked_again)
        return guarded

    return decorator


def require_session(caller: Caller) -> None:
    """Refuse an API key, which has no second factor; raises ApiError."""
    if not caller.is_session:
        raise ApiError("session_required", "An API key cannot do this: sign in.")


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the route needs no token."""

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
