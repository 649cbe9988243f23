"""The files in deploy/nginx fit the gateway: its bounds, routes and problems; the guide shows their lines."""

import re

import pytest

import wsgi
from embedded.home import CHECKOUT
from gateway.bulks.upload import UPLOAD_BYTES_MAX
from gateway.events import subscription, websocket
from gateway.http import connection, incoming
from gateway.http.edge import METRICS_PATH
from gateway.http.errors import PROBLEMS
from gateway.outcomes.prefer import WAIT_SECONDS_MAX
from gateway.pages.console.reconciliation import STATEMENT_BYTES_MAX
from models import match_file, statement_file

FOLDER = CHECKOUT / "deploy" / "nginx"
TEXT = {path.name: re.sub(r"(?m)(?:^|\s)#.*$", "", path.read_text()) for path in sorted(FOLDER.glob("*.conf"))}
SERVER = TEXT["payments.conf"].partition("\nserver {")[2]
UNITS = {"": 1, "s": 1, "k": 1024, "m": 1024 * 1024}
GUIDE = CHECKOUT / "docs" / "guides" / "proxy.md"


def values(directive: str, text: str = SERVER) -> list[str]:
    """What the directive is set to, each time."""
    return re.findall(rf"^\s*{directive}\s+([^;]+);", text, re.M)


def number(directive: str, text: str = SERVER) -> int:
    """Of seconds or bytes, where it is set first."""
    [(digits, unit)] = re.findall(r"^(\d+)([smk]?)$", values(directive, text)[0])
    return int(digits) * UNITS[unit]


@pytest.mark.parametrize("file", TEXT)
def test_each_file_is_included_once_and_balanced(file: str) -> None:
    included = [name for text in TEXT.values() for name in values("include", text)]
    assert set(included) == TEXT.keys() - {"nginx.conf", "site-tls.conf"}
    assert TEXT[file].count("{") == TEXT[file].count("}")


def test_no_wait_is_cut() -> None:
    read = number("proxy_read_timeout")
    assert read > WAIT_SECONDS_MAX
    assert read > 2 * max(subscription.HEARTBEAT_SECONDS, websocket.PING_SECONDS)
    assert subscription.UNBUFFERED == {"X-Accel-Buffering": "no"}, "which nginx heeds by itself"


def test_idle_connections_are_closed_by_nginx_first() -> None:
    assert number("keepalive_timeout", TEXT["payments.conf"]) < connection.IDLE_SECONDS_MAX


def test_bodies_and_headers_are_bounded_as_in_the_gateway() -> None:
    body = number("client_max_body_size")
    assert max(STATEMENT_BYTES_MAX, statement_file.BYTES_MAX, match_file.BYTES_MAX) < body < UPLOAD_BYTES_MAX
    [[_, size]] = [value.split() for value in values("large_client_header_buffers")]
    assert int(size.removesuffix("k")) * 1024 >= incoming.HEADER_BYTES_MAX
    assert number("client_header_timeout") == connection.RECEIVE_SECONDS_MAX


def test_the_one_route_of_larger_bodies_is_streamed() -> None:
    [(pattern, inside)] = re.findall(r"location ~ (\S+) \{(.+?)\}", SERVER, re.S)
    assert values("proxy_request_buffering", inside) == ["off"]
    rules = [rule for rule in wsgi.app.url_map.iter_rules() if re.search(pattern, re.sub(r"<[^>]+>", "x", rule.rule))]
    assert {rule.endpoint for rule in rules if "PUT" in (rule.methods or ())} == {
        "bulk_transfers.add_lines", "bulk_charges.add_lines",
    }  # fmt: skip


def test_only_what_has_a_key_is_repeated_against_its_method() -> None:
    locations = dict(re.findall(r"location (@?\S+) \{(.+?)\n    \}", SERVER, re.S))
    bold = {name for name, inside in locations.items() if "non_idempotent" in inside}
    assert bold == {"@by_key"}
    [choice] = re.findall(r"map \S+ \$http_idempotency_key\" \$repeats \{(.+?)\}", TEXT["payments.conf"], re.S)
    assert re.findall(r"^\s+(\S.*) (\w+);", choice, re.M) == [
        ('"~^(GET|HEAD|OPTIONS|PUT|DELETE) "', "by_method"), ('"~ ."', "by_key"), ("default", "never"),
    ]  # fmt: skip


def test_its_problems_are_those_of_the_gateway_but_one() -> None:
    [codes] = re.findall(r"map \$status \$code \{(.+?)\}", TEXT["payments.conf"], re.S)
    told = {code: status for status, code in re.findall(r"^\s+(\w+) (\w+);", codes, re.M)}
    assert told.keys() - PROBLEMS.keys() == {"gateway_unavailable", "request_timeout"}
    assert all(PROBLEMS[code].status in (int(told[code]),) for code in told.keys() & PROBLEMS.keys() - {"bad_request"})
    assert all(f"`{code}`" in GUIDE.read_text() for code in told.keys() - PROBLEMS.keys())
    assert f"location = {METRICS_PATH} " in SERVER


def test_the_guide_shows_lines_of_the_files() -> None:
    shown = re.findall(r"^```nginx\n(.+?)^```", GUIDE.read_text(), re.M | re.S)
    assert shown
    written = {line.strip() for path in FOLDER.glob("*.conf") for line in path.read_text().splitlines()}
    assert [line for text in shown for line in text.splitlines() if line.strip() and line.strip() not in written] == []
