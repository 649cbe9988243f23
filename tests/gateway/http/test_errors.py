"""One table answers errors: the errors that are raised, listed and answered are the same."""

import ast
import re
from pathlib import Path

import pytest

from gateway.http.errors import PROBLEMS
from tests.gateway.harness import ApiHarness, ApiUser

ROOT = Path(__file__).parents[3]
RAISERS = {"Refusal": 0, "Flaw": 0, "refuse": 0, "MoneyError": 0}
"""Callables that name a code, and in which place."""


def literal_codes() -> set[str]:
    """Every code that the sources name where they refuse a request."""
    found: set[str] = set()
    names = ("batch.py", "owner_invitation.py", "statement_file.py")
    names += tuple(f"rules/{name}.py" for name in ("money", "ops_actions", "reconciliation", "text"))
    rules = [ROOT / "models" / name for name in names]
    for source in [*ROOT.glob("gateway/**/*.py"), *rules]:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", None))
                if name in RAISERS and node.args and isinstance(node.args[0], ast.Constant):
                    found.add(node.args[0].value)
                if name == "flawed":
                    triples = [part for part in ast.walk(node) if isinstance(part, ast.Tuple) and len(part.elts) == 3]
                    found.update(t.elts[1].value for t in triples if isinstance(t.elts[1], ast.Constant))
            if source.name != "errors.py" and isinstance(node, ast.Constant) and node.value in PROBLEMS:
                found.add(node.value)
    return found


def test_every_raised_code_is_in_the_table() -> None:
    assert literal_codes() <= PROBLEMS.keys()


def test_every_code_of_the_table_is_raised() -> None:
    by_framework = set(re.findall(r'\d{3}: "(\w+)"', (ROOT / "gateway" / "http" / "errors.py").read_text()))
    own = {"archived", "bad_request", "validation_failed", "database_unavailable", "not_found"}
    assert PROBLEMS.keys() == literal_codes() | by_framework | own


def test_the_docs_list_every_code() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+?) \| (yes|no) \|$", (ROOT / "docs/errors.md").read_text(), re.M)
    assert listed == [(code, str(p.status), p.title, "yes" if p.retryable else "no") for code, p in PROBLEMS.items()]


@pytest.mark.parametrize("path", ["/v1", "/v1/nope", "/v1/payments/", "//v1/payments", "/v1/wallets/a/b", "/%00"])
def test_unknown_routes_are_problems(api: ApiHarness, path: str) -> None:
    answer = api.anonymous().get(path, Host="localhost")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("TRACE", "/v1/payments", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/v1/wallets", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("GET", "/v1/transfers", {"OPTIONS", "POST"}),
        ("PROPFIND", "/status", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_n19_undeclared_methods_are_405_with_allow(api: ApiHarness, method: str, path: str, allowed: set[str]) -> None:
    answer = api.anonymous().call(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_n19_a_method_is_not_overridden_by_a_header(client: ApiUser, header: str) -> None:
    assert client.call("GET", "/v1/transfers", headers={header: "POST"}).status_code == 405


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*, text/csv;q=0.5"])
def test_only_json_is_answered(client: ApiUser, accept: str) -> None:
    answer = client.get("/v1/wallets", Accept=accept)
    assert (answer.status_code, answer.get_json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*;q=0.1", "text/html, */*;q=0.1"])
def test_json_in_whatever_words_is_answered(client: ApiUser, accept: str) -> None:
    assert client.get("/v1/wallets", Accept=accept).status_code == 200


def test_a_fault_of_ours_says_nothing_of_itself(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(api.app.extensions["gateway"]), "tokens", None)
    answer = client.get("/v1/wallets")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal_error")


def test_a_given_request_id_is_taken_over(client: ApiUser) -> None:
    answer = client.get("/v1/wallets", **{"Request-Id": "order-4711.retry_2"})
    assert answer.headers["Request-Id"] == "order-4711.retry_2"


@pytest.mark.parametrize("request_id", ["", "short", "a" * 65, 'in"jection....', "with blank 12", "\x1b[31mred1234567"])
def test_n68_a_malformed_request_id_is_replaced(client: ApiUser, request_id: str) -> None:
    answer = client.get("/v1/wallets", **{"Request-Id": request_id})
    assert answer.headers["Request-Id"] != request_id


def test_n71_security_headers(client: ApiUser) -> None:
    headers = client.get("/v1/wallets").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Access-Control-Allow-Origin" not in headers
