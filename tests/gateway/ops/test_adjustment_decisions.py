"""Approval and rejection of adjustments: money moves once, or never."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.adjustments import AT_ONCE, approve, proposed, reject


def decided(decide: Callable[..., TestResponse], person: ApiUser, id: str) -> int:
    """The status of the decision, retried while the database is too busy."""
    return next(status for _ in range(AT_ONCE) if (status := decide(person, id).status_code) != 503)


def test_own_adjustment_cannot_be_approved(api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str) -> None:
    id = proposed(ops, client)
    with api.unchanged():
        answer = approve(ops, id)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "own_adjustment")


def test_repeated_approval_moves_money_once(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    id, third = proposed(ops, client), api.person("ops")
    first = approve(chief, id).get_json()
    with api.unchanged():
        assert approve(chief, id).get_json() == first
        late = approve(third, id)
        assert (late.status_code, late.get_json()["code"]) == (409, "adjustment_decided")
    api.post_payments()
    assert client.balance(client_wallet) == "14.00"


def test_concurrent_approvals_move_money_once(
    api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    id, together = proposed(ops, client), threading.Barrier(AT_ONCE)
    people = [api.person("ops") for _ in range(AT_ONCE)]

    def race(person: ApiUser) -> int:
        together.wait()
        return decided(approve, person, id)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(race, people)) == [202] + [409] * (AT_ONCE - 1)
    api.post_payments()
    assert client.balance(client_wallet) == "14.00"


@pytest.mark.parametrize("who", ["ops", "chief"])
def test_rejected_adjustment_cannot_be_approved(
    api: ApiHarness,
    ops: ApiUser,
    chief: ApiUser,
    client: ApiUser,
    client_wallet: str,
    request: pytest.FixtureRequest,
    who: str,
) -> None:
    """By another ops user, or by the one who proposed it."""
    id, person, third = proposed(ops, client), request.getfixturevalue(who), api.person("ops")
    answer = reject(person, id)
    adjustment = answer.get_json()
    assert (answer.status_code, adjustment["state"], adjustment["rejected_by"]) == (200, "rejected", person.id)
    assert (adjustment["rejection_reason"], adjustment["approved_by"], adjustment["payment"]) == (
        "Not ours",
        None,
        None,
    )
    with api.unchanged():
        assert reject(person, id, reason="Again").get_json() == adjustment
        for late in (approve(chief, id), reject(third, id)):
            assert (late.status_code, late.get_json()["code"]) == (409, "adjustment_decided")
    api.post_payments()
    assert client.balance(client_wallet) == "10.00"


def test_approved_adjustment_cannot_be_rejected(
    api: ApiHarness, ops: ApiUser, chief: ApiUser, client: ApiUser, client_wallet: str
) -> None:
    id = proposed(ops, client)
    assert approve(chief, id).get_json()["state"] == "approved"
    with api.unchanged():
        for person in (ops, chief):
            assert reject(person, id).get_json()["code"] == "adjustment_decided"


@pytest.mark.parametrize("attempt", range(5))
def test_concurrent_approval_and_rejection_one_succeeds(
    api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str, attempt: int
) -> None:
    id, together = proposed(ops, client), threading.Barrier(AT_ONCE)
    deeds = [(approve, api.person("ops")) for _ in range(AT_ONCE // 2)]
    deeds += [(reject, api.person("ops")) for _ in range(AT_ONCE // 2 - 1)] + [(reject, ops)]

    def race(deed: tuple[Callable[..., TestResponse], ApiUser]) -> int:
        together.wait()
        return decided(*deed, id)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = sorted(pool.map(race, deeds))
    assert statuses[1:] == [409] * (AT_ONCE - 1)
    api.post_payments()
    assert client.balance(client_wallet) == {202: "14.00", 200: "10.00"}[statuses[0]]
    actions = [entry["action"] for entry in api.audit_log(id)]
    assert actions == ["adjustments.propose", {202: "adjustments.approve", 200: "adjustments.reject"}[statuses[0]]]


@pytest.mark.parametrize("members", [{"reason": None}, {"reason": ""}, {"reason": "x" * 501}, {"state": "proposed"}])
def test_rejection_without_reason_is_refused(
    api: ApiHarness, ops: ApiUser, client: ApiUser, client_wallet: str, members: dict[str, Any]
) -> None:
    id = proposed(ops, client)
    with api.unchanged():
        assert reject(ops, id, **members).status_code == 422
