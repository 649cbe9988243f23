"""Idempotency: the key of a request, its fingerprint, and the stored result of an earlier one."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.http.errors import ApiError
from models import idempotency
from models.idempotency import StoredKey
from models.session import Connection

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


def find_replay(connection: Connection, claim: tuple[str, str], fingerprint: bytes) -> StoredKey | None:
    """The record of the same request under its (user id, key); raises ApiError if the key was used for another.

    The fingerprint includes the path, so the record is always of what this route creates.
    """
    stored = idempotency.find(connection, [claim]).get(claim)
    if stored is not None and stored.fingerprint != fingerprint:
        raise ApiError("idempotency_key_reused", "You used this key for another request.")
    return stored
