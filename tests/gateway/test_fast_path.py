"""The fast path for clean orders answers as the canonical route does, and leaves all others to it."""

import time
from types import SimpleNamespace

import pytest
from flask import Flask

from gateway.acceptance import final_payment_cache
from gateway.acceptance.final_payment_cache import ENTRY_BYTES, FRESH_SECONDS, FinalPaymentCache
from gateway.fast_path import FastPath
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import CANONICAL, deposit_into
from tests.support import statements_of


@pytest.fixture
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that reaches the framework fails the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr(Flask, "full_dispatch_request", refuse)


def test_a_clean_order_never_meets_the_framework(api: ApiHarness, request: pytest.FixtureRequest) -> None:
    client = api.person()
    order = deposit_into(client.wallet())
    request.getfixturevalue("no_framework")
    assert client.order("/v1/deposits", order).status_code == 202


def test_both_ways_answer_alike(api: ApiHarness) -> None:
    client = api.person()
    order = deposit_into(client.wallet())
    short = client.order("/v1/deposits", order, "one")
    canonical = client.order("/v1/deposits", order, "two", **CANONICAL)
    own = {"id", "created_at", "next_attempt_at"}
    assert {k: v for k, v in short.get_json().items() if k not in own} == {
        k: v for k, v in canonical.get_json().items() if k not in own
    }
    assert sorted(short.headers.keys()) == sorted(canonical.headers.keys())
    assert short.headers["Content-Type"] == canonical.headers["Content-Type"]


def test_each_path_replays_orders_of_the_other(api: ApiHarness) -> None:
    client = api.person()
    order = deposit_into(client.wallet())
    short = client.order("/v1/deposits", order, "key")
    canonical = client.order("/v1/deposits", order, "key", **CANONICAL)
    assert canonical.headers["Idempotent-Replayed"] == "true"
    assert canonical.get_json()["id"] == short.get_json()["id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"amount": "0"}, "amount_not_positive"), ({"extra": 1}, "unknown_field"), ({"wallet": "wal_" + "a" * 32}, None)],
)
def test_a_refusal_is_decided_once_and_reads_alike(
    api: ApiHarness, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], code: str | None
) -> None:
    client: ApiUser = api.person()
    order = {**deposit_into(client.wallet()), **change}
    canonical = client.order("/v1/deposits", order, **CANONICAL)
    calls = []
    was = FastPath._post
    monkeypatch.setattr(FastPath, "_post", lambda self, environ: calls.append(1) or was(self, environ))
    short = client.order("/v1/deposits", order)
    assert calls == [1]
    assert short.status_code == canonical.status_code
    problem, canonical_problem = short.get_json(), canonical.get_json()
    assert (problem["code"], problem["errors"]) == (canonical_problem["code"], canonical_problem["errors"])
    if code is not None:
        assert problem["errors"][0]["code"] == code


def test_kept_answers_are_those_of_each_viewer(api: ApiHarness, client: ApiUser, stranger: ApiUser) -> None:
    body = {"source": client.wallet("5.00"), "target": stranger.wallet(), "amount": "2.00", "currency": "EUR"}
    path = client.order("/v1/transfers", {**body, "metadata": {"for": "lunch"}}).headers["Location"]
    api.post_payments()
    auditors = [api.person("auditor", name) for name in ("Una", "Duo")]
    statements = []
    for viewer in [client, stranger, *auditors] * 2:
        canonical = viewer.get(path, **CANONICAL)
        with statements_of() as seen:
            answers = viewer.get(path), viewer.get(path)
        statements.append(len([statement for statement, _ in seen if "EXECUTE view" in statement]))
        for answer in answers:
            assert (answer.data, answer.headers["ETag"]) == (canonical.data, canonical.headers["ETag"])
            assert "Location" not in answer.headers
    assert statements == [1] * 4 + [0] * 4
    assert client.get(path).get_json()["metadata"] == {"for": "lunch"}
    assert stranger.get(path).get_json()["metadata"] is None


def test_a_kept_answer_ends_with_the_payment_read(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = client.wallet("5.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    path = f"/v1/payments/{payment['id']}"
    assert client.get(path).get_json()["target"]["wallet"] == client.get(path).get_json()["target"]["wallet"] == wallet
    api.execute("UPDATE users SET name = 'Anna' WHERE id = %s", client.id)
    monkeypatch.setattr(
        final_payment_cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + FRESH_SECONDS)
    )
    assert client.get(path).get_json()["target"]["name"] == "Anna"


def test_kept_answer_with_conditions_reads_as_the_route(api: ApiHarness, client: ApiUser) -> None:
    client.wallet("5.00")
    [payment] = client.get("/v1/payments").get_json()["data"]
    path = f"/v1/payments/{payment['id']}"
    etag = client.get(path).headers["ETag"]
    conditions = [
        {"If-None-Match": etag}, {"If-None-Match": f'W/{etag}, "other"'}, {"If-None-Match": "*"},
        {"If-None-Match": '"other"'}, {"If-None-Match": etag, "Prefer": "wait=5"}, {"Prefer": "wait=0"},
        {"Prefer": "return=minimal"}, {"If-None-Match": "nonsense", "Prefer": "wait"},
    ]  # fmt: skip
    statuses = []
    for headers in conditions:
        kept, canonical = (client.get(path, **headers, **more) for more in ({}, CANONICAL))
        for answer in (kept, canonical):
            del answer.headers["Request-Id"], answer.headers["RateLimit"]
        assert (kept.data, sorted(kept.headers)) == (canonical.data, sorted(canonical.headers)), headers
        assert kept.status_code == canonical.status_code
        statuses.append(kept.status_code)
    assert statuses == [304, 304, 304, 200, 304, 200, 200, 200]


def test_kept_answers_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = SimpleNamespace(id="me", reads_all=False)
    monkeypatch.setattr(final_payment_cache, "KEPT_BYTES_MAX", 10 * (ENTRY_BYTES + 1))
    cache = FinalPaymentCache(None)
    for number in range(100):
        view = SimpleNamespace(id=str(number), finalized_at="now", type="transfer")
        cache.keep(view, viewer, time.monotonic(), '"1-me"', b"1")
        kept = [id for id in range(100) if cache.answer(str(id), viewer)]
        assert kept == list(range(kept[0], number + 1))
        assert min(number + 1, 6) <= len(kept) <= 11
