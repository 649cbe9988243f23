"""Errors and traces go where a setting says, complete and masked; without one, neither library is loaded."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import bell
import settings
import telemetry
from embedded.home import CHECKOUT
from models.rules.webhook_url import UrlPolicy, networks_of
from tests.gateway.harness import ApiHarness
from tests.support import Database, eventually
from tests.webhook_receiver import Receiver, status
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.sender import Sender

IBAN = "DE89 3704 0044 0532 0130 00"
TOKEN = "pay_abcdefghijklmnopqrstuvwxyz"
FREE = """
import sys, wsgi, workers.tasks, workers.signals, telemetry
telemetry.start("test")
mine = ("sentry_sdk", "opentelemetry.sdk.trace", "opentelemetry.exporter", "tracing")  # the others: Redis's client
loaded = [name for name in sys.modules if name.startswith(mine)]
assert loaded == [], loaded
"""
FAIL = f"""
import logs
logs.take_over()
import structlog, telemetry
telemetry.start("test")
structlog.contextvars.bind_contextvars(request_id="request-1")
log = structlog.get_logger("payouts")
log.warning("no error")
log.error("a plain error about {TOKEN}")
try:
    raise ValueError("no payout to {IBAN} with {TOKEN}")
except ValueError as error:
    log.error("it failed", exc_info=error)
telemetry.stop()
"""


class Collector:
    """A server that keeps the bodies of what is posted to it, by path."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                unpacked = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                collector.bodies.append((self.path, unpacked))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def python(script: str, **environ: str) -> None:
    environ = {"PATH": "/usr/bin:/bin", "WORKER_DATABASE_URL": "postgresql://x/x", **environ}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_setting_nothing_is_loaded() -> None:
    python(FREE)


def test_errors_are_told_once_with_their_request_and_without_secrets(collector: Collector) -> None:
    python(FAIL, SENTRY_DSN=f"http://key@{collector.address}/1")
    lines = [line for _, body in collector.bodies for line in body.splitlines()]
    events = [event for line in lines if "event_id" in (event := json.loads(line)) and "level" in event]
    plain, raised = sorted(events, key=lambda event: "exception" in event)
    assert len(events) == 2
    assert plain["message"] == "a plain error about pay_...wxyz"
    [exception] = raised["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "no payout to DE...3000 with pay_...wxyz")
    assert raised["tags"] == {
        "service": "test",
        "logger": "payouts",
        "request_id": "request-1",
        "event": "it failed",
    }
    text = b"".join(lines).decode()
    assert TOKEN not in text
    assert IBAN not in text


def test_a_payment_is_one_trace_from_request_to_webhook(
    database: Database, bells: redis.Redis, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"http://{collector.address}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    api, config = ApiHarness(database), replace(settings.load(), otlp_endpoint=endpoint)
    payer = api.person()
    source, target, receiver = payer.wallet("10.00"), payer.wallet(), Receiver()
    receiver.answer = status(204)
    api.endpoint(payer.id, receiver.url, ["payment.completed"])
    monkeypatch.setattr(settings, "load", lambda: config)
    telemetry.start("test")
    try:
        order = {"source": source, "target": target, "amount": "0.01", "currency": "EUR"}
        ids = [payer.order("/v1/transfers", order).get_json()["id"] for _ in range(3)]
        bell.publish()
        api.post_payments()
        dispatcher = Dispatcher(api.worker, Sender(UrlPolicy(True, networks_of(["127.0.0.0/8"]))))
        dispatcher.dispatch()
        eventually(lambda: len(receiver.heard) == len(ids))
        dispatcher.close()
    finally:
        telemetry.stop()
        api.close()
    requests = [ExportTraceServiceRequest.FromString(body) for path, body in collector.bodies if path == "/v1/traces"]
    spans = [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    [batch] = [span for span in spans if span.name == "batch"]
    assert {link.trace_id.hex() for link in batch.links} == {id.replace("-", "") for id in ids}
    for id in ids:
        trace = [span for span in spans if span.trace_id.hex() == id.replace("-", "")]
        named = {span.name: span for span in trace}
        assert named.keys() - {"bell"} == {"POST /v1/transfers", "post", "webhook"}
        assert len(trace) == len(named)
        first = named.pop("POST /v1/transfers")
        assert (first.span_id.hex(), first.parent_span_id) == (id.replace("-", "")[16:], b"")
        assert {span.parent_span_id for span in named.values()} == {first.span_id}
        assert [link.span_id for link in named["post"].links] == [batch.span_id]
    bells = [span for span in spans if span.name == "bell"]
    rung = {trace.trace_id.hex() for span in bells for trace in (span, *span.links)}
    assert rung == {id.replace("-", "") for id in ids}
