"""The client to be awaited: it takes the steps of flows by `httpx.AsyncClient`. Otherwise as `resource.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

import anyio
import httpx

from payments_client import models, operations
from payments_client.bulks import upload
from payments_client.consistency import Consistency
from payments_client.core import ClientCore
from payments_client.errors import NoAnswer
from payments_client.feed import FeedEvent, follow
from payments_client.flows import SILENCE_SECONDS_MAX, Flow, Item, Open, ReadLine, Send, Sleep, finishing
from payments_client.model import Model
from payments_client.operations import M, Page
from payments_client.requests import OK_MAX, Response, SocketAddress
from payments_client.resource import translated

T = TypeVar("T")
N = TypeVar("N", bound=Model)


class AsyncExchange:
    """The steps of one flow as requests; a stream is read to its end, or closed with the flow."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._open: httpx.Response | None = None
        self._lines: AsyncIterator[str] | None = None

    async def take(self, step: Send | Open | ReadLine | Sleep) -> Response | str | None:
        """The result of a step; raises NoAnswer."""
        if isinstance(step, Sleep):
            await anyio.sleep(step.seconds)
            return None
        with translated():
            if isinstance(step, ReadLine):
                async for line in self._lines or ():  # type: ignore[union-attr]
                    return line
                return None
            return await self._send(step)

    async def _send(self, step: Send | Open) -> Response:
        await self.close()
        request, is_open = step.request, isinstance(step, Open)
        seconds = min(step.seconds, SILENCE_SECONDS_MAX) if is_open else step.seconds
        built = self._http.build_request(
            request.method, request.url, headers=request.headers, content=request.content, timeout=seconds
        )
        try:
            with anyio.fail_after(step.seconds):
                response = await self._http.send(built, stream=True)
                if is_open and response.status_code <= OK_MAX:
                    self._open, self._lines = response, response.aiter_lines()
                    return Response(response.status_code, response.headers)
                try:
                    return Response(response.status_code, response.headers, await response.aread())
                finally:
                    await response.aclose()
        except TimeoutError as late:
            raise NoAnswer("the answer takes longer than the time for the call") from late

    async def close(self) -> None:
        """Close what is open."""
        if self._open:
            await self._open.aclose()
            self._open = None


class AsyncCore(ClientCore):
    """The connections of a client to be awaited; a context manager that closes them."""

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, token, timeout, retries)
        seen = Consistency()
        self._http = httpx.AsyncClient(
            transport=transport, event_hooks={"request": [seen.send_async], "response": [seen.hear_async]}
        )

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def iterate(self, flow: Flow[Any]) -> AsyncGenerator[Any, None]:
        """The items of a flow, whose steps are taken meanwhile."""
        exchange = AsyncExchange(self._http)
        result: Response | str | None = None
        error: NoAnswer | None = None
        try:
            while True:
                step = flow.throw(error) if error else flow.send(result)
                result = error = None
                if isinstance(step, Item):
                    yield step.value
                    continue
                try:
                    result = await exchange.take(step)
                except NoAnswer as lost:
                    error = lost
        except StopIteration:
            return
        finally:
            await exchange.close()

    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        result: T
        async for result in self.iterate(finishing(flow)):  # noqa: B007  the last item is the result
            pass
        return result


S = TypeVar("S", bound=AsyncCore)


class AsyncPages(Generic[M]):
    """A list: iterate over its rows, page after page; or take one page, or all rows as one file."""

    def __init__(self, client: AsyncCore, kind: type[M], id: str, given: Mapping[str, Any]) -> None:
        self._client = client
        self._asked = kind, id, given

    def __aiter__(self) -> AsyncIterator[M]:
        return self._client.iterate(operations.pages(self._client, *self._asked))

    async def page(self) -> Page[M]:
        """One page, that of `cursor` or the first."""
        return await self._client.run(operations.page(self._client, *self._asked))

    def export(self) -> AsyncIterator[M]:
        """Up to 100,000 rows in one answer, read as it comes; for lists that can be had as a file."""
        return self._client.iterate(operations.export(self._client, *self._asked))


class AsyncResource:
    """A group of operations."""

    def __init__(self, client: AsyncCore) -> None:
        self._client = client

    async def _call(self, kind: type[M], id: str, given: Mapping[str, Any]) -> M:
        return await self._client.run(operations.call(self._client, (kind,), id, given))

    async def _either(self, one: type[M], other: type[N], id: str, given: Mapping[str, Any]) -> M | N:
        either: tuple[type[Any], ...] = one, other
        return cast("M | N", await self._client.run(operations.call(self._client, either, id, given)))

    async def _do(self, id: str, given: Mapping[str, Any]) -> None:
        await self._client.run(operations.content(self._client, id, given))

    async def _bytes(self, id: str, given: Mapping[str, Any]) -> bytes:
        return await self._client.run(operations.content(self._client, id, given))

    def _pages(self, kind: type[M], id: str, given: Mapping[str, Any]) -> AsyncPages[M]:
        return AsyncPages(self._client, kind, id, given)

    def _rows(self, id: str, given: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        return self._client.iterate(operations.export(self._client, None, id, given))

    def _events(self, id: str, given: Mapping[str, Any]) -> AsyncIterator[models.Event]:
        return self._client.iterate(operations.events(self._client, id, given))

    def _socket(self, id: str, given: Mapping[str, Any]) -> SocketAddress:
        return operations.socket(self._client, id, given)


class AsyncFollows(AsyncResource):
    """The feed, followed."""

    def follow(self, after: str | None = None, **filters: str) -> AsyncIterator[FeedEvent]:
        """Every event that concerns you, for ever; as `Follows.follow`."""
        return self._client.iterate(follow(self._client, after, filters))


class AsyncUploads(AsyncResource):
    """Bulks, which take any number of lines."""

    _one: str

    async def upload(
        self,
        id: str,
        lines: Iterable[Mapping[str, Any]],
        *,
        close: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> models.Bulk:
        """Add lines to an open bulk, and close it; as `Uploads.upload`."""
        return await self._client.run(upload(self._client, self._one, id, lines, close, progress))
