"""Requests that wait for a payment or bulk: one LISTEN connection wakes them, and a poll each second makes sure."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import structlog

from gateway.http.client import Client
from gateway.http.event_loop import Wakeup, run_in_thread
from models import bulk, change_listener, event, payment_view
from models.bulk import Bulk
from models.event import Event
from models.payment_view import PaymentView
from models.session import Connection, Contention, DatabaseUnavailable, Engine, StatementTimeout, statements

TICK_SECONDS = 1.0
"""The interval of the poll for everything awaited; a lost notification costs no more than this."""

REMEMBERED_SECONDS = 2.0
"""A waiter that is added this long after a notification is woken without the next poll."""

REMEMBERED_MAX = 50_000
"""Above that the process drops recent notifications: a late waiter then waits for the next poll."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("waits")


class SubjectChange(NamedTuple):
    """A payment or bulk as it is now, with its events if the waiter wants them."""

    subject: PaymentView | Bulk
    events: tuple[Event, ...] = ()


class Waiter:
    """One waiting request; removed at the end of its block."""

    def __init__(self, id: str, user_id: str, client: Client | None, *, with_events: bool) -> None:
        self.id = id
        self.user_id = user_id
        self.client = client
        self.with_events = with_events
        self.version = 0
        self.is_closed = False
        """The client has disconnected or the process is shutting down: the wait is over."""
        self._change: SubjectChange | None = None
        self._woken = Wakeup()

    def next(self, seconds: float, version: int) -> SubjectChange | None:
        """The first change newer than this version; None if there is none within these seconds, or once closed."""
        self.version = version
        deadline = time.monotonic() + seconds
        while True:
            self._woken.clear()
            if self._change is not None and self._change.subject.version > version:
                return self._change
            if self.is_closed or not self._woken.wait(max(0.0, deadline - time.monotonic())):
                return None

    def deliver(self, change: SubjectChange) -> None:
        """Wake the waiter with this change, unless it has a newer one."""
        if self._change is None or change.subject.version >= self._change.subject.version:
            self._change = change
            self._woken.set()

    def close(self) -> None:
        """End the wait; the request is answered with what it has."""
        self.is_closed = True
        self._woken.set()


