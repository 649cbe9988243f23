"""Event streams through the readers that people use: httpx-sse, and EventSource of npm, of Node and of a browser.

Each connects, receives heartbeats, then the events, and reconnects to learn that there is nothing more.
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
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from gateway.events import subscription
from tests.contract import browser, node
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import eventually

HEARTBEATS = 3
FILES = {"/listen.html": "text/html", "/listening.js": "text/javascript"}


@dataclass
class PageServer:
    """A server between a page and the gateway: it serves the page, and adds the token, as no EventSource can."""

    api: ApiHarness
    token: str
    url: str = ""
    heartbeats: int = 0
    last_event_id: str = ""
    reported: list[str] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if request.path == "/reported":
            self.reported = request.get_data(as_text=True).splitlines()
            return Response(status=204)(environ, start_response)
        if kind := FILES.get(request.path):
            return Response((node.HERE / request.path[1:]).read_bytes(), mimetype=kind)(environ, start_response)
        return self.stream(environ, start_response)

    def stream(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        self.last_event_id = environ.get("HTTP_LAST_EVENT_ID", "")
        for piece in self.api.app(environ, start_response):
            self.heartbeats += piece.decode() == subscription.HEARTBEAT
            yield piece


class Handler(WSGIRequestHandler):
    """Answers in chunks, as the gateway's own server does."""

    protocol_version = "HTTP/1.1"


@pytest.fixture
def pages(api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(subscription, "RETRY_MILLISECONDS", 50)
    pages = PageServer(api, client.token)
    server = make_server("127.0.0.1", 0, pages, threaded=True, request_handler=Handler)
    pages.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield pages
    server.shutdown()
    thread.join()
    server.server_close()


def by_httpx_sse(pages: PageServer, path: str) -> list[list[str]]:
    url = pages.url + path
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url) as source:
        events = [[event.event, event.id, event.data] for event in source.iter_sse()]
    with httpx.Client() as client:
        assert client.get(url, headers={"Last-Event-ID": events[-1][1]}).status_code == 204
    return events


def by_npm(pages: PageServer, path: str, client: str = "npm") -> list[list[str]]:
    url = pages.url + path
    written = node.run("node", "--experimental-eventsource", "listen.mjs", CLIENT=client, STREAM=url)
    return opened_once(written.splitlines())


def by_node(pages: PageServer, path: str) -> list[list[str]]:
    return by_npm(pages, path, "node")


def by_browser(pages: PageServer, path: str) -> list[list[str]]:
    browser.visit(f"{pages.url}/listen.html#{path}", lambda: pages.reported is not None)
    return opened_once(pages.reported or [])


def opened_once(lines: list[str]) -> list[list[str]]:
    opened, *events = [json.loads(line) for line in lines]
    assert opened == ["open"]
    return events


READERS = {"httpx-sse": by_httpx_sse, "npm eventsource": by_npm, "node": by_node, "browser": by_browser}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_hears_each_event_once_and_nothing_else(
    api: ApiHarness, client: ApiUser, pages: PageServer, reader: str
) -> None:
    order = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    id = client.order("/v1/deposits", order).get_json()["id"]
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(READERS[reader], pages, f"/v1/payments/{id}/events")
        eventually(lambda: pages.heartbeats >= HEARTBEATS or reading.done())
        api.post_payments()
        events = reading.result()
    assert [name for name, _, _ in events] == ["payment.initiated", "payment.completed"]
    assert all(json.loads(data)["data"]["id"] == id for _, _, data in events)
    assert pages.last_event_id == events[-1][1]
