"""Which request is the same as an earlier one: the Idempotency-Key and the fingerprint."""

import hashlib
import json
import re

from flask import request

from gateway.errors import Refusal
from gateway.parsing import body_of_request

_BARE = re.compile(r"[\x21\x23-\x7e][\x21-\x7e]{0,254}", re.ASCII)
_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"', re.ASCII)

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def key_of_request() -> str:
    """The Idempotency-Key: 1 to 255 visible ASCII characters, bare or quoted (then \\" and \\\\ stand for " and \\)."""
    given = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        raise Refusal("idempotency_key_missing", "Send Idempotency-Key with every order.")
    if _BARE.fullmatch(given):
        return given
    quoted = _QUOTED.fullmatch(given)
    if quoted is None:
        raise Refusal("idempotency_key_invalid", "1 to 255 visible ASCII characters, bare or quoted.")
    return re.sub(r"\\(.)", r"\1", quoted[1])


def fingerprint_of_request() -> bytes:
    """SHA-256 over what is asked; white space and the order of members do not matter."""
    asked = f"{request.method} {request.path}\n{_canonical(body_of_request())}"
    return hashlib.sha256(asked.encode()).digest()
