"""Connections go to vetted addresses, never where a hostile URL or name server leads; TLS is checked by name."""

import asyncio
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from environs import EnvError
from structlog.testing import capture_logs

import settings
from models.rules.webhook_retry import AttemptOutcome
from models.rules.webhook_url import STRICT, UrlPolicy, networks_of, target_of
from models.webhook_endpoint import new_secret
from tests.ssrf_cases import ADDRESSES, URLS
from tests.webhook_receiver import Receiver
from tests.workers.webhooks.conftest import LOOPBACK, Post, new_sender
from workers.webhooks.sender import Clock, Sender, WebhookCall, signed_headers

QUICK = {"connect_seconds": 1.0, "total_seconds": 2.0}
"""For calls without an answer; an answer may take longer on a busy machine."""

PUBLIC = "93.184.216.34"
SECRETS = [new_secret()]
CLOCK = Clock(datetime(2026, 1, 1, tzinfo=UTC), time.monotonic())


class Connections:
    """Records every address to which this process connects while `is_listening`."""

    def __init__(self) -> None:
        self.made: list[object] = []
        self.is_listening = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if self.is_listening and event in ("socket.connect", "socket.sendto") and not isinstance(arguments[1], str):
            self.made.append(arguments[1])


RECORDER = Connections()
"""One for the process: an audit hook cannot be removed."""


@pytest.fixture
def connections() -> Iterator[list]:
    """The addresses connected to during the test."""
    RECORDER.made.clear()
    RECORDER.is_listening = True
    yield RECORDER.made
    RECORDER.is_listening = False


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on loopback that must not be reached."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def sent(sender: Sender, url: str) -> AttemptOutcome:
    return asyncio.run(sender.send(WebhookCall("id", url, "{}", SECRETS, CLOCK)))


def answering(*answers: list[str]) -> Callable[[str, int], list[str]]:
    """A name server that gives these answers in turn, and repeats the last."""
    left = list(answers)
    return lambda _host, _port: left.pop(0) if len(left) > 1 else left[0]


def test_recorder_sees_connections(connections: list, listener: socket.socket):
    port = listener.getsockname()[1]
    outcome = sent(new_sender(LOOPBACK, **QUICK), f"http://127.0.0.1:{port}/")
    assert outcome.error == "timed_out"
    assert connections == [("127.0.0.1", port)]
    listener.accept()[0].close()


@pytest.mark.parametrize("policy", [STRICT, UrlPolicy(http=True)], ids=["strict", "http"])
def test_hostile_url_is_not_connected_to(connections: list, listener: socket.socket, policy: UrlPolicy):
    port = listener.getsockname()[1]
    sender = new_sender(policy, resolve=answering(["127.0.0.1"]))
    assert len(URLS) > 20
    for url in [*URLS, *(f"{scheme}://127.0.0.1:{port}/" for scheme in ("http", "https"))]:
        outcome = sent(sender, url)
        assert (outcome.status, outcome.error in REFUSALS) == (None, True), (url, outcome)
    assert connections == []
    with pytest.raises(BlockingIOError):
        listener.accept()


REFUSALS = {"url_malformed", "scheme_refused", "host_refused", "port_refused", "address_refused", "host_unknown"}


def test_hostile_name_server_address_is_not_connected_to(connections: list):
    answers = [answer for address in ADDRESSES for answer in ([address], [PUBLIC, address], [address, PUBLIC])]
    by_host = {f"host-{number}.example": answer for number, answer in enumerate(answers)}
    sender = new_sender(STRICT, resolve=lambda host, _port: by_host[host])

    async def outcomes() -> dict[str, AttemptOutcome]:
        calls = {host: WebhookCall("id", f"https://{host}/hook", "{}", SECRETS, CLOCK) for host in by_host}
        return {host: await sender.send(call) for host, call in calls.items()}

    refused = asyncio.run(outcomes())
    assert {str(by_host[host]): o.error for host, o in refused.items() if o.error != "address_refused"} == {}
    assert len(refused) == 3 * len(ADDRESSES) > 100
    assert connections == []


def test_name_is_resolved_once_and_vetted_on_each_try(connections: list):
    """Public at first, loopback when asked again, as a rebinding name server answers."""
    resolved: list[str] = []
    answers = answering([PUBLIC], ["127.0.0.1"])

    def resolve(host: str, port: int) -> list[str]:
        resolved.append(host)
        return answers(host, port)

    sender = new_sender(STRICT, resolve=resolve, **QUICK)
    sent(sender, "https://good.example/")
    assert (resolved, connections) == (["good.example"], [(PUBLIC, 443)])
    assert sent(sender, "https://good.example/").error == "address_refused"
    assert (len(resolved), connections) == (2, [(PUBLIC, 443)])


