"""Bearer tokens, and the callers they stand for."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from gateway.auth.rate_limit import too_many
from gateway.auth.revocation import TokenRevocations
from gateway.auth.scopes import ENROLMENT_SCOPES, GRANTABLE_SCOPES, MOVES_MONEY, possible_scopes
from gateway.http.errors import AUTHENTICATE, ApiError
from gateway.http.event_loop import run_in_thread
from models import token as tokens
from models.second_factor import MUST_HAVE_ONE
from models.session import POOL_SIZE, DatabaseUnavailable, Engine, statements

CACHE_SECONDS = 1.0
"""The time until every process rejects a revoked token if the notice is lost."""

CACHED_MAX = 10_000
"""Tokens that a process caches; above that it clears the cache."""

LOOKUPS_AT_ONCE_MAX = POOL_SIZE // 2
"""A thousand waiting requests may wake at once and authenticate again: they must not take every database connection."""

LOOKUP_WAIT_SECONDS_MAX = 5.0
"""A lookup that has to wait longer fails as if the database were unavailable."""

GUESS_SECONDS_MAX = 0.2
"""The wait for the single lookup of tokens from a network with too many invalid ones, so that a flood stays cheap."""


class Caller(NamedTuple):
    """The user of a request and the token's scopes; `unconfirmed_scopes` need a confirmed e-mail address.

    `id` and `role` are those of the user whose payments and wallets it is about; `person_id` is the user who signed in:
    another one, if they act for a merchant.
    `must_enrol`: the session may do nothing but set up a second factor. `must_prove`: what asks for the second factor
    again is refused until the session proves it; an API key never can.
    """

    id: str
    person_id: str
    role: str
    scopes: frozenset[str]
    token_id: str
    unconfirmed_scopes: frozenset[str] = frozenset()
    is_session: bool = False
    must_enrol: bool = False
    must_prove: bool = False
    member_role: str | None = None

    @property
    def merchant_id(self) -> str | None:
        """The merchant whom the person acts for; None if they act for themselves."""
        return None if self.id == self.person_id else self.id

    @property
    def reads_all(self) -> bool:
        """True if the caller may read payments, bulks and events of all users."""
        return "payments:read-all" in self.scopes


class TokenCache:
    """The callers of bearer tokens, read from the database at most once a second each."""

    def __init__(
        self, engine: Engine, notices: TokenRevocations, *, require_confirmation: bool, require_second_factor: bool
    ) -> None:
        self._engine = engine
        self._notices = notices
        self._require_confirmation = require_confirmation
        self._require_second_factor = require_second_factor
        self._cached: dict[bytes, tuple[float, Caller]] = {}
        self._evictions = 0
        self._lookups = threading.Semaphore(LOOKUPS_AT_ONCE_MAX)
        self._suspect_lookups = threading.Semaphore(1)
        self._lock = threading.Lock()
        notices.listen(self.forget, self.forget_all)

    def caller(self, token: str, is_suspect: Callable[[], bool] = lambda: False) -> Caller:
        """The caller of the token; raises ApiError or DatabaseUnavailable.

        A suspect token, unless it was valid here before, is looked up only while no other suspect one is.
        """
        hash = tokens.hash_of(token)
        cached = self._fresh(hash)
        if cached is not None:
            return cached
        return run_in_thread(self._looked_up, token, hash, is_suspect)

    def _looked_up(self, token: str, hash: bytes, is_suspect: Callable[[], bool]) -> Caller:
        if hash not in self._cached and is_suspect():
            if not self._suspect_lookups.acquire(timeout=GUESS_SECONDS_MAX):
                raise too_many(1)
            try:
                return self._bounded_lookup(token, hash)
            finally:
                self._suspect_lookups.release()
        return self._bounded_lookup(token, hash)

    def _bounded_lookup(self, token: str, hash: bytes) -> Caller:
        if not self._lookups.acquire(timeout=LOOKUP_WAIT_SECONDS_MAX):
            raise DatabaseUnavailable
        try:
            return self._fresh(hash) or self._read(token, hash)
        finally:
            self._lookups.release()

    def _fresh(self, hash: bytes) -> Caller | None:
        cached = self._cached.get(hash)
        return cached[1] if cached is not None and cached[0] > time.monotonic() else None

    def _read(self, token: str, hash: bytes) -> Caller:
        read_at, evictions = time.monotonic(), self._evictions
        try:
            caller = self._look_up(token, hash)
        except ApiError:
            self._cached.pop(hash, None)
            raise
        with self._lock:
            if len(self._cached) >= CACHED_MAX:
                self._cached.clear()
            if self._evictions == evictions:  # else this result may be stale
                self._cached[hash] = (read_at + CACHE_SECONDS, caller)
        return caller

    def forget(self, user_id: str) -> None:
        """Drop this user's tokens from the cache, and those of who acts for them."""
        with self._lock:
            self._evictions += 1
            self._cached = {hash: entry for hash, entry in self._cached.items() if user_id not in entry[1][:2]}

    def forget_all(self) -> None:
        """Clear the cache."""
        with self._lock:
            self._evictions += 1
            self._cached = {}

    def forget_everywhere(self, user_id: str) -> None:
        """Drop this user's tokens from the cache of every process; call it after the commit. Never raises."""
        self.forget(user_id)
        self._notices.publish(user_id)

    def _look_up(self, token: str, hash: bytes) -> Caller:
        """The caller of the token as the database has it; raises ApiError."""
        holder = None
        if tokens.is_well_formed(token):
            with statements(self._engine) as connection:
                holder = tokens.bearer(connection, hash)
        if holder is None:
            headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
            raise ApiError("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
        if not holder.is_active:
            raise ApiError("user_inactive", "This user has been deactivated.")
        scopes = possible_scopes(holder.role, holder.member_role)
        if holder.scopes is not None:
            scopes = (scopes | GRANTABLE_SCOPES) & holder.scopes
        unconfirmed_scopes = frozenset[str]()
        if self._require_confirmation and not holder.is_confirmed:
            unconfirmed_scopes = scopes & MOVES_MONEY
        is_required = self._require_second_factor and holder.role in MUST_HAVE_ONE
        must_enrol = is_required and holder.is_session and not holder.has_second_factor
        return Caller(
            holder.merchant_id or holder.user_id,
            holder.user_id,
            holder.role,
            ENROLMENT_SCOPES if must_enrol else scopes - unconfirmed_scopes,
            holder.token_id,
            unconfirmed_scopes,
            is_session=holder.is_session,
            must_enrol=must_enrol,
            must_prove=(is_required or holder.has_second_factor) and not holder.has_recent_second_factor,
            member_role=holder.member_role,
        )


def may_grant(caller: Caller) -> frozenset[str]:
    """The scopes that the caller may grant to a new token: at most their own."""
    return caller.scopes | caller.unconfirmed_scopes
