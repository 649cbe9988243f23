"""Password hashing with argon2id; an unknown user costs as much time as a known one."""

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
"""OWASP's Password Storage Cheat Sheet, argon2id: at least 19 MiB, two iterations, one degree of parallelism."""

HASHES_AT_ONCE_MAX = 2
"""In a process: each takes its memory and a core, and the event loop needs one too."""

_turns = BoundedSemaphore(HASHES_AT_ONCE_MAX)

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)

_DUMMY_HASH = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"
"""Matches no password, and takes as long to verify as any other hash."""


def hash(password: str) -> str:
    """The argon2id hash of the password, as it is stored."""
    with _turns:
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether the password matches the stored hash; without a hash it takes as long, and does not match."""
    with _turns:
        is_match = _matches(stored or _DUMMY_HASH, password)
    return is_match and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with parameters other than the current ones."""
    return _hasher.check_needs_rehash(stored)


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except VerifyMismatchError:
        return False
