"""Signed cursors, opaque to clients: of lists, and of the event feed."""

import hashlib
from typing import Any

from itsdangerous import BadData, BadSignature, URLSafeSerializer, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from gateway.http.errors import ApiError
from gateway.http.page_fields import CURSOR_LENGTH_MAX


class CursorSigner:
    """Signs positions in a list; a cursor is accepted for `seconds_max`, or without a limit if that is None.

    Each kind of list has its own `salt`, so that a cursor of one kind is refused by another.
    """

    def __init__(self, secret_key: str, salt: str, seconds_max: int | None = None) -> None:
        serializer_class = URLSafeSerializer if seconds_max is None else URLSafeTimedSerializer
        signer_kwargs = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._serializer: Any = serializer_class(secret_key, salt=salt, signer_kwargs=signer_kwargs)
        self._age = {} if seconds_max is None else {"max_age": seconds_max}

    def encode(self, *values: Any) -> str:
        """A cursor that contains the values."""
        text: str = self._serializer.dumps(values)
        return text

    def decode(self, cursor: str) -> list[Any]:
        """The values of a cursor; raises ApiError for one that was changed, or is too old."""
        try:
            if len(cursor) > CURSOR_LENGTH_MAX:
                raise BadSignature("too long")
            _check_canonical(cursor)
            values: list[Any] = self._serializer.loads(cursor, **self._age)
        except BadData:
            limit = ", within a day" if self._age else ""
            raise ApiError("bad_cursor", f"Use a cursor exactly as received{limit}.") from None
        return values


def _check_canonical(cursor: str) -> None:
    """Raise BadSignature for base64 that is padded, or has unused bits set; a leading dot marks compression."""
    for part in cursor.removeprefix(".").split("."):
        if base64_encode(base64_decode(part)).decode() != part:
            raise BadSignature("not canonical")
