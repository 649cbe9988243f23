"""Passwords: kept as argon2id hashes, judged beside the loop, and as often for nobody as for somebody."""

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from gateway.http import gevent_support

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
"""OWASP's Password Storage Cheat Sheet, argon2id: at least 19 MiB, two iterations, one degree of parallelism."""

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)

_NOBODYS = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"
"""A hash of no password, which costs as much to try as any other."""


def hash(password: str) -> str:
    """What is kept of the password."""
    return gevent_support.run_in_thread(_hasher.hash, password)


def verify(kept: str | None, password: str) -> bool:
    """Whether the password is the one whose hash is kept: one verification, also where none is."""
    return gevent_support.run_in_thread(_is_right, _NOBODYS if kept is None else kept, password) and kept is not None


def needs_rehash(kept: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


def _is_right(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except VerifyMismatchError:
        return False
