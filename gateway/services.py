"""The services that a process opens once and its requests share."""

from functools import cached_property

from flask import Response, current_app, request

import metrics
from gateway.acceptance.backpressure import Backpressure
from gateway.acceptance.final_payment_cache import FinalPaymentCache
from gateway.acceptance.group_commit import GroupCommit
from gateway.acceptance.reference_data import ReferenceData
from gateway.auth.rate_limit import RateLimits
from gateway.auth.revocation import TokenRevocations
from gateway.auth.secret_cipher import SecretCipher
from gateway.auth.tokens import TokenCache
from gateway.http.access_log import CONSISTENCY, WRITTEN
from gateway.http.large_reads import LargeReads
from gateway.reads import Reader, Reads
from gateway.waiting.waiters import Waiters
from models.session import POOL_SIZE, Engine, open_engine
from settings import Settings

READING = ("GET", "HEAD", "OPTIONS")
ERRORS = 400
"""Statuses from here on are those of errors."""

REPLICA_POOL_TIMEOUT_SECONDS = 0.2
"""The primary is asked instead of waiting for a connection to the replica."""


class Services:
    """The shared services of a process, each opened at its first use (so after a fork)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def engine(self) -> Engine:
        """The database, with the gateway's role."""
        if self.settings.gateway_database_url is None:
            raise RuntimeError("GATEWAY_DATABASE_URL is not set")
        opened = open_engine(
            self.settings.gateway_database_url, application="gateway", keeps_plans=not self.settings.database_pooler
        )
        metrics.watch_pool(opened, POOL_SIZE)
        return opened

    @cached_property
    def reads(self) -> Reads:
        """Where lists, exports, statements, closings and most reads of ops go."""
        settings, standby = self.settings, None
        if settings.database_replica_url:
            standby = open_engine(
                settings.database_replica_url,
                application="gateway-reads",
                keeps_plans=not settings.database_pooler,
                is_read_only=True,
                pool_timeout=REPLICA_POOL_TIMEOUT_SECONDS,
            )
            metrics.watch_pool(standby, POOL_SIZE)
        return Reads(self.engine, standby, settings.secret_key, settings.replica_lag_seconds_max)

    @cached_property
    def tokens(self) -> TokenCache:
        """The callers of bearer tokens."""
        return TokenCache(
            self.engine,
            self.revocations,
            require_confirmation=self.settings.require_confirmation,
            require_second_factor=self.settings.require_second_factor,
        )

    @cached_property
    def revocations(self) -> TokenRevocations:
        """Notices of revoked tokens between processes."""
        return TokenRevocations(self.settings.limits_redis_url)

    @cached_property
    def secret_cipher(self) -> SecretCipher:
        """Encrypts the secrets of second factors."""
        return SecretCipher(self.settings.second_factor_keys)

    @cached_property
    def rate_limits(self) -> RateLimits:
        """The rate limits."""
        return RateLimits(self.settings)

    @cached_property
    def reference_data(self) -> ReferenceData:
        """Currencies and technical accounts."""
        return ReferenceData(self.engine)

    @cached_property
    def final_payments(self) -> FinalPaymentCache:
        """Payments by id, final ones cached."""
        return FinalPaymentCache(self.engine)

    @cached_property
    def backpressure(self) -> Backpressure:
        """Refuses payments while others wait too long."""
        return Backpressure(self.engine, self.settings.queue_age_max_seconds)

    @cached_property
    def group_commit(self) -> GroupCommit:
        """Accepts payments, several in one commit."""
        return GroupCommit(self.engine, self.reference_data, self.backpressure, self.reads)

    @cached_property
    def large_reads(self) -> LargeReads:
        """The turns of large reads."""
        return LargeReads(self.settings.large_reads_max)

    @cached_property
    def waiters(self) -> Waiters:
        """Requests that wait for a payment or bulk."""
        settings = self.settings
        url = settings.listen_database_url or settings.gateway_database_url or ""
        return Waiters(self.engine, url, waiters_max=settings.waiters_max, of_user_max=settings.waiters_per_user_max)

    def close(self) -> None:
        """End the threads and connections of what was opened; the services must not be used afterwards."""
        opened = vars(self)
        if "waiters" in opened:
            self.waiters.close()
        if "revocations" in opened:
            self.revocations.close()
        if "reads" in opened:
            self.reads.close()
        if "engine" in opened:
            self.engine.dispose()


def services() -> Services:
    """The services of the current application."""
    return current_app.extensions["gateway"]


def reader() -> Reader:
    """The reads of the current request, which go to the replica if it has what the client saw and wrote."""
    return services().reads.reader(request.headers.get(CONSISTENCY))


def note_written(response: Response) -> Response:
    """After a request: the consistency token of what it wrote, in its environment."""
    if request.method not in READING and WRITTEN not in request.environ and response.status_code < ERRORS:
        request.environ[WRITTEN] = services().reads.token()
    return response
