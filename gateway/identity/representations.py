"""How people, sessions and API keys look to their owner, and what several routes do to them."""

import math
from datetime import datetime
from typing import Any

from flask import request

from gateway.auth.tokens import GRANTABLE_SCOPES, SCOPES, actor
from gateway.http.errors import ApiError
from models import audit, login_throttle, token
from models.login_throttle import Subject
from models.session import Connection
from models.token import TokenRecord
from models.user import User

USER_AGENT_LENGTH_MAX = 200


def user_body(user: User) -> dict[str, Any]:
    """The user as he sees himself."""
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


def session_body(kept: TokenRecord, *, is_current: bool) -> dict[str, Any]:
    """The session as its owner sees it."""
    return {
        "id": kept.id,
        "prefix": kept.prefix,
        "last4": kept.last4,
        "address": kept.address,
        "user_agent": kept.user_agent,
        "created_at": kept.created_at.isoformat(),
        "expires_at": _moment(kept.expires_at),
        "last_used_at": _moment(kept.last_used_at),
        "is_current": is_current,
    }


def api_key_body(kept: TokenRecord, role: str) -> dict[str, Any]:
    """The API key of a user with this role, as he sees it; its scopes are those it has in effect."""
    scopes = SCOPES[role] if kept.scopes is None else (SCOPES[role] | GRANTABLE_SCOPES) & set(kept.scopes)
    return {
        "id": kept.id,
        "name": kept.name,
        "prefix": kept.prefix,
        "last4": kept.last4,
        "scopes": sorted(scopes),
        "created_at": kept.created_at.isoformat(),
        "expires_at": _moment(kept.expires_at),
        "last_used_at": _moment(kept.last_used_at),
        "replaced_by": kept.replaced_by,
    }


def _moment(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def count_login_attempt(connection: Connection, subject: Subject) -> None:
    """Count a guess at a password before it is judged; raises ApiError while the subject has to wait."""
    wait_seconds = login_throttle.count_attempt(connection, subject)
    if wait_seconds:
        headers = {"Retry-After": str(math.ceil(wait_seconds))}
        raise ApiError("login_throttled", "Too many wrong passwords; wait before the next.", headers=headers)


ENDED = {token.SESSION: "sessions.end", token.API_KEY: "api_keys.end"}
"""Kind of token to what the audit log says of its end."""


def revoke_all(connection: Connection, user_id: str, kind: str, *, but: str | None = None) -> None:
    """End all tokens of that kind that the user has (all but one), and note which."""
    ended = token.revoke(connection, user_id, kind, but=but)
    if ended:
        audit.note(connection, actor(user_id), ENDED[kind], user_id, after={"ended": ended})


def user_agent() -> str | None:
    """What the caller says that it is, fit to be shown."""
    given = request.headers.get("User-Agent", "")
    return "".join(character for character in given if character.isprintable())[:USER_AGENT_LENGTH_MAX].strip() or None
