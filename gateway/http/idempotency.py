"""Idempotency: the key of a request, its fingerprint, and the stored result of an earlier one."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import g, request

from gateway.http.errors import ApiError
from gateway.http.parsing import body_of_request
from models import idempotency
from models.session import Connection, Contention

REPLAYED = {"Idempotent-Replayed": "true"}
"""The header of a response to a request that was answered before."""

_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x7e][\x21-\x2b\x2d-\x7e]{0,254}", re.ASCII)
"""No comma: a server joins two headers of one name with it."""
_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"', re.ASCII)

_NULL = ":null"
"""The end of a null member in the canonical form; a text may contain it too."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def idempotency_key(environ: Mapping[str, Any]) -> str:
    """The Idempotency-Key: 1 to 255 visible ASCII characters, bare or quoted (then \\" and \\\\ stand for " and \\)."""
    header = environ.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        raise ApiError("idempotency_key_missing", "Send an Idempotency-Key with this request.")
    if _BARE.fullmatch(header):
        return header
    quoted = _QUOTED.fullmatch(header)
    if quoted is None:
        raise ApiError(
            "idempotency_key_invalid", "One header of 1 to 255 visible ASCII characters, quoted if there is a comma."
        )
    return re.sub(r"\\(.)", r"\1", quoted[1])


def request_fingerprint(path: str, body: Any) -> bytes:
    """SHA-256 of a POST with this parsed body; white space, the order of members and null members do not matter."""
    text = _canonical(body)
    if _NULL in text:
        text = _canonical(_without_nulls(body))
    return hashlib.sha256(f"POST {path}\n{text}".encode()).digest()


def _without_nulls(value: Any) -> Any:
    """The value without null members: on every route with a key, null means absent (see Input)."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


class RequestKey(NamedTuple):
    """The Idempotency-Key of a user's request, and the fingerprint of that request."""

    user_id: str
    key: str
    fingerprint: bytes


def request_key() -> RequestKey:
    """The key of the caller's request; raises ApiError."""
    fingerprint = request_fingerprint(request.path, body_of_request())
    return RequestKey(g.caller.id, idempotency_key(request.environ), fingerprint)


def key_reused() -> ApiError:
    """The error for a key that was used for another request."""
    return ApiError("idempotency_key_reused", "You used this key for another request.")


def find_replay(connection: Connection, key: RequestKey | None) -> str | None:
    """The id of what the same request created before; raises ApiError if its key was used for another request.

    The fingerprint includes the path, so it is always an id of what this route creates.
    """
    if key is None:
        return None
    stored = idempotency.find(connection, [key[:2]]).get(key[:2])
    if stored is not None and stored.fingerprint != key.fingerprint:
        raise key_reused()
    return stored and stored.object_id


def find_concurrent(connection: Connection, key: RequestKey) -> str:
    """The id of what a concurrent request with the same key has committed; raises ApiError or Contention."""
    id = find_replay(connection, key)
    if id is None:
        raise Contention
    return id


def keep_key(connection: Connection, key: RequestKey | None, **created: Any) -> str | None:
    """Store the key for what is about to be created, or return the id of what a concurrent request created.

    Call it after all that may refuse the request. `created` are columns by name, the id among them. Raises ApiError or
    Contention.
    """
    if key is None or idempotency.keep(connection, *key, **created):
        return None
    return find_concurrent(connection, key)
