"""Health of the whole system, as seen in the database: one list of problems for HTTP, the shell and monitors."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from models import clock, heartbeat, partitions, pause, paused_payment, payment, preflight
from models.heartbeat import BEAT, Heartbeat
from models.pause import Pause

OVERDUE_SECONDS = 60.0
"""Posting takes milliseconds and a sweep comes every few seconds: a payment that waits longer needs attention."""

UNDECIDED_SECONDS = 60.0
"""A bank that fails briefly is asked again within seconds."""

BEHIND_SECONDS = 60.0
"""An event becomes webhooks within a second or two, and each of them is tried when it is due."""

UNVERIFIED_SECONDS = 3600.0
"""New payments are verified every minute."""

COUNTED_MAX = 1_000
"""Counting stops here: readers need no exact number."""

WORKER = "celery -A celery_config worker --queues"


class ProblemKind(NamedTuple):
    """A kind of problem, the command that helps, and whether it stops payments from being accepted or posted."""

    title: str
    command: str
    stops: bool = False


KINDS = {
    "database_read_only": ProblemKind("The database only reads", "psql -c 'SHOW in_hot_standby'", stops=True),
    "partition_missing": ProblemKind("This month or the next has no partition", "flask payments partitions"),
    "clock_wrong": ProblemKind("The clock of the process that answers is wrong", "timedatectl set-ntp true"),
    "dump_restored": ProblemKind("A restored dump hides new events", "pg_resetwal --epoch=1 -D $PGDATA"),
    "posting_stale": ProblemKind("No poster works", f"{WORKER} payments --concurrency 2 -n posting@%h", stops=True),
    "upkeep_stale": ProblemKind("No upkeep worker works", f"{WORKER} upkeep --pool solo -n upkeep@%h"),
    "rails_stale": ProblemKind("No rails worker works", f"{WORKER} rails --pool solo -n rails@%h"),
    "webhooks_stale": ProblemKind("No webhooks worker works", f"{WORKER} webhooks --pool solo -n webhooks@%h"),
    "replica_unused": ProblemKind("Reads go to the primary, for want of its replica", "flask ops replica"),
    "broker_away": ProblemKind("The broker does not answer", "flask payments sweep"),
    "workers_deaf": ProblemKind("Messages do not reach workers", "flask workers alive"),
    "beat_silent": ProblemKind("Beat sends nothing", "celery -A celery_config beat"),
    "payments_overdue": ProblemKind("Payments wait too long to be posted", "flask payments sweep"),
    "payments_parked": ProblemKind("Payments wait for a person", "flask payments parked"),
    "payments_undecided": ProblemKind("The bank gives no answer about withdrawals", "flask payments undecided"),
    "books_broken": ProblemKind("Rows break an invariant of the books", "flask ops breaches"),
    "verification_stale": ProblemKind("The books are not verified", "flask ops verify"),
    "webhooks_behind": ProblemKind("Webhooks are late", f"{WORKER} webhooks --pool solo -n webhooks@%h"),
}
"""By code: the code is the contract, listed in docs/health.md."""

REQUIRED_WORKERS = ("posting", "upkeep", "webhooks")
"""Kinds of workers of which one must be alive; also `rails`, where one was seen or payouts are due."""


class HealthProblem(NamedTuple):
    """A problem and its details."""

    code: str
    detail: str
    stops: bool

    @property
    def command(self) -> str:
        """Command that helps."""
        return KINDS[self.code].command


class HealthReport(NamedTuple):
    """Workers seen, payments due (counted up to 10,000), problems, payments that wait for a person or the bank, and
    pauses, which are no problem, with the payments that they hold (counted up to 10,000).
    """

    workers: list[Heartbeat]
    waiting: int
    oldest_due_seconds: float
    problems: list[HealthProblem]
    parked: int = 0
    undecided: int = 0
    pauses: Sequence[Pause] = ()
    paused: int = 0

    @property
    def status(self) -> str:
        """ok, degraded, or down: payments are not accepted or not posted."""
        if any(problem.stops for problem in self.problems):
            return "down"
        return "degraded" if self.problems else "ok"

    def has(self, code: str) -> bool:
        """Whether the report has this problem."""
        return any(problem.code == code for problem in self.problems)


COUNTS = f"""
SELECT current_setting('transaction_read_only')::boolean AS is_read_only,
       (SELECT count(*) FROM (
           SELECT FROM payments WHERE parked_at IS NOT NULL LIMIT {COUNTED_MAX}) AS parked
       ) AS parked,
       (SELECT count(*) FROM (
           SELECT FROM instructions i
           CROSS JOIN LATERAL (SELECT created_at FROM payments WHERE id = i.payment_id OFFSET 0) AS p
           WHERE i.due_at IS NOT NULL AND i.last_error IS NOT NULL AND (i.pending_at IS NULL OR i.attempts > 1)
             AND p.created_at < now() - make_interval(secs => {UNDECIDED_SECONDS}) LIMIT {COUNTED_MAX}) AS undecided
       ) AS undecided,
       (SELECT count(*) FROM (
           SELECT FROM breaches WHERE healed_at IS NULL AND acknowledged_at IS NULL LIMIT {COUNTED_MAX}) AS breaches
       ) AS breaches,
       (SELECT verified_at < now() - make_interval(secs => {UNVERIFIED_SECONDS}) FROM verification_positions)
           AS is_unverified,
       EXISTS (SELECT FROM instructions WHERE due_at < now() - make_interval(secs => {heartbeat.STALE_SECONDS}))
           AS needs_rails,
       EXISTS (
           SELECT FROM (
               SELECT e.created_at FROM events e WHERE (e.xact, e.sequence) > (
                   (SELECT xact FROM event_positions WHERE reader = 'webhooks'),
                   (SELECT sequence FROM event_positions WHERE reader = 'webhooks'))
               ORDER BY e.xact, e.sequence LIMIT 1) AS next
           WHERE next.created_at < now() - make_interval(secs => {BEHIND_SECONDS}))
       OR EXISTS (
           SELECT FROM webhook_endpoints e JOIN users u ON u.id = e.user_id AND u.is_active CROSS JOIN LATERAL (
               SELECT next_attempt_at FROM webhook_deliveries WHERE endpoint_id = e.id AND state = 'pending'
               ORDER BY next_attempt_at LIMIT 1) AS next
           WHERE e.is_active AND e.failing_since IS NULL
             AND next.next_attempt_at < now() - make_interval(secs => {BEHIND_SECONDS})) AS is_behind
