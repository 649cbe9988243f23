"""Beat's scheduler on a monotonic clock: setting the system clock neither stops nor repeats a task."""

import time

import structlog
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import schedstate

from bell import BrokerUnavailable, publish
from models.heartbeat import BEAT

SOON_SECONDS = 0.001
"""A task due within this time counts as due: no tick waits for less."""

log = structlog.get_logger("beat")


class MonotonicEntry(ScheduleEntry):
    """A task of the timetable with the monotonic time of its last sending; due at first."""

    def default_now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def is_due(self) -> schedstate:
        """Return whether to send it now, and in how many seconds to check again."""
        if self.total_run_count == 0:
            return schedstate(True, self._period)
        left = self.last_run_at + self._period - time.monotonic()
        is_due = left < SOON_SECONDS
        return schedstate(is_due, self._period if is_due else left)

    @property
    def _period(self) -> float:
        return self.schedule.run_every.total_seconds()


class MonotonicScheduler(Scheduler):
    """Stores nothing in a file, and sends a task only if none waits: queues stay short while workers are down."""

    Entry = MonotonicEntry
    producer = None
    """Not used: Celery's would wait for the broker; `publish` gives up within a second, until the next tick."""

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002 - as Celery calls it
        """Send it marked as beat's, by which workers record beat's heartbeat, unless one waits already."""
        try:
            publish(BEAT, entry.task)
            log.debug("sent", task=entry.task)
        except BrokerUnavailable as error:
            log.warning("not sent, the broker is unavailable", task=entry.task, error=str(error))
        except Exception:  # in a worker beat is a thread, which nobody would start again
            log.exception("not sent", task=entry.task)

    def _when(self, entry: ScheduleEntry, next_time_to_run: float, mktime: object = None) -> float:  # noqa: ARG002 - as above
        return time.monotonic() + (next_time_to_run or 0)
