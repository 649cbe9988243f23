"""Bearer tokens, and the callers they stand for."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from gateway.auth.rate_limit import too_many
from gateway.auth.revocation import TokenRevocations
from gateway.auth.scopes import GRANTABLE_SCOPES, MOVES_MONEY, SCOPES
from gateway.http.errors import AUTHENTICATE, ApiError
from models import token as tokens
from models.session import POOL_SIZE, DatabaseAway, Engine, statements

CACHE_SECONDS = 1.0
"""A revoked token is refused in every process after so long, should the notice of it be lost."""

CACHED_MAX = 10_000
"""Tokens a process remembers; past that it forgets them all and asks again."""

ASKED_AT_ONCE_MAX = POOL_SIZE // 2
"""A thousand who waited wake at once, and are asked again: they must not take every line to the database."""

TURN_SECONDS_MAX = 5.0
"""Who is not asked for by then is told that the database is away."""

GUESS_SECONDS_MAX = 0.2
"""So long a token waits to be looked up alone, from where too many were wrong: no flood of them fills a process."""

REVOKED = "revoked"
"""The subject of the notices that name a user whose tokens are to be asked for again."""


class Caller(NamedTuple):
    """Who calls, and what the token lets them do; `unconfirmed_scopes` is what it will once the user has confirmed."""

    id: str
    role: str
    scopes: frozenset[str]
    token_id: str
    unconfirmed_scopes: frozenset[str] = frozenset()

    @property
    def reads_all(self) -> bool:
        """Whether payments, bulks and events of everybody."""
        return "payments:read-all" in self.scopes


class TokenCache:
    """Bearer tokens to callers, asked of the database at most once a second each."""

    def __init__(self, engine: Engine, notices: TokenRevocations, *, require_confirmation: bool) -> None:
        self._engine = engine
        self._notices = notices
        self._require_confirmation = require_confirmation
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._times_forgotten = 0
        self._turns = threading.Semaphore(ASKED_AT_ONCE_MAX)
        self._guesses = threading.Semaphore(1)
        self._lock = threading.Lock()
        notices.listen(REVOKED, self.forget, self.forget_all)

    def caller(self, token: str, is_guess: Callable[[], bool] = lambda: False) -> Caller:
        """Who holds the token; raises ApiError or DatabaseAway.

        One that may be a guess is looked up when no other such is, unless it was good here before.
        """
        hash = tokens.hash_of(token)
        known = self._remembered(hash)
        if known is not None:
            return known
        if hash not in self._known and is_guess():
            if not self._guesses.acquire(timeout=GUESS_SECONDS_MAX):
                raise too_many(1)
            try:
                return self._in_turn(token, hash)
            finally:
                self._guesses.release()
        return self._in_turn(token, hash)

    def _in_turn(self, token: str, hash: bytes) -> Caller:
        if not self._turns.acquire(timeout=TURN_SECONDS_MAX):
            raise DatabaseAway
        try:
            return self._remembered(hash) or self._asked(token, hash)
        finally:
            self._turns.release()

    def _remembered(self, hash: bytes) -> Caller | None:
        known = self._known.get(hash)
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def _asked(self, token: str, hash: bytes) -> Caller:
        asked_at, times_forgotten = time.monotonic(), self._times_forgotten
        try:
            caller = self._look_up(token, hash)
        except ApiError:
            self._known.pop(hash, None)
            raise
        with self._lock:
            if len(self._known) >= CACHED_MAX:
                self._known.clear()
            if self._times_forgotten == times_forgotten:  # else this may be what was to be forgotten
                self._known[hash] = (asked_at + CACHE_SECONDS, caller)
        return caller

    def forget(self, user_id: str) -> None:
        """Ask the database again for this user's tokens."""
        with self._lock:
            self._times_forgotten += 1
            self._known = {hash: known for hash, known in self._known.items() if known[1].id != user_id}

    def forget_all(self) -> None:
        """Ask the database again for every token."""
        with self._lock:
            self._times_forgotten += 1
            self._known = {}

    def forget_everywhere(self, user_id: str) -> None:
        """Ask again for this user's tokens in every process; after the commit that changed them. Never raises."""
        self.forget(user_id)
        self._notices.tell(REVOKED, user_id)

    def _look_up(self, token: str, hash: bytes) -> Caller:
        """Who holds the token, by the database; raises ApiError."""
        holder = None
        if tokens.is_well_formed(token):
            with statements(self._engine) as connection:
                holder = tokens.bearer(connection, hash)
        if holder is None:
            headers = {"WWW-Authenticate": f'{AUTHENTICATE}, error="invalid_token"'}
            raise ApiError("token_invalid", "The token is unknown, expired or revoked.", headers=headers)
        if not holder.is_active:
            raise ApiError("user_inactive", "This user has been deactivated.")
        scopes = SCOPES[holder.role]
        if holder.scopes is not None:
            scopes = (scopes | GRANTABLE_SCOPES) & holder.scopes
        unconfirmed_scopes = frozenset[str]()
        if self._require_confirmation and not holder.is_confirmed:
            unconfirmed_scopes = scopes & MOVES_MONEY
        return Caller(holder.user_id, holder.role, scopes - unconfirmed_scopes, holder.token_id, unconfirmed_scopes)


def may_grant(caller: Caller) -> frozenset[str]:
    """The scopes that the caller may give to a new token: his own, never more."""
    return caller.scopes | caller.unconfirmed_scopes