"""
"""OFFSET 0: each payment is looked up in its month; a join might read all months."""


def report(connection: Connection, *, broker_is_up: bool, replica_fault: str = "") -> HealthReport:
    """Report on the system as it is now; the caller checks whether the broker answers, and looks at the replica."""
    workers = heartbeat.recent(connection)
    waiting, oldest_due_seconds = payment.waiting(connection)
    missing = partitions.missing(connection)
    counts = connection.exec_driver_sql(COUNTS).one()
    seconds_off = clock.seconds_off(connection)
    found = {
        "database_read_only": "no transaction may write" if counts.is_read_only else "",
        "partition_missing": ", ".join(missing),
        "clock_wrong": clock.describe(seconds_off) if abs(seconds_off) > clock.OFF_SECONDS_REPORTED else "",
        "dump_restored": "; ".join(preflight.counter_faults(connection)),
        **{f"{kind}_stale": detail for kind, detail in _stale(workers, needs_rails=counts.needs_rails).items()},
        "replica_unused": replica_fault,
        "broker_away": "" if broker_is_up else "no answer",
        "workers_deaf": _deaf(workers) if broker_is_up else "",
        "beat_silent": _unseen(BEAT, workers) if broker_is_up else "",
        "payments_overdue": _overdue(waiting, oldest_due_seconds),
        "payments_parked": f"{counts.parked} parked" if counts.parked else "",
        "payments_undecided": f"{counts.undecided} undecided" if counts.undecided else "",
        "books_broken": f"{counts.breaches} breaches" if counts.breaches else "",
        "verification_stale": "not within the last hour" if counts.is_unverified else "",
        "webhooks_behind": f"some are due for more than {BEHIND_SECONDS:.0f} s" if counts.is_behind else "",
    }
    stops = {code for code, kind in KINDS.items() if kind.stops}
    if 0 in missing.values():  # this month
        stops.add("partition_missing")
    if abs(seconds_off) > clock.OFF_SECONDS_MAX:
        stops.add("clock_wrong")
    problems = [HealthProblem(code, found[code], code in stops) for code in KINDS if found[code]]
    known = [worker for worker in workers if worker.name != BEAT]
    waits = (counts.parked, counts.undecided, pause.in_force(connection), paused_payment.count(connection))
    return HealthReport(known, waiting, oldest_due_seconds, problems, *waits)


def _stale(workers: list[Heartbeat], *, needs_rails: bool) -> dict[str, str]:
    """Detail for each kind of worker; empty if one is fresh or none is needed."""
    has_rails = any(worker.kind == "rails" for worker in workers)
    found = dict.fromkeys((*REQUIRED_WORKERS, "rails"), "")
    for kind in (*REQUIRED_WORKERS, *(["rails"] if needs_rails or has_rails else [])):
        found[kind] = _unseen(kind, workers)
    return found


def _unseen(kind: str, workers: list[Heartbeat]) -> str:
    """The time since a worker of this kind was last seen, as text; empty if that is recent enough."""
    seen = min(
        (worker for worker in workers if worker.kind == kind), key=lambda worker: worker.age_seconds, default=None
    )
    if seen is None:
        return "not seen within the last hour"
    return "" if seen.is_fresh else f"{seen.name} was seen {seen.age_seconds:.0f} s ago"


def _deaf(workers: list[Heartbeat]) -> str:
    """Kinds whose workers are alive but receive no messages, while the broker delivers those of beat."""
    if not any(worker.kind == BEAT and worker.is_fresh for worker in workers):
        return ""
    fresh = {worker.kind for worker in workers if worker.is_fresh}
    return ", ".join(sorted(fresh - {worker.kind for worker in workers if worker.hears}))


def _overdue(waiting: int, oldest_due_seconds: float) -> str:
    if oldest_due_seconds <= OVERDUE_SECONDS:
        return ""
    return f"{waiting} due, the oldest for {oldest_due_seconds:.0f} s"
