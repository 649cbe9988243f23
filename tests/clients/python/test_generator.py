"""The generated modules are those of the document, and every route of it is a method of both clients."""

import inspect
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
from payments_client import AsyncClient, Client, NotFound
from payments_client.async_resource import AsyncPages, AsyncResource
from payments_client.requests import SocketAddress
from payments_client.resource import Pages, Resource

from clients.python.generator.__main__ import DOCUMENT, PACKAGE, write

METHODS = ("get", "post", "put", "patch", "delete")
VALUES: dict[str, Any] = {
    "str": "00000000-0000-0000-0000-000000000000",
    "int": 1,
    "float": 1,
    "bool": True,
    "bytes": b"",
    "Amount": "1.00",
    "datetime": datetime(2026, 12, 3, tzinfo=UTC),
    "date": date(2026, 12, 3),
}
"""An argument of each type."""


def test_the_committed_modules_are_those_of_the_document(tmp_path: Path) -> None:
    write(tmp_path)
    for made in tmp_path.iterdir():
        assert (PACKAGE / made.name).read_text() == made.read_text(), "run: make contract"


def documented() -> set[tuple[str, str]]:
    paths = json.loads(DOCUMENT.read_text())["paths"]
    return {(method.upper(), path) for path, item in paths.items() for method in METHODS if method in item}


def methods(client: Any, kind: type) -> Iterator[Callable[..., Any]]:
    """The operations of a client, those of its resources among them."""
    for name in dir(type(client)):
        if not isinstance(getattr(type(client), name), property):
            continue
        resource = getattr(client, name)
        assert isinstance(resource, kind)
        yield from methods(resource, kind)
        for _, method in inspect.getmembers(resource, inspect.ismethod):
            if "locals()" in inspect.getsource(method):
                yield method


def argument(hint: str) -> Any:
    if literal := re.match(r"Literal\[(['\"])(.+?)\1", hint):
        return literal[2]
    return [] if hint.startswith("Sequence") else VALUES.get(hint.partition(" |")[0], {"k": "v"})


def arguments(method: Callable[..., Any]) -> dict[str, Any]:
    """A value for each parameter that must be given."""
    given = inspect.signature(method).parameters.values()
    return {p.name: argument(p.annotation) for p in given if p.default is inspect.Parameter.empty}


class Recorder:
    """A server that finds nothing, and notes which operation of the document each request was."""

    def __init__(self) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.patterns = {(method, path): re.sub(r"\{\w+\}", "[^/]+", path) for method, path in documented()}

    def hear(self, method: str, path: str) -> None:
        fits = [known for known, pattern in self.patterns.items() if known[0] == method and re.fullmatch(pattern, path)]
        self.heard.add(min(fits, key=lambda known: known[1].count("{")))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.hear(request.method, request.url.path)
        return httpx.Response(404, json={"code": "not_found"})


URL = "http://payments.example"


def test_every_route_is_a_method_of_the_client() -> None:
    recorder = Recorder()
    with Client(URL, transport=httpx.MockTransport(recorder)) as client:
        for method in methods(client, Resource):
            with suppress(NotFound):
                answer = method(**arguments(method))
                if isinstance(answer, SocketAddress):
                    recorder.hear("GET", answer.url.removeprefix("ws://payments.example"))
                elif isinstance(answer, Pages):
                    answer.page()
                else:
                    next(answer)
    assert recorder.heard == documented()


HEADERS = {
    "wait": "prefer",
    "idempotency_key": "idempotency-key",
    "if_match": "if-match",
    "content_type": "content-type",
}


def arrived(request: httpx.Request) -> set[str]:
    """The names of all that a request carries, beside what is in its path."""
    names = {name.partition("[")[0] for name in request.url.params}
    names |= {name for name, header in HEADERS.items() if header in request.headers}
    if request.method == "GET":
        assert "idempotency-key" not in request.headers, "a filter of that name belongs into the query"
    if request.headers.get("content-type") == "application/json":
        return names | json.loads(request.content).keys()
    return names | {"content"}


def test_every_argument_of_a_method_is_sent() -> None:
    requests: list[httpx.Request] = []

    def hear(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(404, json={"code": "not_found"})

    with Client(URL, transport=httpx.MockTransport(hear)) as client:
        for method in methods(client, Resource):
            given = inspect.signature(method).parameters.values()
            with suppress(NotFound):
                answer = method(**{p.name: argument(p.annotation) for p in given})
                if isinstance(answer, SocketAddress):
                    continue
                answer = answer.page() if isinstance(answer, Pages) else next(answer)
            named = {p.name.removesuffix("_") for p in given if p.kind is p.KEYWORD_ONLY}
            assert named <= arrived(requests.pop()), method.__qualname__


def test_every_route_is_a_method_to_be_awaited() -> None:
    recorder = Recorder()

    async def call_all() -> None:
        async with AsyncClient(URL, transport=httpx.MockTransport(recorder)) as client:
            for method in methods(client, AsyncResource):
                with suppress(NotFound):
                    answer = method(**arguments(method))
                    if isinstance(answer, SocketAddress):
                        recorder.hear("GET", answer.url.removeprefix("ws://payments.example"))
                    elif isinstance(answer, AsyncPages):
                        await answer.page()
                    else:
                        await (anext(answer) if isinstance(answer, AsyncIterator) else answer)

    anyio.run(call_all)
    assert recorder.heard == documented()


def test_both_clients_have_the_same_methods() -> None:
    names = [
        {method.__qualname__.removeprefix("Async"): inspect.signature(method).parameters.keys() for method in found}
        for found in (
            methods(Client(URL), Resource),
            methods(AsyncClient(URL), AsyncResource),
        )
    ]
    assert names[0] == names[1]
