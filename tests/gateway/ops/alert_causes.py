"""The cause of each alert, made true over a gateway whose metrics are read."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection

import bell
import metrics
from gateway.auth.rate_limit import LimitsRedis, RateLimiter
from gateway.http.errors import ApiError
from models import heartbeat
from models.session import transaction
from tests.alert_rules import Scrape
from tests.gateway.harness import ApiHarness
from tests.support import past_the_triggers
from workers.posting.poster import Poster

TOKEN = "the token of the monitors"
NOWHERE = "postgresql+psycopg2://gateway@/payments?host=/nowhere"
ENDPOINTS_FAIL = "UPDATE webhook_endpoints SET failing_since = now()"
HELD_SECONDS = 1.3


class World:
    """A gateway whose metrics are read, and the cause of each alert as a context."""

    def __init__(self, api: ApiHarness, postgres, redis_url: str, patch: pytest.MonkeyPatch) -> None:
        self.api, self.postgres, self.redis_url, self.patch = api, postgres, redis_url, patch
        self.name = api.owner.url.database
        self.payer, self.wallet = api.client(funds=100)
        self.other_wallet = api.wallet(self.payer)

    def scrape(self, api: ApiHarness | None = None) -> Scrape:
        answer = (api or self.api).anonymous().get("/metrics", Authorization=f"Bearer {TOKEN}")
        assert answer.status_code == 200, answer.text
        return Scrape.of([answer.text])

    def past(self, statement: str, *parameters: object) -> None:
        past_the_triggers(self.postgres, self.name, statement, *parameters)

    def transfer(self) -> str:
        """The id of a transfer that is not posted yet."""
        return self.api.transfer(self.payer, self.wallet, self.other_wallet, 1)

    @contextmanager
    def changed(self, statement: str, back: str) -> Iterator[None]:
        self.api.execute(statement)
        yield
        self.api.execute(back)

    @contextmanager
    def gateway(self, **changes: object) -> Iterator[ApiHarness]:
        """Another gateway, with other settings."""
        other = ApiHarness(self.api.database, metrics_token=TOKEN, broker_url=self.redis_url, **changes)
        yield other
        other.close()

    def database_away(self) -> Scrape:
        with self.gateway(gateway_database_url=NOWHERE) as other:
            return self.scrape(other)

    def database_read_only(self) -> Scrape:
        role = f"ALTER ROLE payments_gateway IN DATABASE {self.name}"
        with self.changed(f"{role} SET default_transaction_read_only = on", f"{role} RESET ALL"), self.gateway() as one:
            return self.scrape(one)

    def partition_missing(self) -> Scrape:
        month = "date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month'"
        [suffix] = self.api.execute(f"SELECT to_char({month}, '_YYYY_MM')")
        with self.changed(f"DROP TABLE payments{suffix}", "SELECT ensure_partitions()"):
            return self.scrape()

    def clock_wrong(self) -> Scrape:
        with self.patch.context() as patch:
            patch.setattr("models.clock.time", SimpleNamespace(time=lambda: time.time() + 120))
            return self.scrape()

    def dump_restored(self) -> Scrape:
        shifted = "UPDATE events SET xact = (xact::text::numeric {} 4294967296)::text::xid8 WHERE subject_id = '{}'"
        [id] = self.api.execute("SELECT subject_id FROM events LIMIT 1")
        self.past(shifted.format("+", id))
        try:
            return self.scrape()
        finally:
            self.past(shifted.format("-", id))

    def seen_before(self, name: str, column: str = "seen_at") -> Scrape:
        """A worker that was last seen, or last heard a message, more than half a minute ago."""
        update = f"UPDATE worker_heartbeats SET {column} = now() - interval '{{}} s' WHERE name = '{name}'"
        with self.changed(update.format(31), update.format(0)):
            return self.scrape()

    def rails_stale(self) -> Scrape:
        note_seen(self.api, "rails@a")
        with self.changed("SET search_path TO public", "DELETE FROM worker_heartbeats WHERE name = 'rails@a'"):
            return self.seen_before("rails@a")

    def replica_unused(self) -> Scrape:
        with self.gateway(database_replica_url=NOWHERE) as other:
            return self.scrape(other)

    def broker_away(self) -> Scrape:
        self.redis_url, url = "redis://127.0.0.1:1/0", self.redis_url
        with self.gateway() as other:
            self.redis_url = url
            return self.scrape(other)

    def payment_changed(self, change: str) -> Scrape:
        """A payment that waits, with this change."""
        id = self.transfer()
        self.past(f"UPDATE payments SET {change} WHERE id = %s", id)
        try:
            return self.scrape()
        finally:
            self.past("UPDATE payments SET parked_at = NULL, due_at = now() WHERE id = %s", id)
            self.api.post_payments()

    def webhooks_behind(self) -> Scrape:
        self.past("UPDATE events SET created_at = now() - interval '61 seconds'")
        try:
            return self.scrape()
        finally:
            self.past("UPDATE events SET created_at = now()")

    def receiver_fails(self) -> Scrape:
        self.api.endpoint(self.payer)
        with self.changed(ENDPOINTS_FAIL, "UPDATE webhook_endpoints SET is_active = false"):
            return self.scrape()

    def books_unbalanced(self) -> Scrape:
        self.past("UPDATE accounts SET balance = balance + 1 WHERE id = %s", self.wallet)
        try:
            return self.scrape()
        finally:
            self.past("UPDATE accounts SET balance = balance - 1 WHERE id = %s", self.wallet)

    def books_broken(self) -> Scrape:
        """A breach that nobody has acknowledged."""
        self.past("INSERT INTO breaches (invariant, subject, details) VALUES ('one', 'row', '{}')")
        try:
            return self.scrape()
        finally:
            self.past("DELETE FROM breaches")

    def verification_stale(self) -> Scrape:
        self.past("UPDATE verification_positions SET verified_at = now() - interval '1 day'")
        try:
            return self.scrape()
        finally:
            self.past("UPDATE verification_positions SET verified_at = NULL")

    def bells_fail(self) -> Scrape:
        with self.patch.context() as patch:
            patch.setitem(bell.app.conf, "broker_url", "redis://127.0.0.1:1/0")
            patch.setattr(bell, "_publishing", None)
            with pytest.raises(bell.BrokerUnavailable):
                bell.publish()
        return self.scrape()

    def batches_fail(self) -> Scrape:
        def fail(_: object) -> None:
            raise ValueError("a bug")

        self.transfer()
        poster = Poster(self.api.worker, deposits_open=True)
        poster.hook = fail
        assert poster.post_batch() is None
        self.past("UPDATE payments SET due_at = now()")
        self.api.post_payments()
        return self.scrape()

    def requests_fail(self) -> Scrape:
        with self.gateway(gateway_database_url=NOWHERE) as other:
            assert other.anonymous().get("/health/ready").status_code == 503
        return self.scrape()

    def requests_slow(self) -> Scrape:
        client = self.api.person()
        wallet = client.wallet()
        is_locked = threading.Event()

        def hold() -> None:
            with transaction(self.api.owner) as connection:
                connection.exec_driver_sql("LOCK TABLE payments IN SHARE MODE")
                is_locked.set()
                connection.exec_driver_sql(f"SELECT pg_sleep({HELD_SECONDS})")

        holder = threading.Thread(target=hold)
        holder.start()
        assert is_locked.wait(60)
        client.order("/v1/deposits", {"wallet": wallet, "amount": "1.00", "currency": "EUR", "source": "wire"})
        holder.join()
        self.api.post_payments()
        return self.scrape()

    def final_slow(self) -> Scrape:
        id = self.transfer()
        self.past("UPDATE payments SET created_at = now() - interval '9 seconds' WHERE id = %s", id)
        self.api.post_payments()
        return self.scrape()

    def connections_spent(self) -> Scrape:
        for pool in (metrics.POOL_SIZE, metrics.POOL_IN_USE):
            pool.set(0)
        with self.gateway() as other, ExitStack() as open:
            engine = other.app.extensions["gateway"].engine
            taken: list[Connection] = [open.enter_context(engine.connect()) for _ in range(8)]
            assert len(taken) == 8
            return self.scrape(other)

    def requests_refused(self) -> Scrape:
        limiter = RateLimiter("token", "1 per hour", LimitsRedis("redis://127.0.0.1:1/1"))
        refused = 0
        for _ in range(3_002):
            try:
                limiter.count("one", {})
            except ApiError:
                refused += 1
        assert refused > 3_000
        return self.scrape()


CAUSES: dict[str, Callable[[World], Scrape]] = {
    "GatewayUnseen": lambda _: Scrape({}),
    "DatabaseAway": World.database_away,
    "DatabaseReadOnly": World.database_read_only,
    "PartitionMissing": World.partition_missing,
    "ClockWrong": World.clock_wrong,
    "DumpRestored": World.dump_restored,
    "PostingStale": lambda world: world.seen_before("posting@a"),
    "UpkeepStale": lambda world: world.seen_before("upkeep@a"),
    "WebhooksStale": lambda world: world.seen_before("webhooks@a"),
    "BeatSilent": lambda world: world.seen_before("beat"),
    "WorkersDeaf": lambda world: world.seen_before("posting@a", "heard_at"),
    "RailsStale": World.rails_stale,
    "ReplicaUnused": World.replica_unused,
    "BrokerAway": World.broker_away,
    "PaymentsOverdue": lambda world: world.payment_changed("due_at = now() - interval '61 s'"),
    "PaymentsParked": lambda world: world.payment_changed("parked_at = now()"),
    "WebhooksBehind": World.webhooks_behind,
    "WebhookReceiverFails": World.receiver_fails,
    "BooksUnbalanced": World.books_unbalanced,
    "BooksBroken": World.books_broken,
    "VerificationStale": World.verification_stale,
    "BellsFail": World.bells_fail,
    "BatchesFail": World.batches_fail,
    "RequestsFail": World.requests_fail,
    "RequestsSlow": World.requests_slow,
    "FinalSlow": World.final_slow,
    "ConnectionsSpent": World.connections_spent,
    "RequestsRefused": World.requests_refused,
}
IN_COMPANY = {
    "ConnectionsSpent": {"DatabaseAway"},
    "DumpRestored": {"WebhooksBehind"},
}
"""Alerts that the same cause raises too."""


def note_seen(api: ApiHarness, *names: str) -> None:
    with transaction(api.worker) as connection:
        for name in names:
            heartbeat.beat(connection, name)
