"""The JSON of users, sessions and API keys, and what several identity routes share."""

import math
from typing import Any

from flask import Response, g, request

from gateway.auth.guards import actor
from gateway.auth.scopes import GRANTABLE_SCOPES
from gateway.http.blueprint import no_content
from gateway.http.errors import ApiError, not_found
from gateway.http.found import path_id
from gateway.services import services
from models import audit, login_throttle, token
from models.login_throttle import Subject
from models.ops_user import ENDED
from models.representations import iso
from models.session import Connection, transaction
from models.token import TokenRecord
from models.user import User

USER_AGENT_LENGTH_MAX = 200


def user_body(user: User) -> dict[str, Any]:
    """The user, as shown to that user and to ops."""
    return {
        "id": user.id,
        "role": user.role,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "phone_number": user.phone_number,
        "name": user.name,
        "url": user.url,
        "is_active": user.is_active,
        "email_confirmed": user.is_confirmed,
        "created_at": user.created_at.isoformat(),
    }


def session_body(session: TokenRecord, *, is_current: bool) -> dict[str, Any]:
    """The session, as shown to its owner."""
    return {
        "id": session.id,
        "prefix": session.prefix,
        "last4": session.last4,
        "address": session.address,
        "user_agent": session.user_agent,
        "created_at": session.created_at.isoformat(),
        "expires_at": iso(session.expires_at),
        "last_used_at": iso(session.last_used_at),
        "idle_minutes": session.idle_minutes,
        "second_factor_at": iso(session.second_factor_at),
        "merchant": session.merchant_id,
        "is_current": is_current,
    }


def api_key_body(key: TokenRecord, possible: frozenset[str]) -> dict[str, Any]:
    """The API key of a user who may have these scopes, as shown to its owner; the scopes are those in effect."""
    scopes = possible if key.scopes is None else (possible | GRANTABLE_SCOPES) & set(key.scopes)
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "last4": key.last4,
        "scopes": sorted(scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": iso(key.expires_at),
        "last_used_at": iso(key.last_used_at),
        "replaced_by": key.replaced_by,
    }


def count_login_attempt(connection: Connection, subject: Subject) -> None:
    """Count an attempt before the password is verified; raises ApiError while the subject has to wait."""
    wait_seconds = login_throttle.count_attempt(connection, subject)
    if wait_seconds:
        headers = {"Retry-After": str(math.ceil(wait_seconds))}
        raise ApiError("login_throttled", "Too many wrong attempts; wait before the next one.", headers=headers)


def revoke_all(connection: Connection, user_id: str, kind: str, *, but: str | None = None) -> None:
    """Revoke all of the user's tokens of that kind except `but`, and write which ones to the audit log."""
    ended = token.revoke(connection, user_id, kind, but=but)
    if ended:
        audit.note(connection, actor(user_id), ENDED[kind], user_id, after={"ended": ended})


def revoke_one(kind: str, id: str) -> Response:
    """Revoke one of the tokens of that kind of the person who calls, everywhere; raises ApiError not_found."""
    with transaction(services().engine) as connection:
        if not token.revoke(connection, g.caller.person_id, kind, path_id(id)):
            raise not_found()
        audit.note(connection, actor(), ENDED[kind], id)
    services().tokens.forget_everywhere(g.caller.person_id)
    return no_content()


def user_agent() -> str | None:
    """The caller's User-Agent, cut to what is safe to display; None if there is none."""
    header = request.headers.get("User-Agent", "")
    return "".join(character for character in header if character.isprintable())[:USER_AGENT_LENGTH_MAX].strip() or None
