"""Where reads go: to the replica, once it has replayed what the client wrote, else to the primary."""

import hashlib
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import metrics
from gateway.http.grouped_calls import GroupedCalls
from models import replica
from models.circuit_breaker import CircuitBreaker
from models.replica import ReplicaState, ReplicaUnusable
from models.session import (
    Connection,
    Contention,
    DatabaseUnavailable,
    Engine,
    StatementTimeout,
    begin_again,
    statements,
    transaction,
)

WAIT_SECONDS_MAX = 0.2
"""How long a read waits for the replica before the primary answers."""

SAMPLE_SECONDS = 1.0
"""How often the primary is asked for its position while there are reads."""

RETRY_SECONDS = 2.0
"""How long a replica that is away or behind is left alone; then one read tries it, and the others go on elsewhere."""

POSITION_DIGITS, MAC_DIGITS = 16, 12
"""Hexadecimal digits of a token's position, and of what proves that it is ours."""

REPLICA, PRIMARY = "replica", "primary"
FRESH, WAITED = "fresh", "waited"
REASONS = ("away", "promoted", "behind", "failed", "token_late", "token_future", "token_unreadable", "as_before")
"""Why the primary answers; the last one: an earlier read of the same request was answered there."""

LASTING = frozenset({"away", "promoted", "behind"})
"""Reasons that hold for the next read, too."""

Result = TypeVar("Result")
Read = Callable[[Connection], Result]


