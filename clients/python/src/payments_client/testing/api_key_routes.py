"""API keys of the fake."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx

from payments_client.model import time_of
from payments_client.testing.books import Books
from payments_client.testing.identity_routes import own_tokens, revoke
from payments_client.testing.people import Token, now
from payments_client.testing.problems import Refused
from payments_client.testing.queries import listed
from payments_client.testing.routing import Asked, answers
from payments_client.testing.views import iso

OVERLAP_SECONDS = 86_400


def api_key_json(key: Token) -> dict[str, Any]:
    """An API key, without its token."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.text[:8],
        "last4": key.text[-4:],
        "scopes": sorted(key.in_effect),
        "created_at": key.created_at.isoformat(),
        "expires_at": iso(key.expires_at),
        "last_used_at": iso(key.last_used_at),
        "replaced_by": key.replaced_by,
    }


@answers("create_api_key")
def create_api_key(books: Books, asked: Asked) -> httpx.Response:
    """A new API key, with no more scopes than the token that asks."""
    scopes, expires_at = asked.body.get("scopes", asked.token.scopes), asked.body.get("expires_at")
    if not asked.token.in_effect.issuperset(scopes or ()):
        raise Refused(403, "scope_missing")
    until = time_of(expires_at) if expires_at else None
    if until and until <= now():
        raise Refused(422, "invalid_value", "/expires_at")
    return _new_key(books, asked, asked.body["name"], scopes, until)


def _new_key(
    books: Books, asked: Asked, name: str | None, scopes: list[str] | None, expires_at: datetime | None
) -> httpx.Response:
    key = Token(asked.user, "api_key", name, scopes, expires_at)
    books.tokens[key.text] = key
    return httpx.Response(201, json={**api_key_json(key), "token": key.text})


@answers("list_api_keys")
def list_api_keys(books: Books, asked: Asked) -> httpx.Response:
    """The caller's valid API keys, the newest first."""
    return listed(asked, [api_key_json(key) for key in own_tokens(books, asked.user, "api_key")])


@answers("roll_api_key")
def roll_api_key(books: Books, asked: Asked, id: str) -> httpx.Response:
    """The successor of an API key, which ends after the overlap."""
    old = next((key for key in own_tokens(books, asked.user, "api_key") if key.id == id), None)
    if old is None:
        raise Refused(404, "not_found")
    if old.replaced_by:
        raise Refused(409, "api_key_replaced")
    answer = _new_key(books, asked, old.name, old.scopes, old.expires_at)
    old.replaced_by = answer.json()["id"]
    end = now() + timedelta(seconds=asked.body.get("overlap_seconds", OVERLAP_SECONDS))
    old.expires_at = min(old.expires_at or end, end)
    return answer


@answers("delete_api_key")
def revoke_api_key(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's API keys is no more."""
    return revoke(books, asked, "api_key", id)
