"""Each alert fires when its cause is made true, and by itself alone; those of the whole stack are in tests/faults."""

import pytest

from gateway.ops import state_metrics
from tests.alert_rules import RULES, firing
from tests.gateway.harness import ApiHarness
from tests.gateway.ops.alert_causes import CAUSES, IN_COMPANY, TOKEN, World, note_seen
from tests.support import Database, eventually

BY_THE_STACK = {"PaymentsUndecided"}
"""Alerts whose causes are made true in tests/faults/test_alarm.py alone."""


@pytest.fixture(scope="module")
def api(database: Database, redis_url: str) -> ApiHarness:
    return ApiHarness(database, metrics_token=TOKEN, broker_url=redis_url)


@pytest.fixture
def world(api: ApiHarness, postgres, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """One in which nothing is wrong, read anew at each scrape."""
    monkeypatch.setattr(state_metrics, "CACHE_SECONDS", 0.0)
    monkeypatch.setattr(state_metrics, "BALANCES_SHARE", 1e9)
    note_seen(api, "posting@a", "upkeep@a", "webhooks@a", "beat")
    world = World(api, postgres, redis_url, monkeypatch)
    world.past("UPDATE events SET created_at = now()")  # nobody sends those of the tests before
    return world


@pytest.mark.parametrize("alert", CAUSES)
def test_an_alert_fires_by_its_cause_and_not_without(world: World, alert: str) -> None:
    before = world.scrape()
    assert firing(before) == set()
    after = CAUSES[alert](world)
    found = firing(after, before)
    assert alert in found
    assert found <= {alert} | IN_COMPANY.get(alert, set())


def test_none_fires_after_all_of_them(world: World) -> None:
    """As each test before found nothing of those before itself."""
    assert firing(world.scrape()) == set()


def test_every_alert_has_a_cause() -> None:
    assert set(RULES) == set(CAUSES) | BY_THE_STACK


def test_a_reading_is_shared_for_some_seconds(api: ApiHarness) -> None:
    text = api.anonymous().get("/metrics", Authorization=f"Bearer {TOKEN}").text
    note_seen(api, "posting@new")
    api.execute("UPDATE worker_heartbeats SET seen_at = now() - interval '31 s' WHERE starts_with(name, 'posting')")
    stale = 'payments_problem{code="posting_stale"} 1.0'
    assert stale not in text
    eventually(lambda: stale in api.anonymous().get("/metrics", Authorization=f"Bearer {TOKEN}").text)
