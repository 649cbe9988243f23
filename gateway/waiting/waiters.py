"""Who waits for what: one line to the database wakes all waiters of the process, and each second all is looked at."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import structlog

from gateway.waiting.disconnect import Socket, disconnected
from models import bulk, change_listener, event, payment_view
from models.bulk import Bulk
from models.event import Event
from models.payment_view import PaymentView
from models.session import Connection, Contention, DatabaseAway, Engine, StatementTimeout, statements

TICK_SECONDS = 1.0
"""All that is waited for is read so often, whatever was heard: a lost word costs no more."""

REMEMBERED_SECONDS = 2.0
"""Who comes so late after a transition need not wait for the next reading."""

REMEMBERED_MAX = 50_000
"""Past that the process forgets all it has heard: whoever came too late for one of these waits for the next reading."""

RECONNECT_SECONDS = 1.0

log = structlog.get_logger("waits")


class SubjectChange(NamedTuple):
    """A payment or a bulk as it is now, with all that happened to it if that was asked for."""

    subject: PaymentView | Bulk
    events: tuple[Event, ...] = ()


class Waiter:
    """One waiter's; given back at the end of its block."""

    def __init__(self, id: str, user_id: str, line: Socket | None, *, with_events: bool) -> None:
        self.id = id
        self.user_id = user_id
        self.line = line
        self.with_events = with_events
        self.version = 0
        self.is_closed = False
        """Who waited here has hung up, or the process is about to end: nothing more is waited for."""
        self._change: SubjectChange | None = None
        self._woken = threading.Event()

    def next(self, seconds: float, version: int) -> SubjectChange | None:
        """What is newer than this version, as soon as it is; None if nothing was within these seconds, or if closed."""
        self.version = version
        deadline = time.monotonic() + seconds
        while True:
            self._woken.clear()
            if self._change is not None and self._change.subject.version > version:
                return self._change
            if self.is_closed or not self._woken.wait(max(0.0, deadline - time.monotonic())):
                return None

    def hand(self, change: SubjectChange) -> None:
        """Give what was read for it, unless it has something newer already."""
        if self._change is None or change.subject.version >= self._change.subject.version:
            self._change = change
            self._woken.set()

    def close(self) -> None:
        """Let who waits here be answered with what is known."""
        self.is_closed = True
        self._woken.set()


class Waiters:
    """The waiters of a process; the line that wakes them begins with the first."""

    def __init__(self, engine: Engine, url: str, *, waiters_max: int, of_user_max: int) -> None:
        self._engine = engine
        self._url = url
        self._waiters_max = waiters_max
        self._of_user_max = of_user_max
        self._places: dict[str, set[Waiter]] = {}
        self._of_user: dict[str, int] = {}
        self._heard: dict[str, float] = {}
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_deaf = False
        self._is_closed = False

    def __len__(self) -> int:
        return sum(self._of_user.values())

    @contextmanager
    def place(
        self, id: str, user_id: str, line: Socket | None = None, *, with_events: bool = False
    ) -> Iterator[Waiter | None]:
        """A place to wait for the payment or bulk, None if all are taken, or this user's share of them, or it closed.

        Read after taking it, or right after one's own commit; `line`: whose end is the end of the wait; `with_events`:
        also what happened to it.
        """
        place = self._take(Waiter(id, user_id, line, with_events=with_events))
        try:
            if place is not None and id in self._heard:
                with suppress(DatabaseAway, Contention, StatementTimeout), statements(self._engine) as connection:
                    self._read(connection, [id])
            yield place
        finally:
            if place is not None:
                self._give_back(place)

    def close(self) -> None:
        """Let nobody wait any longer: the process is about to end."""
        with self._lock:
            self._is_closed = True
        for place in self._taken():
            place.close()

    def _taken(self) -> list[Waiter]:
        with self._lock:
            return [place for places in self._places.values() for place in places]

    def _take(self, place: Waiter) -> Waiter | None:
        with self._lock:
            of_user = self._of_user.get(place.user_id, 0)
            if self._is_closed or len(self) >= self._waiters_max or of_user >= self._of_user_max:
                return None
            if not self._has_begun:
                for step, pause in ((self._listen, RECONNECT_SECONDS), (self._look, TICK_SECONDS)):
                    threading.Thread(target=self._go_on, args=(step, pause), name="waits", daemon=True).start()
                self._has_begun = True
            self._of_user[place.user_id] = of_user + 1
            self._places.setdefault(place.id, set()).add(place)
        return place

    def _give_back(self, place: Waiter) -> None:
        with self._lock:
            self._of_user[place.user_id] -= 1
            if not self._of_user[place.user_id]:
                del self._of_user[place.user_id]
            self._places[place.id].discard(place)
            if not self._places[place.id]:
                del self._places[place.id]

    def _go_on(self, step: Callable[[], None], pause: float) -> None:
        """Step after step until it is closed, whatever one of them raises: nobody else wakes those who wait."""
        while not self._is_closed:
            try:
                step()
            except (DatabaseAway, Contention, StatementTimeout) as error:
                if not self._is_deaf:
                    log.warning("the line is lost, waiters wait on", error=str(error.__cause__).strip())
                self._is_deaf = True
            except Exception as error:
                log.error("waiters could not be woken", exc_info=error)
            time.sleep(pause)

    def _listen(self) -> None:
        """Wake who waits for what is heard, until the line is lost."""
        with change_listener.listening(self._url) as line:
            self._is_deaf = False
            forget_at = time.monotonic()
            while not self._is_closed:
                heard, now = line.hear(TICK_SECONDS), time.monotonic()
                self._heard.update(dict.fromkeys(heard, now))
                if len(self._heard) > REMEMBERED_MAX:
                    self._heard = {}
                elif now >= forget_at:
                    forget_at = now + TICK_SECONDS
                    self._heard = {id: at for id, at in self._heard.items() if at > now - REMEMBERED_SECONDS}
                changed = {id for id in heard if id in self._places}
                if changed:
                    self._read(line.connection, changed)

    def _look(self) -> None:
        """Wake whoever waits for what has changed, whatever was heard, and though the line be silent for ever.

        Who has hung up gives his place to others.
        """
        lines = {place.line: place for place in self._taken() if place.line is not None}
        for place, is_gone in zip(lines.values(), disconnected(lines), strict=True):
            if is_gone:
                place.close()
        if self._places:
            with statements(self._engine) as connection:
                changed = self._behind(connection)
                if changed:
                    self._read(connection, changed)

    def _behind(self, connection: Connection) -> set[str]:
        """What has a newer version than one of its waiters knows."""
        with self._lock:
            known = {id: min(place.version for place in places) for id, places in self._places.items()}
        versions = change_listener.versions(connection, list(known))
        return {id for id, version in versions.items() if version > known[id]}

    def _read(self, connection: Connection, ids: Collection[str]) -> None:
        """Hand these payments and bulks, as they are now, to whoever waits for them."""
        subjects: dict[str, PaymentView | Bulk] = {**payment_view.by_ids(connection, list(ids))}
        missing = [id for id in ids if id not in subjects]
        if missing:
            subjects |= bulk.by_ids(connection, missing)
        with self._lock:
            waiting = [place for id in subjects for place in self._places.get(id, ())]
        told = {place.id for place in waiting if place.with_events}
        events: dict[str, list[Event]] = {}
        for one in event.of_subjects(connection, list(told)) if told else ():
            events.setdefault(one.subject_id, []).append(one)
        for place in waiting:
            place.hand(SubjectChange(subjects[place.id], tuple(events.get(place.id, ()))))
