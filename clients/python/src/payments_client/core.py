"""What both clients are: where they ask, as whom, and for how long."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping
from typing import Any, TypeVar

from payments_client._routes import ROUTES
from payments_client.flows import Policy
from payments_client.model import Origin
from payments_client.requests import JSON, Request, Response, build

C = TypeVar("C", bound="ClientCore")

VERSION = "0.1.0"
USER_AGENT = f"payments-client/{VERSION} python/{platform.python_version()}"


class ClientCore:
    """Where a client asks, as whom, and for how long; raises ValueError without a URL."""

    def __init__(self, base_url: str | None, token: str | None, timeout: float, retries: int) -> None:
        url = base_url or os.environ.get("PAYMENTS_URL")
        if not url:
            raise ValueError("say where the API is: base_url, or PAYMENTS_URL in the environment")
        self.base_url = url.rstrip("/")
        self.token = token or os.environ.get("PAYMENTS_TOKEN")
        self.policy = Policy(timeout, retries)

    def with_options(
        self: C, *, token: str | None = None, timeout: float | None = None, retries: int | None = None
    ) -> C:
        """This client with another token, total time or number of retries; both share their connections."""
        other = copy.copy(self)
        other.token = token or self.token
        other.policy = Policy(
            self.policy.timeout if timeout is None else timeout, self.policy.retries if retries is None else retries
        )
        return other

    def request(
        self, id: str, given: Mapping[str, Any], *, accept: str = JSON, headers: Mapping[str, str] | None = None
    ) -> Request:
        """The request of an operation, by its id, with the arguments of its method."""
        sent = {"User-Agent": USER_AGENT, **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        return build(ROUTES[id], self.base_url, given, sent, accept=accept)

    def origin(self, request: Request, response: Response) -> Origin:
        """What an object of this response says of how it came."""
        return Origin(self, request.idempotency_key, response.headers)
