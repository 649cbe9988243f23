"""GET with `Prefer: wait`: answered when the payment differs from the known ETag, or without one when it is final."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import order, park
from tests.gateway.waiting.clients import CANONICAL, PATIENT, QUICK_SECONDS, WAYS, Answered, services_of, timed, waiting

BRIEF = {"Prefer": "wait=1"}


@pytest.fixture
def id(client: ApiUser) -> str:
    """Of a deposit that is accepted and not posted."""
    return order(client, client.wallet())


def poll(person: ApiUser, id: str, *headers: dict[str, str]) -> Answered:
    said: dict[str, Any] = {}
    for some in headers:
        said |= some
    return timed(lambda: person.get(f"/v1/payments/{id}", **said))


def tag_of(person: ApiUser, id: str) -> str:
    return person.get(f"/v1/payments/{id}").headers["ETag"]


@WAYS
def test_until_it_is_final(api: ApiHarness, client: ApiUser, id: str, way: dict[str, str]) -> None:
    with waiting(api, lambda: poll(client, id, PATIENT, way).answer) as [answer]:
        api.post_payments()
    answered = answer.result()
    assert (answered.status, answered.payment["state"], answered.applied) == (200, "COMPLETED", "wait=20")
    assert not {"Retry-After", "Location"} & set(answered.answer.headers.keys())
    assert answered.answer.headers["ETag"] == tag_of(client, id)
    late = poll(client, id, PATIENT, way)
    assert (late.status, late.payment, late.applied) == (200, answered.payment, "wait=20")


@WAYS
def test_until_the_time_is_over(client: ApiUser, id: str, way: dict[str, str]) -> None:
    answered = poll(client, id, BRIEF, way)
    assert (answered.status, answered.payment["state"], answered.applied) == (200, "INITIATED", "wait=1")
    assert answered.answer.headers["Retry-After"] == "1"
    assert answered.seconds >= 1


@WAYS
def test_poll_of_a_hold_waits_until_authorized_then_until_final(
    api: ApiHarness, client: ApiUser, merchant: ApiUser, way: dict[str, str]
) -> None:
    merchant.wallet()
    charge = {"wallet": client.wallet("10.00"), "amount": "4.00", "currency": "EUR", "capture": False}
    id = merchant.order("/v1/charges", charge).get_json()["id"]
    with waiting(api, lambda: poll(client, id, PATIENT, way).answer) as [held]:
        api.post_payments()
    assert (held.result().status, held.result().payment["state"]) == (200, "AUTHORIZED")
    assert held.result().answer.headers["Retry-After"] == "1"
    with waiting(api, lambda: poll(client, id, PATIENT, way).answer) as [done]:
        merchant.order(f"/v1/charges/{id}/capture", {})
        api.post_payments()
    assert (done.result().status, done.result().payment["state"]) == (200, "COMPLETED")


@WAYS
@pytest.mark.parametrize("said", ["{}", "W/{}", '"0-other", {}', '"0-other",W/{}', "*"])
def test_poll_waits_until_the_known_etag_changes(
    api: ApiHarness, client: ApiUser, id: str, said: str, way: dict[str, str]
) -> None:
    tag = tag_of(client, id)
    known = {"If-None-Match": said.format(tag)}
    same = poll(client, id, BRIEF, known, way)
    assert (same.status, same.answer.data, same.applied) == (304, b"", "wait=1")
    assert (same.answer.headers["ETag"], same.answer.headers["Retry-After"]) == (tag, "1")
    assert same.answer.headers.get("Content-Length") in (None, "0")
    assert "Location" not in same.answer.headers
    assert same.seconds >= 1
    with waiting(api, lambda: poll(client, id, PATIENT, known, way).answer) as [answer]:
        park(api, id)
    assert (answer.result().status, answer.result().payment["state"]) == (200, "INITIATED")
    assert answer.result().payment["next_attempt_at"] is None, "it is parked: no other state, another version"
    assert answer.result().answer.headers["ETag"] != tag
    assert answer.result().seconds < QUICK_SECONDS


@WAYS
def test_poll_with_an_older_etag_is_answered_at_once(client: ApiUser, id: str, way: dict[str, str]) -> None:
    for said in ('"0-other"', 'W/"0-other", "1"'):
        answered = poll(client, id, PATIENT, {"If-None-Match": said}, way)
        assert (answered.status, answered.payment["state"], answered.applied) == (200, "INITIATED", "wait=20")
        assert answered.seconds < QUICK_SECONDS


@WAYS
def test_poll_with_the_final_etag_is_answered_at_once(
    api: ApiHarness, client: ApiUser, id: str, way: dict[str, str]
) -> None:
    api.post_payments()
    for said in (tag_of(client, id), "*"):
        answered = poll(client, id, PATIENT, {"If-None-Match": said}, way)
        assert (answered.status, answered.applied) == (304, "wait=20")
        assert answered.seconds < QUICK_SECONDS
        assert "Retry-After" not in answered.answer.headers


@WAYS
def test_poll_without_prefer_is_answered_at_once(client: ApiUser, id: str, way: dict[str, str]) -> None:
    tag = tag_of(client, id)
    for said, status in ((tag, 304), (f"W/{tag}", 304), ("*", 304), ('"0-other"', 200), ("nonsense", 200)):
        answered = poll(client, id, {"If-None-Match": said}, way)
        assert (answered.status, answered.applied) == (status, None)
        assert answered.answer.headers["ETag"] == tag


@WAYS
def test_strangers_wait_for_nothing(api: ApiHarness, stranger: ApiUser, id: str, way: dict[str, str]) -> None:
    answered = poll(stranger, id, PATIENT, way)
    assert (answered.status, answered.applied, len(services_of(api).waiters)) == (404, None, 0)


def test_both_ways_answer_alike(client: ApiUser, id: str) -> None:
    tag = {"If-None-Match": tag_of(client, id)}
    for headers in ({}, tag, BRIEF, BRIEF | tag):
        short, canonical = poll(client, id, headers), poll(client, id, headers, CANONICAL)
        assert short.status == canonical.status
        assert short.answer.data == canonical.answer.data
        assert sorted(short.answer.headers.keys()) == sorted(canonical.answer.headers.keys())