def test_unknown_name_is_not_connected_to(connections: list):
    def nowhere(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    assert sent(new_sender(STRICT, resolve=nowhere), "https://good.example/").error == "host_unknown"
    assert sent(new_sender(STRICT, resolve=answering([])), "https://good.example/").error == "host_unknown"
    assert connections == []


def test_hanging_name_server_is_bounded_by_the_call_timeout():
    over = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        over.wait()
        return [PUBLIC]

    async def send() -> AttemptOutcome:
        outcome = await new_sender(STRICT, resolve=hang, **QUICK).send(
            WebhookCall("id", "https://good.example/", "{}", SECRETS, CLOCK)
        )
        over.set()
        return outcome

    assert asyncio.run(send()).error == "timed_out"


def test_next_address_is_tried_if_one_is_unreachable(post: Post, connections: list, monkeypatch: pytest.MonkeyPatch):
    receiver = post.receiver()
    port = target_of(receiver.url, LOOPBACK).port
    monkeypatch.setattr("models.rules.webhook_url.PORTS", {"http": (port,)})
    sender = new_sender(LOOPBACK, resolve=answering(["127.0.0.3", "127.0.0.1", "127.0.0.2"]))
    assert sent(sender, "http://shop.example/").status == 204
    assert connections == [("127.0.0.3", port), ("127.0.0.1", port)]


def test_proxy_of_the_environment_is_not_used(post: Post, connections: list, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.9:3128")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.9:3128")
    receiver = post.receiver()
    assert sent(new_sender(LOOPBACK), receiver.url).status == 204
    assert "127.0.0.9" not in {address[0] for address in connections}


def test_cookies_are_not_kept(post: Post):
    receiver = post.receiver()

    def give_cookie(handler, _heard) -> None:
        handler.send_response(200)
        handler.send_header("Set-Cookie", "a=b; Path=/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answer = give_cookie
    sender = new_sender(LOOPBACK)

    async def twice() -> None:
        for _ in range(2):
            assert (await sender.send(WebhookCall("id", receiver.url, "{}", SECRETS, CLOCK))).status == 200

    asyncio.run(twice())
    assert [heard.headers.get("cookie") for heard in receiver.heard] == [None, None]


def test_secret_url_and_answer_are_not_logged(post: Post, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    receiver = post.receiver()
    head = b"HTTP/1.1 500 No\r\nX-Told: the-answer\r\nContent-Length: 10\r\n\r\n"
    receiver.answer = lambda handler, _: handler.wfile.write(head + b"the-answer")
    endpoint, secret = post.endpoint(f"{receiver.url}?key=the-url", types=("payment.completed",))
    post.pay()
    with capture_logs() as lines:
        delivery = post.until(lambda: post.deliveries(endpoint))[0]
        post.tried(delivery.id, 1)
    logged = f"{lines} {caplog.text}"
    assert delivery.id in logged
    for never in (secret, secret.removeprefix("whsec_"), "the-url", "the-answer", receiver.heard[0].body.decode()):
        assert never not in logged


def test_headers_contain_no_line_break():
    for name, value in signed_headers(WebhookCall("id", "https://good.example/", "{}", SECRETS, CLOCK)).items():
        assert "\n" not in name + value


def test_signature_time_is_that_of_the_database():
    """Receivers refuse times minutes off their clock, so the worker's clock is not used."""
    begun = time.monotonic()
    headers = signed_headers(WebhookCall("id", "https://good.example/", "{}", SECRETS, Clock(CLOCK.at, begun - 60)))
    assert 60 <= int(headers["webhook-timestamp"]) - CLOCK.at.timestamp() <= 60 + time.monotonic() - begun


class Tls(Receiver):
    """A receiver with the certificate of `secure.example`."""

    def __init__(self, folder: Path) -> None:
        super().__init__("HTTP/1.1")
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=secure.example", "-addext", "subjectAltName=DNS:secure.example",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        server: ThreadingHTTPServer = self._server
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.names: list[str | None] = []
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.certificate = certificate
        self.port = server.server_port


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Tls]:
    receiver = Tls(tmp_path)
    yield receiver
    receiver.close()


def test_tls_verifies_the_name_over_the_vetted_address(secure: Tls, connections: list, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("models.rules.webhook_url.PORTS", {"https": (secure.port,), "http": (80,)})
    policy = UrlPolicy(networks=networks_of(["127.0.0.0/8"]))
    trusting = ssl.create_default_context(cafile=str(secure.certificate))
    sender = new_sender(policy, resolve=answering(["127.0.0.1"]), verify=trusting)

    async def both() -> list[AttemptOutcome]:
        urls = ("https://secure.example/hook?a=b", "https://other.example/")
        return [await sender.send(WebhookCall("id", url, "{}", SECRETS, CLOCK)) for url in urls]

    right, wrong = asyncio.run(both())
    assert (right.status, wrong.error) == (204, "tls_failed"), "the line opened for one name is not used for another"
    assert (secure.names, secure.heard[0].headers["host"]) == (["secure.example", "other.example"], "secure.example")
    assert [address for address in connections if address[1] == secure.port] == [("127.0.0.1", secure.port)] * 2
    assert sent(new_sender(policy, resolve=answering(["127.0.0.1"])), "https://secure.example/").error == "tls_failed"
    assert len(secure.heard) == 1


@pytest.mark.parametrize("wrong", ["127.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8 192.168.0.0/16"])
def test_invalid_network_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str):
    monkeypatch.setenv("WEBHOOK_NETWORKS", wrong)
    with pytest.raises(EnvError, match="WEBHOOK_NETWORKS"):
        settings.load.__wrapped__()
    monkeypatch.setenv("WEBHOOK_NETWORKS", "127.0.0.0/8, fd00::/8")
    assert settings.load.__wrapped__().webhook_networks == ("127.0.0.0/8", "fd00::/8")
