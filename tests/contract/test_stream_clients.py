"""Event streams through the readers that people use: httpx-sse, the package eventsource, and Node's own EventSource.

Each connects, hears heartbeats, then what happens, and comes back to be told that there is nothing more.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import httpx_sse
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from gateway import streaming
from tests.contract import node
from tests.gateway.house import House, Person
from tests.support import eventually

HEARTBEATS = 3


@dataclass
class PageServer:
    """What stands between a page and the gateway: it adds the token, which an EventSource cannot send."""

    house: House
    token: str
    url: str = ""
    heartbeats: int = 0
    last_event_id: str = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        self.last_event_id = environ.get("HTTP_LAST_EVENT_ID", "")
        for piece in self.house.app(environ, start_response):
            self.heartbeats += piece.decode() == streaming.HEARTBEAT
            yield piece


class Handler(WSGIRequestHandler):
    """Answers in chunks, as the gateway's own server does."""

    protocol_version = "HTTP/1.1"


@pytest.fixture
def pages(house: House, client: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(streaming, "RETRY_MILLISECONDS", 50)
    pages = PageServer(house, client.token)
    server = make_server("127.0.0.1", 0, pages, threaded=True, request_handler=Handler)
    pages.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield pages
    server.shutdown()
    thread.join()
    server.server_close()


def by_httpx_sse(url: str) -> list[list[str]]:
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url) as source:
        told = [[one.event, one.id, one.data] for one in source.iter_sse()]
    with httpx.Client() as client:
        assert client.get(url, headers={"Last-Event-ID": told[-1][1]}).status_code == 204
    return told


def by_eventsource(client: str) -> Callable[[str], list[list[str]]]:
    def read(url: str) -> list[list[str]]:
        written = node.run("node", "--experimental-eventsource", "listen.mjs", CLIENT=client, STREAM=url)
        opened, *told = [json.loads(line) for line in written.splitlines()]
        assert opened == ["open"]
        return told

    return read


READERS = {"httpx-sse": by_httpx_sse, "npm eventsource": by_eventsource("npm"), "node": by_eventsource("node")}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_hears_each_event_once_and_nothing_else(
    house: House, client: Person, pages: PageServer, reader: str
) -> None:
    order = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    id = client.order("/v1/deposits", order).get_json()["id"]
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(READERS[reader], f"{pages.url}/v1/payments/{id}/events")
        eventually(lambda: pages.heartbeats >= HEARTBEATS or reading.done())
        house.post_payments()
        told = reading.result()
    assert [name for name, _, _ in told] == ["payment.initiated", "payment.completed"]
    assert all(json.loads(data)["data"]["id"] == id for _, _, data in told)
    assert pages.last_event_id == told[-1][1]
