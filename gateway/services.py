"""What a process opens once and its requests share."""

from functools import cached_property

from flask import current_app

from gateway.acceptance.final_payment_cache import FinalPaymentCache
from gateway.acceptance.group_commit import GroupCommit
from gateway.acceptance.reference_data import ReferenceData
from gateway.auth.rate_limit import RateLimits
from gateway.auth.revocation import TokenRevocations
from gateway.auth.tokens import TokenCache
from gateway.waiting.waiters import Waiters
from models.session import Engine, open_engine
from settings import Settings


class Services:
    """All that one process shares, each part opened at its first use (so after a fork)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def engine(self) -> Engine:
        """The database, as the gateway's role."""
        if self.settings.gateway_database_url is None:
            raise RuntimeError("GATEWAY_DATABASE_URL is not set")
        return open_engine(self.settings.gateway_database_url, application="gateway")

    @cached_property
    def tokens(self) -> TokenCache:
        """Who holds which token."""
        confirmed = self.settings.require_confirmation
        return TokenCache(self.engine, self.revocations, require_confirmation=confirmed)

    @cached_property
    def revocations(self) -> TokenRevocations:
        """What processes tell each other."""
        return TokenRevocations(self.settings.limits_redis_url)

    @cached_property
    def rate_limits(self) -> RateLimits:
        """How often who may call."""
        return RateLimits(self.settings)

    @cached_property
    def reference_data(self) -> ReferenceData:
        """Currencies and technical accounts."""
        return ReferenceData(self.engine)

    @cached_property
    def final_payments(self) -> FinalPaymentCache:
        """Payments by id."""
        return FinalPaymentCache(self.engine)

    @cached_property
    def group_commit(self) -> GroupCommit:
        """Where orders are kept."""
        return GroupCommit(self.engine, self.reference_data)

    @cached_property
    def waiters(self) -> Waiters:
        """Who waits for what."""
        given = self.settings
        url = given.gateway_database_url or ""
        return Waiters(self.engine, url, waiters_max=given.waiters_max, of_user_max=given.waiters_per_user_max)


def services() -> Services:
    """Those of the app that answers the current request."""
    return current_app.extensions["gateway"]
