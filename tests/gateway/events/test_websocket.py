"""WebSockets of a served gateway, and requests that are refused before the upgrade."""

import contextlib
import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simple_websocket import Client, ConnectionClosed
from uuid_utils import compat as uuids
from werkzeug.serving import make_server

from gateway.events import subscription, websocket
from gateway.events.websocket import MESSAGE_BYTES_MAX
from tests.gateway.events.live_gateway import Served, serving
from tests.gateway.events.websocket_clients import SECONDS, UPGRADE, heard, line
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, eventually

ORIGIN = "https://shop.example"


@pytest.fixture(scope="module")
def served(
    database: Database, api: ApiHarness, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    changes = {"ALLOWED_HOSTS": "x,127.0.0.1", "ALLOWED_ORIGINS": ORIGIN, "GATEWAY_WORKERS": "1"}
    with serving(database, api, redis_url, tmp_path_factory.mktemp("served"), **changes) as served:
        yield served


def closing(client: Client) -> int:
    """The status code of the server's close frame."""
    with pytest.raises(ConnectionClosed) as ended:
        raise AssertionError(client.receive(SECONDS))
    return ended.value.reason


def access_lines(served: Served, id: str) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in served.log.read_text().splitlines() if id in text]
    return [line for line in lines if line["event"] == "request"]


def test_websocket_sends_state_then_events_then_closes(served: Served, client: ApiUser, payment: str) -> None:
    with line(served.port, payment, client) as ws:
        assert heard(ws) == {"type": "payment", "data": client.payment(payment)}
        served.api.post_payments()
        end = heard(ws)
        assert end["type"] == "payment.completed"
        assert end["data"] == client.payment(payment)
        assert closing(ws) == 1000
    [logged] = eventually(lambda: access_lines(served, payment))
    assert (logged["status"], logged["user_id"]) == (101, client.id)


def test_websocket_of_final_payment_sends_state_and_closes(served: Served, client: ApiUser, payment: str) -> None:
    served.api.post_payments()
    with line(served.port, payment, client) as ws:
        assert heard(ws)["data"]["state"] == "COMPLETED"
        assert closing(ws) == 1000


def test_token_as_subprotocol_is_accepted(served: Served, client: ApiUser, payment: str) -> None:
    offered = ["payments", f"bearer.{client.token}"]
    with line(served.port, payment, client, headers={"Origin": ORIGIN}, subprotocols=offered) as ws:
        assert ws.subprotocol == "payments"
        assert heard(ws)["type"] == "payment"
    eventually(lambda: access_lines(served, payment))
    assert client.token not in served.log.read_text()


def test_messages_from_client_are_discarded(served: Served, client: ApiUser, payment: str) -> None:
    with line(served.port, payment, client) as ws:
        heard(ws)
        for _ in range(50):
            ws.send("x" * MESSAGE_BYTES_MAX)
        served.api.post_payments()
        assert heard(ws)["type"] == "payment.completed"
        assert closing(ws) == 1000


def test_client_sending_too_long_message_is_disconnected(served: Served, client: ApiUser, payment: str) -> None:
    with line(served.port, payment, client) as ws:
        heard(ws)
        ws.send("x" * (MESSAGE_BYTES_MAX + 1))
        assert closing(ws) == 1009


def test_websocket_closes_when_caller_loses_access(served: Served, client: ApiUser, payment: str) -> None:
    with line(served.port, payment, client) as ws:
        heard(ws)
        served.api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", client.id)
        eventually(lambda: b" 401 " in get(served, "/v1/me", client))
        served.api.post_payments()
        with pytest.raises(ConnectionClosed) as ended:
            while (text := ws.receive(20)) is not None:
                assert json.loads(text)["type"] != "payment.completed"
        assert ended.value.reason == 4401


def get(served: Served, path: str, person: ApiUser) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {person.token}\r\n\r\n"
    return served.say(head.encode(), last=False)


def test_stopping_server_closes_with_going_away(
    database: Database, api: ApiHarness, redis_url: str, tmp_path: Path, client: ApiUser, payment: str
) -> None:
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(serving(database, api, redis_url, tmp_path, ALLOWED_HOSTS="x,127.0.0.1"))
        ws = stack.enter_context(line(served.port, payment, client))
        heard(ws)
        served.process.send(signal.SIGTERM)
        assert closing(ws) == 1001


