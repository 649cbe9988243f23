"""Encryption of the secrets of second factors: AES-256-GCM, bound to their user; keys are rotated by a list."""

import os
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import NamedTuple

NONCE_BYTES = 12
"""The size that GCM is made for; random ones may encrypt 2³² secrets with a key."""
HEX_DIGITS = 64


class Opened(NamedTuple):
    """A decrypted secret; `is_current` unless it was encrypted under an older key than the first."""

    secret: bytes
    is_current: bool


class SecretCipher:
    """Encrypts under the first key, decrypts under any; keys are 32 bytes in hexadecimal digits or base64."""

    def __init__(self, keys: Iterable[str]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 5 MB

        self._ciphers = [AESGCM(_key_bytes(key)) for key in keys]

    def seal(self, user_id: str, secret: bytes) -> bytes:
        """The secret encrypted for this user alone; raises LookupError without a key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, user_id.encode())

    def open(self, user_id: str, sealed: bytes) -> Opened:
        """The secret of this user; raises LookupError if no key opens it."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        for place, cipher in enumerate(self._ciphers):
            try:
                return Opened(cipher.decrypt(nonce, text, user_id.encode()), place == 0)
            except InvalidTag:
                continue
        raise LookupError("no key of SECOND_FACTOR_KEYS opens the secret of a second factor")


def _key_bytes(key: str) -> bytes:
    if len(key) == HEX_DIGITS:
        return bytes.fromhex(key)
    return urlsafe_b64decode(key.rstrip("=").replace("+", "-").replace("/", "_") + "=")
