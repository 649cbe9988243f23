"""GET /status, /health/live, /health/ready: for whoever watches over the processes."""

from typing import Any

import redis

from gateway.auth import public
from gateway.contract import Blueprint
from gateway.schemas import HealthSchema, StatusSchema
from gateway.services import services
from models import heartbeat, payment
from models.session import statements

health = Blueprint("health", __name__, description="Whether the service works; for monitoring.")

BROKER_TIMEOUT_SECONDS = 0.5
"""A broker that is slower than this is as good as away; payments are posted by the sweep meanwhile."""

Answer = tuple[dict[str, Any], dict[str, str]]


@health.route("/health/live")
@public
@health.response(200, HealthSchema)
def live() -> Answer:
    """This process answers."""
    return {"status": "ok"}, {}


@health.route("/health/ready")
@public
@health.response(200, HealthSchema)
def ready() -> Answer:
    """This process reaches the database; 503 if not."""
    with statements(services().engine) as connection:
        payment.is_anything_due(connection)
    return {"status": "ok"}, {}


@health.route("/status")
@public
@health.response(200, StatusSchema)
def status() -> Answer:
    """Payments are accepted, and this is how they are being posted; 503 if the database is away."""
    with statements(services().engine) as connection:
        workers = heartbeat.everyone(connection)
        waiting, oldest_due_seconds = payment.waiting(connection)
    broker_is_up = _broker_answers(services().settings.redis_url)
    is_well = broker_is_up and any(worker.is_fresh for worker in workers)
    return {
        "status": "ok" if is_well else "degraded",
        "database": "ok",
        "broker": "ok" if broker_is_up else "away",
        "workers": [
            {"name": worker.name, "age_seconds": round(worker.age_seconds, 1), "is_fresh": worker.is_fresh}
            for worker in workers
        ],
        "waiting": waiting,
        "oldest_due_seconds": round(oldest_due_seconds, 3),
    }, {}


def _broker_answers(url: str) -> bool:
    address = url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    timeouts = {"socket_timeout": BROKER_TIMEOUT_SECONDS, "socket_connect_timeout": BROKER_TIMEOUT_SECONDS}
    if address.startswith("unix://"):
        del timeouts["socket_connect_timeout"]
    try:
        with redis.Redis.from_url(address, **timeouts, retry=None) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