def refused(api: ApiHarness, person: ApiUser, id: str, **changes: str | None) -> tuple[int, str]:
    headers = {**UPGRADE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    answer = person.get(f"/v1/payments/{id}/socket", **{name: value for name, value in headers.items() if value})
    return answer.status_code, answer.get_json()["code"]


@pytest.mark.parametrize(
    "missing", ["Connection", "Upgrade", "Sec_WebSocket_Version"], ids=["connection", "upgrade", "version"]
)
def test_request_without_upgrade_is_answered_426(api: ApiHarness, client: ApiUser, payment: str, missing: str) -> None:
    assert refused(api, client, payment, **{missing: None}) == (426, "upgrade_required")
    answer = client.get(f"/v1/payments/{payment}/socket")
    assert answer.headers["Upgrade"] == "websocket"
    assert (answer.headers["Connection"], answer.headers["Sec-WebSocket-Version"]) == ("Upgrade", "13")


def test_invalid_upgrade_is_refused_as_problem(
    api: ApiHarness, client: ApiUser, stranger: ApiUser, payment: str
) -> None:
    for key in ("x", "\xe9"):
        assert refused(api, client, payment, Sec_WebSocket_Key=key) == (400, "bad_request")
    assert refused(api, client, payment, Sec_WebSocket_Version="8") == (426, "upgrade_required")
    assert refused(api, stranger, payment) == (404, "not_found")
    assert refused(api, client, str(uuids.uuid7())) == (404, "not_found")
    assert refused(api, api.anonymous(), payment) == (401, "token_missing")
    assert refused(api, api.person(scopes=["wallets:read"]), payment) == (403, "scope_missing")
    for offered, code in {
        f"payments, bearer.{client.token}x": "token_invalid",
        f"bearer.{client.token}": "token_missing",
        f"payments, bearer.{client.token}, bearer.{client.token}": "token_missing",
    }.items():
        assert refused(api, api.anonymous(), payment, Sec_WebSocket_Protocol=offered) == (401, code)
    assert len(api.app.extensions["gateway"].waiters) == 0


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "x", "http://", "http://["]
)
def test_upgrade_from_foreign_origin_is_refused(api: ApiHarness, client: ApiUser, payment: str, origin: str) -> None:
    assert refused(api, client, payment, Origin=origin) == (403, "origin_not_allowed")


def test_upgrade_from_own_origin_is_accepted(api: ApiHarness, client: ApiUser, payment: str) -> None:
    own = refused(api, client, payment, Origin="https://localhost", Upgrade=None)
    assert own == (426, "upgrade_required")


def test_vanished_client_logs_no_error(served: Served, client: ApiUser, payment: str) -> None:
    with line(served.port, payment, client) as ws:
        heard(ws)
        ws.sock.shutdown(socket.SHUT_RDWR)
    served.api.post_payments()
    eventually(lambda: access_lines(served, payment))
    entries = [json.loads(text) for text in served.log.read_text().splitlines()]
    assert [entry for entry in entries if entry["level"] in ("error", "critical")] == []
    assert not re.search("Traceback|Ignoring", served.log.read_text())


@pytest.fixture
def port(api: ApiHarness) -> Iterator[int]:
    """The port of the development server, in this process."""
    server = make_server("127.0.0.1", 0, api.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_development_server_supports_websocket(api: ApiHarness, client: ApiUser, payment: str, port: int) -> None:
    with line(port, payment, client) as ws:
        assert heard(ws)["type"] == "payment"
        api.post_payments()
        assert heard(ws)["type"] == "payment.completed"
        assert closing(ws) == 1000


def handshake(port: int, id: str, person: ApiUser, *more: str) -> socket.socket:
    """A connection that has requested the upgrade, and sends nothing more."""
    head = [f"GET /v1/payments/{id}/socket HTTP/1.1", f"Authorization: Bearer {person.token}", "Host: 127.0.0.1"]
    head += [f"{name}: {value}" for name, value in UPGRADE.items()]
    raw = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    raw.sendall("\r\n".join([*head, *more, "", ""]).encode("latin-1"))
    return raw


def test_client_without_pong_is_disconnected(
    api: ApiHarness, client: ApiUser, payment: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.2)
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.2)
    waits = api.app.extensions["gateway"].waiters
    with handshake(port, payment, client) as raw:
        said = b""
        while piece := raw.recv(65_536):
            said += piece
    assert b"Ping/Pong timeout" in said
    eventually(lambda: len(waits) == 0)


AWKWARD = (
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=x; y=,;",
    "Sec-WebSocket-Protocol: \xe9, payments",
    "Connection: \xe9",
)


def test_unusual_handshake_is_accepted(served: Served, client: ApiUser, payment: str) -> None:
    served.api.post_payments()
    with handshake(served.port, payment, client, *AWKWARD) as raw:
        said = b""
        while piece := raw.recv(65_536):
            said += piece
    head, _, frames = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"permessage-deflate" not in head
    assert b'"state":"COMPLETED"' in frames
    assert frames.endswith(b"\x88\x02\x03\xe8")  # a close of 1000
