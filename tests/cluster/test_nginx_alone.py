"""deploy/nginx in front of servers that fail: what is repeated, what is passed on, and what nginx answers itself."""

import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from embedded import home as homes
from gateway.http.errors import PROBLEMS
from tests.cluster.nginx import FILES, Nginx
from tests.cluster.upstream import Upstream
from tests.support import eventually

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nRequest-Id: 0123456789abcdef\r\n\r\nok"
BODY = json.dumps({"amount": "1.00", "note": "x" * 40_000})


@pytest.fixture
def failing() -> Iterator[list[Upstream]]:
    with ExitStack() as ends:
        servers = [Upstream(), Upstream()]
        for server in servers:
            ends.callback(server.close)
        yield servers


@pytest.fixture
def nginx(failing: list[Upstream]) -> Iterator[Nginx]:
    with homes.temporary() as home:
        nginx = Nginx(home, [server.bind for server in failing])
        nginx.start()
        try:
            yield nginx
        finally:
            nginx.stop()


def ask(nginx: Nginx, method: str, path: str = "/v1/x", body: str | None = None, **headers: str):
    connection = http.client.HTTPConnection(nginx.bind, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def problem(answer: tuple[int, dict[str, str], bytes], status: int, code: str) -> dict:
    assert (answer[0], answer[1]["Content-Type"]) == (status, "application/problem+json"), answer
    told = json.loads(answer[2])
    assert (told["status"], told["code"]) == (status, code)
    assert told["request_id"] == answer[1]["Request-Id"]
    return told


@pytest.mark.parametrize(
    ("method", "key", "times"),
    [("GET", "", 2), ("PUT", "", 2), ("DELETE", "", 2), ("POST", "", 1), ("PATCH", "", 1), ("POST", "a-key", 2)],
)
def test_what_is_repeated_after_it_was_read(
    nginx: Nginx, failing: list[Upstream], method: str, key: str, times: int
) -> None:
    sent = {"Idempotency_Key": key} if key else {}
    body = None if method in ("GET", "DELETE") else BODY
    answer = ask(nginx, method, "/v1/a%2Fb/?q=1&q=%20", body, **sent)
    told = problem(answer, 503, "gateway_unavailable")
    assert told["retryable"]
    assert answer[1]["Retry-After"] == "1"
    requests = [request for server in failing for request in server.requests]
    assert len(requests) == times
    for request in requests:
        head, _, read = request.partition(b"\r\n\r\n")
        assert head.startswith(f"{method} /v1/a%2Fb/?q=1&q=%20 HTTP/1.1\r\n".encode())
        assert read == (body or "").encode()


def test_one_that_failed_is_left_out(nginx: Nginx, failing: list[Upstream]) -> None:
    failing[1].answer = OK
    answers = [ask(nginx, "POST", body="{}", Idempotency_Key=str(n))[0] for n in range(20)]
    assert answers == [200] * 20
    assert len(failing[0].requests) < 10


def test_one_that_does_not_listen_takes_nothing_away(nginx: Nginx, failing: list[Upstream]) -> None:
    failing[1].answer = OK
    failing[0].close()
    assert [ask(nginx, "POST", body="{}")[0] for _ in range(20)] == [200] * 20, "without a key, too"


def test_headers_are_passed_on_and_forged_ones_are_not(nginx: Nginx, failing: list[Upstream]) -> None:
    for server in failing:
        server.answer = OK
    ids = {"Request_Id": "client-given-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    ask(nginx, "POST", body="{}", X_Forwarded_For="9.9.9.9", Host="shop.example", **ids)
    [request] = [request for server in failing for request in server.requests]
    rows = dict(row.split(": ", 1) for row in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:])
    assert (rows["X-Forwarded-For"], rows["Host"]) == ("127.0.0.1", "shop.example")
    assert (rows["Request-Id"], rows["traceparent"]) == ("client-given-1", ids["traceparent"])
    assert "Connection" not in rows or rows["Connection"] == "close"


def test_the_log_has_the_request_id_of_the_gateway_and_no_query(nginx: Nginx, failing: list[Upstream]) -> None:
    for server in failing:
        server.answer = OK
    ask(nginx, "GET", "/v1/payments?email=ann@example.com")
    entry = json.loads(eventually(nginx.access_log.read_text))
    assert (entry["request_id"], entry["status"]) == ("0123456789abcdef", 200)
    assert entry["path"] == "/v1/payments"
    assert entry["gateway"] in {server.bind for server in failing}


def test_what_nginx_refuses_is_a_problem(nginx: Nginx, failing: list[Upstream]) -> None:
    problem(ask(nginx, "POST", body="x" * (5 * 1024 * 1024 + 1)), 413, "body_too_large")
    problem(ask(nginx, "GET", "/metrics"), 404, "not_found")
    problem(ask(nginx, "GET", "/" + "x" * 9000), 414, "uri_too_long")
    problem(ask(nginx, "GET", Cookie="x" * 9000), 431, "headers_too_large")
    assert not any(server.requests for server in failing)
    assert {"body_too_large", "not_found", "uri_too_long", "headers_too_large"} < set(PROBLEMS)


def test_the_rate_of_one_address_is_bounded(nginx: Nginx, failing: list[Upstream]) -> None:
    for server in failing:
        server.answer = OK
    slow = (FILES / "limits.conf").read_text().replace("1000r/s", "1r/m")
    nginx.write("limits.conf", slow)
    nginx.write("payments.conf", (FILES / "payments.conf").read_text().replace("burst=1000 nodelay", ""))
    nginx.reload()
    answer = eventually(lambda: (told := ask(nginx, "GET"))[0] == 429 and told)
    assert problem(answer, 429, "rate_limited")["retryable"]
    assert answer[1]["Retry-After"] == "1"


def test_clients_are_served_with_tls(nginx: Nginx, failing: list[Upstream]) -> None:
    for server in failing:
        server.answer = OK
    key, chain = nginx.write("key.pem", ""), nginx.write("fullchain.pem", "")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    nginx.stop()
    nginx.write("site.conf", (FILES / "site-tls.conf").read_text().replace("listen 443", f"listen {nginx.bind}"))
    nginx.start()
    trust = ssl.create_default_context(cafile=chain)
    with closing(http.client.HTTPSConnection(nginx.bind, context=trust, timeout=60)) as line:
        line.request("POST", "/v1/x", BODY, {"Idempotency-Key": "a-key"})
        answer = line.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
        assert answer.headers["Strict-Transport-Security"]
    assert sum(len(server.requests) for server in failing) == 1


def test_one_that_is_marked_down_is_asked_no_more(nginx: Nginx, failing: list[Upstream]) -> None:
    for server in failing:
        server.answer = OK
    nginx.serve([server.bind for server in failing], down=failing[0].bind)
    nginx.reload()
    eventually(lambda: gets_none(nginx, failing[0]), message="the one that is down gets none")


def gets_none(nginx: Nginx, server: Upstream) -> bool:
    before = len(server.requests)
    assert {ask(nginx, "POST", body="{}")[0] for _ in range(10)} == {200}
    return len(server.requests) == before
