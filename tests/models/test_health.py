"""Each problem is reported by its code, and nothing else is."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import health, heartbeat
from models.health import KINDS, HealthReport
from models.session import transaction
from tests.builders import Builder
from tests.support import Database, past_the_triggers

ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| `(.+)` \|$", re.MULTILINE)


@pytest.fixture
def world(fresh_database: Database) -> Builder:
    """One in which all workers were seen just now."""
    world = Builder.of(fresh_database)
    seen(world, "posting@a", "upkeep@a", "webhooks@a", "beat")
    return world


def seen(world: Builder, *names: str, seconds_ago: float = 0) -> None:
    with transaction(world.worker) as connection:
        for name in names:
            heartbeat.beat(connection, name)
    execute(
        world,
        "UPDATE worker_heartbeats SET seen_at = now() - make_interval(secs => %s) WHERE name = ANY(%s)",
        *(seconds_ago, list(names)),
    )


def execute(world: Builder, statement: str, *parameters: object) -> None:
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(statement, parameters)


def report(world: Builder, *, broker_is_up: bool = True) -> HealthReport:
    """As the gateway asks for it."""
    with transaction(world.gateway) as connection:
        return health.report(connection, broker_is_up=broker_is_up)


def codes(world: Builder, *, broker_is_up: bool = True) -> list[str]:
    return [problem.code for problem in report(world, broker_is_up=broker_is_up).problems]


def test_healthy_system_has_no_problems(world: Builder) -> None:
    assert (report(world).status, codes(world)) == ("ok", [])
    assert [worker.name for worker in report(world).workers] == ["posting@a", "upkeep@a", "webhooks@a"]


def test_problem_codes_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "health.md").read_text()
    stops = {"yes": True, "no": False, "this month's": False}
    documented = {code: (title, command, stops[stopping]) for code, title, stopping, command in ROW.findall(text)}
    assert documented == {code: tuple(kind) for code, kind in KINDS.items()}


@pytest.mark.parametrize("kind", ["posting", "upkeep", "webhooks"])
def test_stale_worker_is_named(world: Builder, kind: str) -> None:
    seen(world, f"{kind}@a", seconds_ago=31)
    [problem] = report(world).problems
    assert (problem.code, problem.detail) == (f"{kind}_stale", f"{kind}@a was seen 31 s ago")
    assert report(world).status == ("down" if kind == "posting" else "degraded")
    seen(world, f"{kind}-2@b")
    assert codes(world) == [], "one is enough"


def test_retired_workers_are_forgotten(world: Builder) -> None:
    seen(world, "posting@old", "rails@old", seconds_ago=3700)
    assert codes(world) == []
    seen(world, "posting@a", seconds_ago=3700)
    assert codes(world) == ["posting_stale"]


def test_rails_worker_is_expected_once_one_was_seen(world: Builder) -> None:
    seen(world, "rails@a", seconds_ago=31)
    assert codes(world) == ["rails_stale"]
    seen(world, "rails@a")
    assert codes(world) == []


def test_a_replica_that_is_not_read_is_reported(world: Builder) -> None:
    with transaction(world.worker) as connection:
        found = health.report(connection, broker_is_up=True, replica_fault="db2:5432: away")
    assert [(problem.code, problem.detail) for problem in found.problems] == [("replica_unused", "db2:5432: away")]
    assert found.status == "degraded"


def test_silent_beat_is_reported_unless_the_broker_is_unavailable(world: Builder) -> None:
    seen(world, "beat", seconds_ago=31)
    assert (report(world).status, codes(world)) == ("degraded", ["beat_silent"])
    assert codes(world, broker_is_up=False) == ["broker_away"]


def test_workers_without_messages_are_reported(world: Builder) -> None:
    execute(world, "UPDATE worker_heartbeats SET heard_at = now() - interval '31 s' WHERE name = 'posting@a'")
    [problem] = report(world).problems
    assert (problem.code, problem.detail, report(world).status) == ("workers_deaf", "posting", "degraded")
    assert codes(world, broker_is_up=False) == ["broker_away"], "that is why"
    execute(
        world, "UPDATE worker_heartbeats SET heard_at = NULL, seen_at = now() - interval '31 s' WHERE name = 'beat'"
    )
    assert codes(world) == ["beat_silent"], "that is why"


def test_long_waiting_work_is_reported(world: Builder) -> None:
    ann = world.user()
    world.accept(world.deposit(ann, world.wallet(ann), 1))
    assert codes(world) == []
    past = "UPDATE payments SET due_at = now() - interval '61 seconds'"
    execute(world, past)
    [problem] = report(world).problems
    assert (problem.code, problem.detail) == ("payments_overdue", "1 due, the oldest for 61 s")
    execute(world, "UPDATE payments SET parked_at = now()")
    assert codes(world) == ["payments_parked"]


@pytest.mark.parametrize(("months_ahead", "status"), [(0, "down"), (1, "degraded")])
def test_missing_partition_is_reported(world: Builder, months_ahead: int, status: str) -> None:
    month = f"date_trunc('month', now() AT TIME ZONE 'UTC') + {months_ahead} * interval '1 month'"
    with transaction(world.owner) as connection:
        suffix = connection.exec_driver_sql(f"SELECT to_char({month}, '_YYYY_MM')").scalar_one()
        connection.exec_driver_sql(f"DROP TABLE payments{suffix}")
    assert (report(world).status, codes(world)) == (status, ["partition_missing"])


@pytest.mark.parametrize(
    ("seconds", "status", "detail"),
    [
        (30, "ok", None),
        (-30, "ok", None),
        (120, "degraded", "ahead of"),
        (-7_200, "degraded", "behind"),
        (90_000, "down", "ahead of"),
        (-90_000, "down", "behind"),
    ],
)
def test_wrong_clock_is_reported(
    world: Builder, monkeypatch: pytest.MonkeyPatch, seconds: int, status: str, detail: str | None
) -> None:
    monkeypatch.setattr("models.clock.time", SimpleNamespace(time=lambda: time.time() + seconds))
    found = report(world)
    assert (found.status, [problem.code for problem in found.problems]) == (status, ["clock_wrong"] if detail else [])
    for problem in found.problems:
        off, direction = re.fullmatch(r"(\d+) s (.+) the database's", problem.detail).groups()
        assert direction == detail
        assert abs(int(off) - abs(seconds)) <= 30
        assert problem.command == "timedatectl set-ntp true"


def test_read_only_database_is_reported(world: Builder) -> None:
    with transaction(world.gateway) as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        found = health.report(connection, broker_is_up=True)
    assert (found.status, [problem.code for problem in found.problems]) == ("down", ["database_read_only"])


AGED = "UPDATE events SET created_at = now() - interval '61 seconds'"


def test_undelivered_events_are_reported(world: Builder, postgres) -> None:
    ann = world.user()
    world.accept(world.deposit(ann, world.wallet(ann), 1))
    assert codes(world) == []
    past_the_triggers(postgres, world.owner.url.database, AGED)
    assert codes(world) == ["webhooks_behind"]


def test_unsent_webhooks_are_reported_unless_the_receiver_fails(world: Builder) -> None:
    endpoint, delivery, subject = (f"00000000-0000-7000-8000-00000000000{digit}" for digit in "123")
    execute(
        world,
        "INSERT INTO webhook_endpoints (id, user_id, url, event_types) VALUES (%s, %s, 'https://a.example/', '{*}')",
        *(endpoint, world.user()),
    )
    execute(
        world,
        "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at,"
        " next_attempt_at) VALUES (%s, %s, 1, 'payment.completed', %s, 1, now(), now() - interval '61 seconds')",
        *(delivery, endpoint, subject),
    )
    assert codes(world) == ["webhooks_behind"]
    execute(world, "UPDATE webhook_endpoints SET failing_since = now()")
    assert codes(world) == []