class ConsistencyTokens:
    """Positions in the primary's log as texts for clients; the greater text is the later position."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha256(f"consistency of {secret_key}".encode()).digest()

    def encode(self, position: int) -> str:
        """The token of a position."""
        text = f"{position:0{POSITION_DIGITS}x}"
        return text + hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:MAC_DIGITS]

    def decode(self, token: str) -> int | None:
        """The position of a token; None for one that is not ours."""
        try:
            position = int(token[:POSITION_DIGITS], 16)
            is_ours = hmac.compare_digest(token, self.encode(position))
        except (ValueError, TypeError):
            return None
        return position if is_ours else None


class Reads:
    """Chooses where a read goes, and tells the positions of writes; without a replica all go to the primary."""

    def __init__(self, primary: Engine, standby: Engine | None, secret_key: str, lag_seconds_max: int) -> None:
        self._primary = primary
        self._standby = standby
        self._tokens = ConsistencyTokens(secret_key)
        self._lag_seconds_max = lag_seconds_max
        self._newest = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        self._sampled_at = float("-inf")
        self._breaker = CircuitBreaker(RETRY_SECONDS)
        self._fault = ""
        self._calls = GroupedCalls[None, str | None]("consistency", self._tell)
        if standby is not None:
            metrics.preset(metrics.READS, (REPLICA,), (FRESH, WAITED))
            metrics.preset(metrics.READS, (PRIMARY,), REASONS)

    def token(self) -> str | None:
        """As `written`; calls at the same time share a statement. None if the primary is away, too."""
        return None if self._standby is None else self._calls.ask(None)

    def written(self, connection: Connection) -> str | None:
        """The token of all that was committed before, by a connection to the primary; None without a replica."""
        return None if self._standby is None else self._tokens.encode(self._note(connection))

    def close(self) -> None:
        """Close the connections to the replica."""
        if self._standby is not None:
            self._standby.dispose()

    def reader(self, token: str | None) -> "Reader":
        """The reads of a request with this token."""
        return Reader(self, token)

    def state(self) -> ReplicaState | None:
        """The replica as it is now; None without one."""
        if self._standby is None:
            return None
        name, least = replica.name_of(self._standby.url), self._least()
        if self._breaker.is_open:
            return ReplicaState(name, self._fault)
        try:
            with replica.reading(self._standby) as connection:
                reached = replica.replayed(connection)
        except ReplicaUnusable as error:
            return ReplicaState(name, error.reason)
        with self._lock:
            seconds = max((time.monotonic() - at for at, position in self._samples if position > reached), default=0.0)
        return ReplicaState(name, "behind" if reached < least else "ok", max(0, self._newest - reached), seconds)

    def position_of(self, token: str) -> int:
        """The position of a token; raises ReplicaUnusable."""
        position = self._tokens.decode(token)
        if position is None:
            raise ReplicaUnusable("token_unreadable")
        if position > self._newest:
            with suppress(DatabaseUnavailable, Contention, StatementTimeout):
                self._sample()
            if position > self._newest:
                raise ReplicaUnusable("token_future")
        return position

    def on_replica(
        self, read: Read[Result], token: str | None, seen: int, *, in_transaction: bool
    ) -> tuple[Result, int]:
        """The result, and a position that it has; `seen` is that of an earlier one. Raises ReplicaUnusable."""
        if self._standby is None:
            raise ReplicaUnusable("")
        wanted = max(seen, self.position_of(token) if token else 0)
        if self._breaker.is_open:
            raise ReplicaUnusable(self._fault)
        if self._fault:
            self._breaker.open()
        try:
            with replica.reading(self._standby) as connection:
                reached, place = self._caught_up(connection, wanted)
                if in_transaction:
                    begin_again(connection)
                result = read(connection)
        except ReplicaUnusable as error:
            if error.reason in LASTING:
                self._fault = error.reason
                self._breaker.open()
            raise
        self._fault = ""
        metrics.READS.labels(REPLICA, place).inc()
        return result, reached

    def on_primary(self, read: Read[Result], reason: str, *, in_transaction: bool) -> Result:
        """The result, and `reason` counted."""
        if reason:
            metrics.READS.labels(PRIMARY, reason).inc()
        with (transaction if in_transaction else statements)(self._primary) as connection:
            return read(connection)

    def _caught_up(self, connection: Connection, wanted: int) -> tuple[int, str]:
        """The replica's position, once it has what is wanted, and whether that took a wait; raises ReplicaUnusable."""
        least = self._least()
        reached = replica.replayed(connection)
        if reached >= max(least, wanted):
            return reached, FRESH
        reached = replica.wait_until_replayed(connection, max(least, wanted), WAIT_SECONDS_MAX)
        if reached < least:
            raise ReplicaUnusable("behind")
        if reached < wanted:
            raise ReplicaUnusable("token_late")
        return reached, WAITED

    def _least(self) -> int:
        """A position that the primary had at most `lag_seconds_max` ago; the last one known while it is away."""
        if time.monotonic() - self._sampled_at >= SAMPLE_SECONDS:
            self._sampled_at = time.monotonic()
            with suppress(DatabaseUnavailable, Contention, StatementTimeout):
                self._sample()
        with self._lock:
            oldest = time.monotonic() - self._lag_seconds_max
            while len(self._samples) > 1 and self._samples[0][0] < oldest:
                self._samples.popleft()
            return self._samples[0][1] if self._samples else 0

    def _tell(self, calls: Sequence[None]) -> list[str | None]:
        with suppress(DatabaseUnavailable, Contention, StatementTimeout):
            return [self._tokens.encode(self._sample())] * len(calls)
        return [None] * len(calls)

    def _sample(self) -> int:
        """The primary's position now."""
        with statements(self._primary) as connection:
            return self._note(connection)

    def _note(self, connection: Connection) -> int:
        asked_at = time.monotonic()
        self._newest = position = replica.written(connection)
        with self._lock:
            if not self._samples or asked_at - self._samples[-1][0] >= SAMPLE_SECONDS:
                self._samples.append((asked_at, position))
                self._sampled_at = asked_at
                while len(self._samples) > self._lag_seconds_max / SAMPLE_SECONDS + 1:
                    self._samples.popleft()
        return position


class Reader:
    """The reads of one request, and of the stream that answers it: none sees less than the one before."""

    def __init__(self, reads: Reads, token: str | None) -> None:
        self._reads = reads
        self._token = token
        self._seen = 0
        self._is_on_primary = False
        self._reason = ""

    def __call__(self, read: Read[Result], *, in_transaction: bool = False) -> Result:
        """What `read` returns for a connection; it may be called again, with one to the primary.

        Its statements are transactions of their own, or with `in_transaction` one that begins with the first of them.
        """
        scope = {"in_transaction": in_transaction}
        if self._is_on_primary:
            return self._reads.on_primary(read, self._reason and "as_before", **scope)
        try:
            result, self._seen = self._reads.on_replica(read, self._token, self._seen, **scope)
        except ReplicaUnusable as error:
            self._is_on_primary, self._reason = True, error.reason
            return self._reads.on_primary(read, error.reason, **scope)
        return result
