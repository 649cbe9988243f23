"""The blocking client: it takes the steps of flows by `httpx.Client`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

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

T = TypeVar("T")
N = TypeVar("N", bound=Model)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the connection as NoAnswer; what was never sent because it cannot be is raised as it is."""
    try:
        yield
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol):
        raise
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error


class Exchange:
    """The steps of one flow as requests; a stream is read to its end, or closed with the flow."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open: httpx.Response | None = None
        self._lines: Iterator[str] = iter(())

    def take(self, step: Send | Open | ReadLine | Sleep) -> Response | str | None:
        """The result of a step; raises NoAnswer."""
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return None
        with translated():
            if isinstance(step, ReadLine):
                return next(self._lines, None)
            return self._send(step)

    def _send(self, step: Send | Open) -> Response:
        self.close()
        deadline = time.monotonic() + step.seconds
        request, is_open = step.request, isinstance(step, Open)
        seconds = min(step.seconds, SILENCE_SECONDS_MAX) if is_open else step.seconds
        built = self._http.build_request(
            request.method, request.url, headers=request.headers, content=request.content, timeout=seconds
        )
        response = self._http.send(built, stream=True)
        if is_open and response.status_code <= OK_MAX:
            self._open, self._lines = response, response.iter_lines()
            return Response(response.status_code, response.headers)
        try:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes longer than the time for the call")
            return Response(response.status_code, response.headers, body)
        finally:
            response.close()

    def close(self) -> None:
        """Close what is open."""
        if self._open:
            self._open.close()
            self._open = None


class Core(ClientCore):
    """The connections of a blocking client; a context manager that closes them."""

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, token, timeout, retries)
        seen = Consistency()
        self._http = httpx.Client(transport=transport, event_hooks={"request": [seen.send], "response": [seen.hear]})

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def iterate(self, flow: Flow[Any]) -> Generator[Any, None, None]:
        """The items of a flow, whose steps are taken meanwhile."""
        exchange = Exchange(self._http)
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
                    result = exchange.take(step)
                except NoAnswer as lost:
                    error = lost
        except StopIteration:
            return
        finally:
            exchange.close()

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        result: T
        for result in self.iterate(finishing(flow)):  # noqa: B007  the last item is the result
            pass
        return result


S = TypeVar("S", bound=Core)


class Pages(Generic[M]):
    """A list: iterate over its rows, page after page; or take one page, or all rows as one file."""

    def __init__(self, client: Core, kind: type[M], id: str, given: Mapping[str, Any]) -> None:
        self._client = client
        self._asked = kind, id, given

    def __iter__(self) -> Iterator[M]:
        return self._client.iterate(operations.pages(self._client, *self._asked))

    def page(self) -> Page[M]:
        """One page, that of `cursor` or the first."""
        return self._client.run(operations.page(self._client, *self._asked))

    def export(self) -> Iterator[M]:
        """Up to 100,000 rows in one answer, read as it comes; for lists that can be had as a file."""
        return self._client.iterate(operations.export(self._client, *self._asked))


class Resource:
    """A group of operations."""

    def __init__(self, client: Core) -> None:
        self._client = client

    def _call(self, kind: type[M], id: str, given: Mapping[str, Any]) -> M:
        return self._client.run(operations.call(self._client, (kind,), id, given))

    def _either(self, one: type[M], other: type[N], id: str, given: Mapping[str, Any]) -> M | N:
        either: tuple[type[Any], ...] = one, other
        return cast("M | N", self._client.run(operations.call(self._client, either, id, given)))

    def _do(self, id: str, given: Mapping[str, Any]) -> None:
        self._client.run(operations.content(self._client, id, given))

    def _bytes(self, id: str, given: Mapping[str, Any]) -> bytes:
        return self._client.run(operations.content(self._client, id, given))

    def _pages(self, kind: type[M], id: str, given: Mapping[str, Any]) -> Pages[M]:
        return Pages(self._client, kind, id, given)

    def _rows(self, id: str, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return self._client.iterate(operations.export(self._client, None, id, given))

    def _events(self, id: str, given: Mapping[str, Any]) -> Iterator[models.Event]:
        return self._client.iterate(operations.events(self._client, id, given))

    def _socket(self, id: str, given: Mapping[str, Any]) -> SocketAddress:
        return operations.socket(self._client, id, given)


class Follows(Resource):
    """The feed, followed."""

    def follow(self, after: str | None = None, **filters: str) -> Iterator[FeedEvent]:
        """Every event that concerns you, for ever, through broken connections and restarts of the service.

        Begins after the cursor of the last event that you have handled; without one, with what happens from now on.
        `filters` are those of `list`.
        """
        return self._client.iterate(follow(self._client, after, filters))


class Uploads(Resource):
    """Bulks, which take any number of lines."""

    _one: str

    def upload(
        self,
        id: str,
        lines: Iterable[Mapping[str, Any]],
        *,
        close: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> models.Bulk:
        """Add lines to an open bulk, and close it; called again with the same lines it goes on where it broke off.

        `progress` is called with the number of lines that are stored, again and again.
        """
        return self._client.run(upload(self._client, self._one, id, lines, close, progress))
