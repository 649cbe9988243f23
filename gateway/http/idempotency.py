"""Which request is the same as an earlier one: the Idempotency-Key and the fingerprint."""

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
"""Without a comma: that is how a server joins two headers of one name."""
_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"', re.ASCII)

_NULL = ":null"
"""How a member that is null ends in the canonical form; a text may have it, too."""

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def idempotency_key(environ: Mapping[str, Any]) -> str:
    """The Idempotency-Key: 1 to 255 visible ASCII characters, bare or quoted (then \\" and \\\\ stand for " and \\)."""
    given = environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        raise ApiError("idempotency_key_missing", "Send Idempotency-Key with every order.")
    if _BARE.fullmatch(given):
        return given
    quoted = _QUOTED.fullmatch(given)
    if quoted is None:
        raise ApiError(
            "idempotency_key_invalid", "One header of 1 to 255 visible ASCII characters, quoted if there is a comma."
        )
    return re.sub(r"\\(.)", r"\1", quoted[1])


def request_fingerprint(path: str, given: Any) -> bytes:
    """SHA-256 over the POST of a parsed body; white space, the order of members and null ones do not matter."""
    told = _canonical(given)
    if _NULL in told:
        told = _canonical(_without_nulls(given))
    return hashlib.sha256(f"POST {path}\n{told}".encode()).digest()


def _without_nulls(given: Any) -> Any:
    """Null means absent wherever a key is taken: see Input."""
    if isinstance(given, dict):
        return {name: _without_nulls(value) for name, value in given.items() if value is not None}
    return [_without_nulls(item) for item in given] if isinstance(given, list) else given


def find_replay(connection: Connection, claim: tuple[str, str], fingerprint: bytes) -> StoredKey | None:
    """What this very request kept before under its (user id, key); raises ApiError if the key stands for another.

    The fingerprint is of the path, too: what it kept is what its route makes.
    """
    kept = idempotency.find(connection, [claim]).get(claim)
    if kept is not None and kept.fingerprint != fingerprint:
        raise ApiError("idempotency_key_reused", "This key stands for another request of yours.")
    return kept
