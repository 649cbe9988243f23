"""Rate limits of routes that are rarely called: shared by name, over all processes."""

import time
from typing import Any

import limits
import pytest
import redis
from flask import Flask

from embedded.valkey import Valkey
from gateway import BLUEPRINTS, create_app
from gateway.auth.guards import public, requires
from gateway.auth.rate_limit import per_address
from gateway.http.blueprint import Blueprint
from tests.gateway.auth.rate_limits import NOTICEABLE_SECONDS, assert_too_many, frozen
from tests.gateway.harness import settings_for
from tests.support import Database


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apps that are created have three rarely called routes, two of which share a name."""
    routes = Blueprint("probes", __name__, url_prefix="/probe")

    @routes.route("/0")
    @public
    @routes.response(200)
    @per_address("letters")
    def letter() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    @routes.route("/1")
    @public
    @per_address("letters")
    @routes.response(200)
    def postcard() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    @routes.route("/2")
    @requires("me:read")
    @per_address("parcels")
    @routes.response(200)
    def parcel() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    monkeypatch.setattr("gateway.BLUEPRINTS", (*BLUEPRINTS, routes))


def probe(app: Flask, number: int, **headers: str) -> Any:
    return app.test_client().get(f"/probe/{number}", headers=headers)


@pytest.mark.usefixtures("probes")
def test_rare_routes_are_counted_by_name_over_all_apps(database: Database, valkey: Valkey, shared: redis.Redis) -> None:
    settings = settings_for(database, limits_redis_url=valkey.url(1), sign_up_limit="4 per year")
    first, second = create_app(settings), create_app(settings)
    assert [probe(app, number).status_code for app in (first, second) for number in (0, 1)] == [200] * 4
    for app in (first, second):
        for number in (0, 1):
            assert_too_many(probe(app, number), "letters", 4, limits.parse("1 per year").get_expiry())
    assert probe(second, 2).status_code == 401
    assert first.test_client().get("/probe/0", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


@pytest.mark.usefixtures("probes")
def test_rare_routes_are_counted_per_process_without_redis(database: Database) -> None:
    app = create_app(settings_for(database, sign_up_limit="4 per year"))
    assert [probe(app, 0).status_code for _ in range(5)] == [200] * 4 + [429]


@pytest.mark.usefixtures("probes")
def test_rare_routes_do_not_wait_for_a_frozen_redis(database: Database, frail: Valkey) -> None:
    app = create_app(settings_for(database, limits_redis_url=frail.url(1), sign_up_limit="4 per year"))
    assert probe(app, 0).status_code == 200
    with frozen(frail):
        began = time.monotonic()
        assert [probe(app, 0).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        assert time.monotonic() - began < NOTICEABLE_SECONDS