class Waiters:
    """The waiters of a process; its threads start with the first one."""

    def __init__(self, engine: Engine, url: str, *, waiters_max: int, of_user_max: int) -> None:
        self._engine = engine
        self._url = url
        self._waiters_max = waiters_max
        self._of_user_max = of_user_max
        self._waiters_of: dict[str, set[Waiter]] = {}
        self._count_of_user: dict[str, int] = {}
        self._notified: dict[str, float] = {}
        self._lock = threading.Lock()
        self._has_started = False
        self._is_disconnected = False
        self._is_closed = False

    def __len__(self) -> int:
        return sum(self._count_of_user.values())

    def count_of(self, id: str) -> int:
        """The number of waiters for the payment, bulk or user with this id."""
        return len(self._waiters_of.get(id, ()))

    @contextmanager
    def add(
        self, id: str, user_id: str, client: Client | None = None, *, with_events: bool = False
    ) -> Iterator[Waiter | None]:
        """A waiter for the payment or bulk; None if the process or the user has too many, or once closed.

        Read the subject after adding it, or right after committing it. The wait ends when the client is gone;
        `with_events` delivers the events of the subject too.
        """
        waiter = self._add(Waiter(id, user_id, client, with_events=with_events))
        try:
            if waiter is not None and id in self._notified:
                run_in_thread(self._read_if_possible, [id])
            yield waiter
        finally:
            if waiter is not None:
                self._remove(waiter)

    def close(self) -> None:
        """End all waits: the process is shutting down."""
        with self._lock:
            self._is_closed = True
        for waiter in self._all():
            waiter.close()

    def _all(self) -> list[Waiter]:
        with self._lock:
            return [waiter for waiters in self._waiters_of.values() for waiter in waiters]

    def _add(self, waiter: Waiter) -> Waiter | None:
        with self._lock:
            of_user = self._count_of_user.get(waiter.user_id, 0)
            if self._is_closed or len(self) >= self._waiters_max or of_user >= self._of_user_max:
                return None
            if not self._has_started:
                for step, pause in ((self._listen, RECONNECT_SECONDS), (self._poll, TICK_SECONDS)):
                    threading.Thread(target=self._repeat, args=(step, pause), name="waits", daemon=True).start()
                self._has_started = True
            self._count_of_user[waiter.user_id] = of_user + 1
            self._waiters_of.setdefault(waiter.id, set()).add(waiter)
        return waiter

    def _remove(self, waiter: Waiter) -> None:
        with self._lock:
            self._count_of_user[waiter.user_id] -= 1
            if not self._count_of_user[waiter.user_id]:
                del self._count_of_user[waiter.user_id]
            self._waiters_of[waiter.id].discard(waiter)
            if not self._waiters_of[waiter.id]:
                del self._waiters_of[waiter.id]

    def _repeat(self, step: Callable[[], None], pause: float) -> None:
        """Repeat the step until closed, whatever it raises: nothing else wakes the waiters."""
        while not self._is_closed:
            try:
                step()
            except (DatabaseUnavailable, Contention, StatementTimeout) as error:
                if not self._is_disconnected:
                    log.warning("database connection lost, waiters keep waiting", error=str(error.__cause__).strip())
                self._is_disconnected = True
            except Exception as error:
                log.error("failed to wake waiters", exc_info=error)
            time.sleep(pause)

    def _listen(self) -> None:
        """Wake waiters by notifications, until the connection is lost."""
        with change_listener.listening(self._url) as listener:
            self._is_disconnected = False
            expire_at = time.monotonic()
            while not self._is_closed:
                notified, now = listener.hear(TICK_SECONDS), time.monotonic()
                self._notified.update(dict.fromkeys(notified, now))
                if len(self._notified) > REMEMBERED_MAX:
                    self._notified = {}
                elif now >= expire_at:
                    expire_at = now + TICK_SECONDS
                    self._notified = {id: at for id, at in self._notified.items() if at > now - REMEMBERED_SECONDS}
                changed = {id for id in notified if id in self._waiters_of}
                if changed:
                    self._read(listener.connection, changed)

    def _poll(self) -> None:
        """Wake waiters by reading versions, in case notifications were lost; close those of disconnected clients."""
        for waiter in self._all():
            if waiter.client is not None and waiter.client.is_gone:
                waiter.close()
        if self._waiters_of:
            with statements(self._engine) as connection:
                changed = self._behind(connection)
                if changed:
                    self._read(connection, changed)

    def _behind(self, connection: Connection) -> set[str]:
        """The ids of subjects with a newer version than one of their waiters has."""
        with self._lock:
            known = {id: min(waiter.version for waiter in waiters) for id, waiters in self._waiters_of.items()}
        versions = change_listener.versions(connection, list(known))
        return {id for id, version in versions.items() if version > known[id]}

    def _read_if_possible(self, ids: Collection[str]) -> None:
        with suppress(DatabaseUnavailable, Contention, StatementTimeout), statements(self._engine) as connection:
            self._read(connection, ids)

    def _read(self, connection: Connection, ids: Collection[str]) -> None:
        """Read these payments and bulks and deliver them to their waiters."""
        subjects: dict[str, PaymentView | Bulk] = {**payment_view.by_ids(connection, list(ids))}
        missing = [id for id in ids if id not in subjects]
        if missing:
            subjects |= bulk.by_ids(connection, missing)
        with self._lock:
            waiters = [waiter for id in subjects for waiter in self._waiters_of.get(id, ())]
        with_events = {waiter.id for waiter in waiters if waiter.with_events}
        events: dict[str, list[Event]] = {}
        for row in event.of_subjects(connection, list(with_events)) if with_events else ():
            events.setdefault(row.subject_id, []).append(row)
        for waiter in waiters:
            waiter.deliver(SubjectChange(subjects[waiter.id], tuple(events.get(waiter.id, ()))))
