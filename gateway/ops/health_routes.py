"""GET /status, /health/live and /health/ready: for monitoring."""

from typing import Any

import bell
from gateway.auth.guards import public
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.errors import ApiError
from gateway.ops.schemas import HealthSchema, StatusSchema
from gateway.services import services
from models import clock, partitions
from models import health as healths
from models.health import HealthReport
from models.representations import iso
from models.session import require_writable, statements

health = Blueprint("health", __name__, description="State of the service, for monitoring.")


@health.route("/health/live")
@public
@health.response(200, HealthSchema)
def live() -> JsonAnswer:
    """Check that this process answers."""
    return {"status": "ok"}, {}


@health.route("/health/ready")
@public
@health.response(200, HealthSchema)
def ready() -> JsonAnswer:
    """Check that this process can accept payments: clock and database are right; 503 if not."""
    with statements(services().engine) as connection:
        require_writable(connection)
        missing = partitions.missing(connection)
        seconds_off = clock.seconds_off(connection)
    if abs(seconds_off) > clock.OFF_SECONDS_MAX:
        raise ApiError("clock_wrong", f"Its clock is {clock.describe(seconds_off)}: timedatectl set-ntp true.")
    for month, months_ahead in missing.items():
        if months_ahead == 0:
            raise ApiError("partition_missing", f"Payments of {month} cannot be stored: flask payments partitions.")
    return {"status": "ok"}, {}


@health.route("/status")
@public
@health.response(200, StatusSchema)
def status() -> JsonAnswer:
    """Show how payments are accepted and posted, and any problems; 503 if they are not accepted or not posted."""
    broker_is_up = bell.is_broker_up(services().settings.broker_url)
    replica = services().reads.state()
    with statements(services().engine) as connection:
        report = healths.report(connection, broker_is_up=broker_is_up, replica_fault=replica.fault if replica else "")
    body = _body(report, broker_is_up=broker_is_up) | {"replica": replica and replica._asdict()}
    if report.status == "down":
        first = next(problem for problem in report.problems if problem.stops)
        del body["status"]
        raise ApiError("out_of_service", f"{healths.KINDS[first.code].title}: {first.detail}.", **body)
    return body, {}


def _body(report: HealthReport, *, broker_is_up: bool) -> dict[str, Any]:
    return {
        "status": report.status,
        "database": "read_only" if report.has("database_read_only") else "ok",
        "broker": "ok" if broker_is_up else "away",
        "workers": [
            {"name": worker.name, "age_seconds": round(worker.age_seconds, 1), "is_fresh": worker.is_fresh}
            for worker in report.workers
        ],
        "waiting": report.waiting,
        "oldest_due_seconds": round(report.oldest_due_seconds, 3),
        "problems": [
            {"code": problem.code, "detail": problem.detail, "command": problem.command} for problem in report.problems
        ],
        "pauses": [
            {
                **{"type": pause.type, "currency": pause.currency, "rail": pause.rail},
                **{"since": pause.paused_at.isoformat(), "until": iso(pause.until)},
            }
            for pause in report.pauses
        ],
        "paused": report.paused,
    }
