"""Faults outside the application: a problem without a secret, or nothing if the connection ends."""

import logging
import socket

import pytest
from gevent import GreenletExit
from gunicorn.config import Config
from gunicorn.http import errors

from gateway.http.gunicorn_worker import MalformedBody, Worker
from tests.gateway.harness import ApiHarness
from tests.gateway.http.raw_answers import refused


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (RuntimeError("secret"), 500, "internal_error"),
        (errors.InvalidResponseHeader("X-A"), 500, "internal_error"),
        (errors.InvalidResponseHeaderName("X A"), 500, "internal_error"),
        (errors.ConfigurationProblem("/v1 is not below SCRIPT_NAME"), 404, "not_found"),
        (errors.InvalidProxyHeader("x"), 400, "bad_request"),
    ],
)
def test_a_fault_outside_the_application_is_a_problem(
    api: ApiHarness,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr("gunicorn.http.wsgi.SERVER", "payments")
    raw = said_of(api, fault)
    refused(raw, status, code)
    assert b"secret" not in raw
    assert [record.exc_info for record in caplog.records if record.exc_info] == (
        [(type(fault), fault, fault.__traceback__)] if code == "internal_error" else []
    )


@pytest.mark.parametrize("end", [GreenletExit(), SystemExit(), MalformedBody("bad_request", "answered already")])
def test_ended_connection_is_sent_nothing(api: ApiHarness, end: BaseException) -> None:
    assert said_of(api, end) == b""


def said_of(api: ApiHarness, fault: BaseException) -> bytes:
    """The bytes that a worker sends when this was raised outside the application."""
    worker = Worker.__new__(Worker)
    worker.cfg, worker.wsgi, worker.log = Config(), api.app, logging.getLogger("worker")
    here, there = socket.socketpair()
    with here, there:
        there.shutdown(socket.SHUT_WR)
        worker.handle_error(None, here, ("127.0.0.1", 1), fault)
        here.close()
        return there.recv(65_536)
