"""The contract as a document: committed, complete, and shown without the internet."""

import json
import re
from pathlib import Path

import pytest

from gateway.http.errors import PROBLEMS
from models import heartbeat
from models.session import transaction
from tests.gateway.harness import ApiHarness

ROOT = Path(__file__).parents[3]

PUBLIC = {
    ("post", f"/v1/{path}")
    for path in ("clients", "merchants", "sessions", "confirmations", "confirmations/resend", "password-resets")
} | {("post", "/v1/password-resets/confirm"), ("post", "/v1/invitations/accept"), ("get", "/v1/receipt-keys")}

REQUIRING = (
    *("deposits", "withdrawals", "transfers", "charges", "refunds", "exchanges"),
    *("charges/{id}/capture", "charges/{id}/void", "payments/{id}/cancel", "ops/adjustments"),
    *("bulk-transfers", "bulk-charges"),
)
KEYED = {("post", f"/v1/{path}"): True for path in REQUIRING} | {
    ("post", f"/v1/{path}"): False for path in ("wallets", "clients", "merchants")
}
"""Operations with an Idempotency-Key, and whether it is required: those that move money or must not happen twice."""

OTHER_FORMS = {"/v1/bulk-transfers": {"application/xml"}}
"""Media types beside JSON that an operation reads."""

FILES = {
    "/v1/ops/reconciliations": {"text/csv", "application/xml"},
    "/v1/ops/reconciliations/{id}/lines/match": {"text/csv", "application/x-ndjson"},
}
"""Media types of operations that read no JSON."""


def test_the_committed_document_is_the_served_one(api: ApiHarness) -> None:
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == api.app.test_client().get("/openapi.json").get_json(), "run: make contract"
    assert committed == api.contract


def test_every_operation_says_what_it_answers_and_needs(api: ApiHarness) -> None:
    assert api.contract["openapi"] == "3.1.0"
    for path, operations in api.contract["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation["summary"], path
            assert "default" in operation["responses"], path
            is_public = (method, path) in PUBLIC or path.startswith(("/health", "/status"))
            assert operation["security"] == ([] if is_public else [{"bearer": []}]), path
            if method in ("post", "patch"):
                forms = FILES.get(path, {"application/json", *OTHER_FORMS.get(path, ())})
                assert operation["requestBody"]["content"].keys() == forms
            keys = {p["name"]: p.get("required", False) for p in operation.get("parameters", []) if "name" in p}
            assert keys.get("Idempotency-Key") is KEYED.get((method, path)), path


def test_paths_of_the_document_are_the_routes(api: ApiHarness) -> None:
    routes = {re.sub(r"<(\w+)>", r"{\1}", rule.rule) for rule in api.rules}
    assert routes - api.contract["paths"].keys() == {"/", "/openapi.json", "/docs", "/docs/{name}"}


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_the_root_links_to_what_is_here(api: ApiHarness, accept: str | None) -> None:
    answer = api.anonymous().get("/", **({"Accept": accept} if accept else {}))
    assert answer.status_code == 200
    with transaction(api.worker) as connection:
        heartbeat.beat(connection, "posting@a")
    for link in answer.get_json()["links"].values():
        assert api.anonymous().get(link).status_code == 200


def test_the_root_sends_browsers_to_the_documentation(api: ApiHarness) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    answer = api.anonymous().get("/", Accept=accept)
    assert (answer.status_code, answer.headers["Location"], answer.headers["Vary"]) == (302, "/docs", "Accept")


def test_the_documentation_opens_with_an_introduction(api: ApiHarness) -> None:
    introduction = api.contract["info"]["description"]
    for heading in ("Your first charge", "Authentication", "Idempotency", "Waiting for the outcome", "Errors", "Lists"):
        assert f"\n## {heading}\n" in introduction


def test_the_page_needs_only_its_own_files(api: ApiHarness) -> None:
    anonymous = api.anonymous()
    page = anonymous.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    links = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))
    for link in links:
        assert link == "data:," or anonymous.get(link).status_code == 200
    assert re.search(r"<(script|style)[^>]*>[^<]", page.get_data(as_text=True)) is None


@pytest.mark.parametrize("name", ["LICENSE", "docs.html", "..%2f__init__.py", "../__init__.py", "swagger-ui.css.map"])
def test_other_files_are_not_served(api: ApiHarness, name: str) -> None:
    assert api.anonymous().get(f"/docs/{name}").status_code == 404


def test_codes_are_words() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in PROBLEMS)
