"""A worker serves its metrics to callers with the token, if one is set; a port that is taken costs nothing else."""

import os
import socket
from dataclasses import replace

import httpx
import pytest

import settings
from settings import Settings
from workers import metrics_server

TOKEN = "the token of the monitors"


@pytest.fixture
def free() -> str:
    """An address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(autouse=True)
def nothing_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "_serving", None)


def serving(bind: str, token: str = "") -> Settings:
    return replace(settings.load(), metrics_bind=bind, metrics_token=token)


def test_it_answers_with_the_token_alone(free: str) -> None:
    metrics_server.start(serving(free, TOKEN))
    url = f"http://{free}/metrics"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert "# TYPE payments_batch_size histogram" in answer.text
    for bearer in ("", "Bearer", f"Bearer {TOKEN}x"):
        refused = httpx.get(url, headers={"Authorization": bearer})
        assert (refused.status_code, refused.headers["WWW-Authenticate"], refused.text) == (401, "Bearer", "")
    assert httpx.get(f"http://{free}/").status_code == 404
    assert httpx.post(url).status_code == 501


def test_a_socket_that_it_inherits_needs_no_port(free: str) -> None:
    host, _, port = free.partition(":")
    with socket.create_server((host, int(port))) as listener:
        metrics_server.start(serving(f"fd://{listener.fileno()}"))
        assert httpx.get(f"http://{free}/metrics").status_code == 200


def test_a_port_that_is_taken_is_no_reason_to_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics_server.start(serving(f"127.0.0.1:{taken.getsockname()[1]}"))
    assert metrics_server._serving is None


def test_without_a_setting_nothing_is_served() -> None:
    metrics_server.start(serving(""))
    assert metrics_server._serving is None


def test_a_child_leaves_the_socket_to_its_parent(free: str) -> None:
    metrics_server.start(serving(free))
    child = os.fork()
    if child == 0:
        metrics_server.forget()
        os._exit(0 if metrics_server._serving[1].fileno() == -1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    metrics_server.forget()
    assert httpx.get(f"http://{free}/metrics").status_code == 200
