"""A PostgreSQL whose clock is stepped, and what was paid in months that are then old."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from uuid_utils import compat as uuids

from embedded.home import Home
from embedded.postgres import Postgres
from models import partitions, payment_action, webhook_queue
from models.audit import SHELL
from models.rules.ops_actions import OpsAction
from models.session import transaction
from models.user import Role
from tests import builders
from tests.builders import Builder
from tests.faults.clocks import compiled
from workers import auditor, final_counts, merchant_sums

DAYS = 130
"""From the first payment until months are archived."""

DAY_SECONDS = 86400


class SteppedServer:
    """A PostgreSQL with a clock of its own, by which the ids of builders are made too."""

    def __init__(self, home: Home, patch: pytest.MonkeyPatch) -> None:
        folder = home.path / "clocks"
        folder.mkdir()
        folder.chmod(0o755)
        self._clock = folder / "postgres"
        self.step(0)
        self.postgres = Postgres(home, durable=False)
        shim = {"LD_PRELOAD": str(compiled(folder)), "CLOCK_FILE": str(self._clock)}
        self.postgres._process.environ = {**os.environ, **shim}
        patch.setattr(builders, "new_id", self.new_id)
        self.postgres.start()

    def step(self, seconds: float) -> None:
        """Step the clock to so many seconds ahead."""
        self.off_seconds = int(seconds)
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(self.off_seconds.to_bytes(8, "little", signed=True))
        self._clock.chmod(0o644)

    def new_id(self) -> str:
        """A new id by that clock."""
        milliseconds = int((time.time() + self.off_seconds) * 1000)
        return str(uuids.UUID(int=(milliseconds << 80) | (uuids.uuid7().int & ((1 << 80) - 1))))


class History(NamedTuple):
    """What was paid in two months: ids by what they are; the months, as 2026-01."""

    ids: dict[str, str]
    months: tuple[str, str]


def live_through(world: Builder, server: SteppedServer) -> History:
    """Pay at the end of a month and in the next, where a charge is captured, and payments of both
    share a batch; then let both become old.
    """
    now = datetime.now(UTC)
    end = (now.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=31)).replace(day=1)
    server.step((end - now).total_seconds() - DAY_SECONDS / 2)
    ann, bob, shop = world.user(), world.user(), world.user(Role.MERCHANT)
    rich, poor, till = world.wallet(ann, funds=1000), world.wallet(bob), world.wallet(shop)
    ids = {"ann": ann, "shop": shop, "rich": rich, "poor": poor, "till": till}
    ids["done"] = world.transfer(ann, rich, poor, 70)
    ids["failed"] = world.transfer(bob, poor, rich, 900)
    ids["exchanged"] = world.exchange(ann, rich, world.wallet(ann, currency="USD"), 10, 11)
    ids["refunded"] = world.refunded_charge(rich, 50, 30)
    ids["held"] = world.order("charge", shop, rich, till, 40, capture=False)
    world.post_payments()
    world.transfer(ann, rich, poor, 2)
    first = _month(world)
    server.step(server.off_seconds + DAY_SECONDS)
    with transaction(world.worker) as connection:
        partitions.ensure(connection)
        payment_action.order(connection, OpsAction.CAPTURE, ids["held"], SHELL, "it is late")
    ids["later"] = world.transfer(ann, rich, poor, 5)
    ids["late_refund"] = world.order("refund", shop, till, rich, 15, parent_id=ids["held"])
    world.post_payments()
    assert world.state(ids["held"]) == world.state(ids["late_refund"]) == "COMPLETED"
    second = _month(world)
    server.step(server.off_seconds + DAYS * DAY_SECONDS)
    with transaction(world.worker) as connection:
        partitions.ensure(connection)
    ids["newest"] = world.transfer(ann, rich, poor, 1)
    world.post_payments()
    settle(world)
    return History(ids, (first, second))


def settle(world: Builder) -> None:
    """Let all who follow events and operations come to the end, and the auditor."""
    with transaction(world.worker) as connection:
        while webhook_queue.fan_out(connection, 1000):
            pass
    assert not final_counts.count_up(world.worker, 600)
    assert not merchant_sums.sum_up(world.worker, 600)
    verified = auditor.run(world.worker, 600)
    assert verified.found == []


def _month(world: Builder) -> str:
    with transaction(world.owner) as connection:
        return str(builders.scalar(connection, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"))
