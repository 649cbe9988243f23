"""Sending one webhook: a signed POST to an address that was just vetted; the answer's beginning is kept."""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

import httpcore
import httpx
import structlog
from standardwebhooks import Webhook

from models.rules.webhook_retry import (
    ANSWER_BYTES_MAX,
    ASK_TO_WAIT,
    AttemptFailure,
    AttemptOutcome,
    retry_after_seconds,
)
from models.rules.webhook_url import Target, TargetRefused, UrlPolicy, target_of
from models.webhook_address import Resolve, allowed_addresses, resolve_host
from workers.webhooks.bounded_stream import BoundedBackend

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""Time limit from resolving the name to the answer's headers."""

ANSWER_SECONDS = 1.0
"""Time for the beginning of the answer's body: the outcome is known by then, whatever it says."""

ADDRESSES_MAX = 3
"""Addresses of a name that are tried, one after the other, until one can be connected to."""

RESOLVERS_MAX = 256
"""Threads, created when needed: a name server that does not answer occupies one for longer than the call lasts."""

USER_AGENT = "payments-webhooks/1"

log = structlog.get_logger("webhooks")
logging.getLogger("httpcore").setLevel(logging.WARNING)  # below, it logs what receivers answer


class Clock(NamedTuple):
    """The database's time, carried on by the monotonic clock: receivers compare signatures' times with their own."""

    at: datetime
    monotonic_seconds: float

    def read(self) -> datetime:
        """The database's time now."""
        return self.at + timedelta(seconds=time.monotonic() - self.monotonic_seconds)


class WebhookCall(NamedTuple):
    """A webhook to send: `id` is the delivery's, the same on every attempt; the newest secret comes first."""

    id: str
    url: str
    body: str
    secrets: Sequence[str]
    clock: Clock


class Sender:
    """Sends webhooks, any number at once in one event loop; one per process."""

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        resolve: Resolve = resolve_host,
        verify: ssl.SSLContext | bool = True,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._resolvers = ThreadPoolExecutor(RESOLVERS_MAX, thread_name_prefix="resolver")
        self._timeout = httpx.Timeout(total_seconds, connect=connect_seconds).as_dict()
        self._total_seconds = total_seconds
        self._lookups: dict[tuple[str, int], asyncio.Future[list[str]]] = {}
        self._transport = _Transport(verify)

    async def send(self, call: WebhookCall) -> AttemptOutcome:
        """Make the call; every error becomes its outcome."""
        began = time.monotonic()
        response = None
        try:
            async with asyncio.timeout(self._total_seconds):
                outcome, response = await self._try_addresses(call)
        except TimeoutError:
            outcome = AttemptOutcome(None, AttemptFailure.TIMED_OUT)
        except TargetRefused as refused:
            outcome = AttemptOutcome(None, refused.code, detail=refused.detail)
        except Exception as error:
            log.error("a webhook could not be sent", delivery=call.id, exc_info=error)
            outcome = AttemptOutcome(None, AttemptFailure.INTERNAL)
        outcome = outcome._replace(milliseconds=round((time.monotonic() - began) * 1000))
        return outcome if response is None else outcome._replace(answer=await _beginning(response))

    async def _try_addresses(self, call: WebhookCall) -> tuple[AttemptOutcome, httpx.Response | None]:
        target = target_of(call.url, self._policy)
        outcome = AttemptOutcome(None, AttemptFailure.NOT_CONNECTED)
        addresses = [target.address] if target.address else await asyncio.shield(self._look_up(target))
        for address in addresses[:ADDRESSES_MAX]:
            try:
                return await self._post(call, target, address)
            except httpx.ConnectError as error:
                failure = AttemptFailure.TLS_FAILED if _is_tls(error) else AttemptFailure.NOT_CONNECTED
                outcome = AttemptOutcome(None, failure, detail=str(error))
            except httpx.ConnectTimeout:
                outcome = AttemptOutcome(None, AttemptFailure.NOT_CONNECTED, detail="it took too long")
            except httpx.TimeoutException:
                return AttemptOutcome(None, AttemptFailure.TIMED_OUT), None
            except httpx.TransportError as error:
                return AttemptOutcome(None, AttemptFailure.CONNECTION_BROKEN, detail=str(error)), None
        return outcome, None

    def _look_up(self, target: Target) -> asyncio.Future[list[str]]:
        """The allowed addresses of the name; simultaneous calls to one name share the thread that resolves it."""
        key = (target.host, target.port)
        if key not in self._lookups:
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(self._resolvers, allowed_addresses, target, self._policy, self._resolve)
            lookup.add_done_callback(lambda _: self._lookups.pop(key))
            self._lookups[key] = lookup
        return self._lookups[key]

    async def _post(
        self, call: WebhookCall, target: Target, address: str
    ) -> tuple[AttemptOutcome, httpx.Response | None]:
        """POST to one address; status and Retry-After are the outcome, and redirects are not followed."""
        request = httpx.Request(
            "POST",
            target.url_at(address),
            headers={"Host": target.authority, **signed_headers(call)},
            content=call.body.encode(),
            extensions={"timeout": self._timeout, "sni_hostname": target.host},
        )
        response = await self._transport.handle_async_request(request)
        status = response.status_code
        wait = retry_after_seconds(
            response.headers.get("Retry-After") if status in ASK_TO_WAIT else None, call.clock.read()
        )
        if response.is_success:
            return AttemptOutcome(status, None, retry_after=wait), response
        return AttemptOutcome(status, AttemptFailure.HTTP_STATUS, retry_after=wait, detail=str(status)), response


async def _beginning(response: httpx.Response) -> bytes | None:
    """The first ANSWER_BYTES_MAX of the body, as far as they come within ANSWER_SECONDS; None if nothing came."""
    answer = bytearray()
    with contextlib.suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(ANSWER_SECONDS):
            async for part in response.aiter_raw():
                answer += part
                if len(answer) >= ANSWER_BYTES_MAX:
                    break
    with contextlib.suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await response.aclose()
    return bytes(answer[:ANSWER_BYTES_MAX]) or None


class _Transport(httpx.AsyncHTTPTransport):
    """Keeps no connection alive: one opened for a name must not be reused for another name at the same address."""

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        context = httpx.create_ssl_context(verify, trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            context,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=BoundedBackend(),
        )


def signed_headers(call: WebhookCall) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0, signed at this moment with every secret."""
    at = call.clock.read()
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": call.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(call.id, at, call.body) for secret in call.secrets),
    }


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
