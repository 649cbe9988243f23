"""Beat's scheduler: each task so many seconds after the last time, whatever becomes of the clock on the wall."""

import time

import structlog
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import schedstate

from celery_config import BrokerAway, publish
from models.heartbeat import BEAT

SOON_SECONDS = 0.001
"""What is due so soon is due: no turn is spent on waiting for less."""

log = structlog.get_logger("beat")


class MonotonicEntry(ScheduleEntry):
    """A task of the timetable, which remembers in monotonic seconds when it was last sent; at first it is due."""

    def default_now(self) -> float:
        """Seconds of a clock that nobody sets."""
        return time.monotonic()

    def is_due(self) -> schedstate:
        """Whether to send it now, and in how many seconds to look again."""
        if self.total_run_count == 0:
            return schedstate(True, self._period)
        left = self.last_run_at + self._period - time.monotonic()
        is_due = left < SOON_SECONDS
        return schedstate(is_due, self._period if is_due else left)

    @property
    def _period(self) -> float:
        return self.schedule.run_every.total_seconds()


class MonotonicScheduler(Scheduler):
    """Keeps nothing in a file, and sends a task only if no bell for it waits: queues stay short while nobody serves."""

    Entry = MonotonicEntry
    producer = None
    """Celery's would wait for the broker; ours gives up within a second, and the next turn comes."""

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002 - as Celery calls it
        """Send it in beat's name, by which workers note that it lives, unless one that is enough waits already."""
        try:
            publish(BEAT, entry.task)
            log.debug("sent", task=entry.task)
        except BrokerAway as error:
            log.warning("not sent, the broker is away", task=entry.task, error=str(error))

    def _when(self, entry: ScheduleEntry, next_time_to_run: float, mktime: object = None) -> float:  # noqa: ARG002 - as above
        return time.monotonic() + (next_time_to_run or 0)
