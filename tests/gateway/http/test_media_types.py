"""Accept and Content-Type as clients send them: every kind of route, and both ways to answer, read them alike."""

import json
import secrets
from dataclasses import dataclass

import pytest
from werkzeug.test import TestResponse

from gateway.http.media_types import JSON, PROBLEM, best_match, is_json
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.gateway.waiting.clients import CANONICAL

CSV, LINES, HTML, STREAM = "text/csv", "application/x-ndjson", "text/html", "text/event-stream"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

TABLE = {
    # header: what JSON routes, lists, statements and event streams answer with; None is a refusal
    None: (JSON, JSON, JSON, STREAM),
    "": (JSON, JSON, JSON, STREAM),
    "*": (JSON, JSON, JSON, STREAM),
    "*/*": (JSON, JSON, JSON, STREAM),
    "*; q=.2": (JSON, JSON, JSON, STREAM),
    "application/*": (JSON, JSON, JSON, None),
    "application/*; q=0.5, text/csv": (JSON, CSV, CSV, None),
    "application/json": (JSON, JSON, JSON, None),
    "Application/JSON": (JSON, JSON, JSON, None),
    "application/json;charset=utf-8": (JSON, JSON, JSON, None),
    'application/json; charset="UTF-8"; q=.9': (JSON, JSON, JSON, None),
    "application/json;odata=verbose": (JSON, JSON, JSON, None),
    "application/json, text/plain, */*": (JSON, JSON, JSON, STREAM),
    "application/json;q=high": (JSON, JSON, JSON, None),
    "application/problem+json": (JSON, JSON, JSON, None),
    "application/problem+json, application/json;q=1.": (JSON, JSON, JSON, None),
    "application/vnd.unknown+json, application/json;q=0.1": (JSON, JSON, JSON, None),
    "json": (JSON, JSON, JSON, STREAM),
    ";, ,": (JSON, JSON, JSON, STREAM),
    JAVA: (JSON, JSON, HTML, STREAM),
    BROWSER: (JSON, JSON, HTML, STREAM),
    "text/csv;charset=utf-8": (None, CSV, CSV, None),
    "text/csv;header=present;q=.3, application/json;q=.2": (JSON, CSV, CSV, None),
    "text/csv;q=.2, application/json;q=.3": (JSON, JSON, JSON, None),
    "application/x-ndjson; charset=utf-8": (None, LINES, LINES, None),
    "text/*;q=.5": (None, CSV, CSV, STREAM),
    "text/event-stream;charset=utf-8": (None, None, None, STREAM),
    "image/png": (None, None, None, None),
    "application/json;q=0": (None, None, None, None),
    "application/json;q=0.000, */*": (JSON, CSV, CSV, STREAM),
}  # fmt: skip


@dataclass
class Routes:
    """One route of each kind, as their caller sees it."""

    person: ApiUser
    wallet: str
    payment: str

    def answer(self, path: str, accept: str | None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.person.token}", **headers}
        if accept is not None:
            sent["Accept"] = accept
        return self.person.api.app.test_client().get(path, headers=sent, buffered=True)


@pytest.fixture(scope="module")
def routes(api: ApiHarness) -> Routes:
    person = api.person()
    wallet = person.wallet("1.00")
    return Routes(person, wallet, person.get("/v1/payments").get_json()["data"][0]["id"])


def judge(answer: TestResponse, media_type: str | None, final: int = 200) -> None:
    if media_type is None:
        assert (answer.status_code, answer.mimetype) == (406, PROBLEM)
        assert answer.get_json()["code"] == "not_acceptable"
    else:
        assert (answer.status_code, answer.mimetype) == (final, media_type)


@pytest.mark.parametrize("accept", TABLE)
def test_every_kind_of_route_reads_accept_alike(routes: Routes, accept: str | None) -> None:
    plain, listed, statement, stream = TABLE[accept]
    for path in ("/v1/wallets", f"/v1/wallets/{routes.wallet}", "/v1/currencies"):
        judge(routes.answer(path, accept), plain)
    for way in ({}, CANONICAL):
        judge(routes.answer(f"/v1/payments/{routes.payment}", accept, **way), plain)
    for path in ("/v1/payments", f"/v1/wallets/{routes.wallet}/operations"):
        judge(routes.answer(path, accept), listed)
    judge(routes.answer(f"/v1/wallets/{routes.wallet}/statement?month=2026-01", accept), statement)
    judge(routes.answer(f"/v1/payments/{routes.payment}/events", accept), stream)
    judge(routes.answer("/health/live", accept), JSON)
    judge(routes.answer("/openapi.json", accept), JSON)
    judge(routes.answer("/docs", accept), HTML)


@pytest.mark.parametrize("accept", TABLE)
@pytest.mark.parametrize("way", [{}, CANONICAL], ids=["lean", "canonical"])
def test_orders_read_accept_alike(routes: Routes, accept: str | None, way: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {routes.person.token}", "Idempotency-Key": secrets.token_hex(8), **way}
    if accept is not None:
        headers["Accept"] = accept
    client = routes.person.api.app.test_client()
    judge(client.post("/v1/deposits", headers=headers, json=deposit_into(routes.wallet)), TABLE[accept][0], 202)


@pytest.mark.parametrize("accept", [None, JAVA, "application/json;charset=utf-8", "application/json, */*;q=.1"])
def test_common_clients_take_the_fast_path(routes: Routes, accept: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr(type(routes.person.api.app), "full_dispatch_request", refuse)
    judge(routes.answer(f"/v1/payments/{routes.payment}", accept), JSON)


TAKEN = [
    "application/json",
    "APPLICATION/JSON",
    "application/json;charset=utf-8",
    "application/json; charset=utf8",
    "application/json; charset=UTF8",
    'application/json; charset="utf-8"',
    "Application/Json;Charset=Utf-8",
    "application/json; charset=utf-8; profile=x",
    "application/json;",
]
REFUSED = ["", "application/json; charset=latin1", "application/json; charset=utf-16", "application/json; charset=a\0b"]
REFUSED += ["text/json", "application/json, text/csv", "application/problem+json", "application/x-www-form-urlencoded"]


@pytest.mark.parametrize("content_type", TAKEN)
@pytest.mark.parametrize("way", [{}, CANONICAL], ids=["lean", "canonical"])
def test_json_in_whatever_words_is_taken(routes: Routes, content_type: str, way: dict[str, str]) -> None:
    order = json.dumps(deposit_into(routes.wallet)).encode()
    assert routes.person.raw("/v1/deposits", order, content_type, **way).status_code == 202


@pytest.mark.parametrize("content_type", REFUSED)
def test_other_than_json_is_not(content_type: str) -> None:
    assert not is_json(content_type)


def test_the_first_of_equals_is_answered() -> None:
    assert best_match("text/csv, application/json", JSON, CSV) == JSON
    assert best_match("text/csv, application/json", CSV, JSON) == CSV
