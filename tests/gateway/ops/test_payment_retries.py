"""Retries of many payments: what a filter selects, and batches of what was selected."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.http.errors import PROBLEMS
from tests.builders import new_id
from tests.gateway.harness import ApiHarness
from tests.gateway.ops.stuck_payments import REASON, order, park
from tests.gateway.ops.waiting_payments import PARKED, WaitingPayments, ids, retry, select


@pytest.fixture
def waiting(api: ApiHarness) -> WaitingPayments:
    return WaitingPayments(api)


def test_filter_only_selects_what_it_shows(waiting: WaitingPayments, rings: list) -> None:
    rings.clear()
    answer = select(waiting.ops, waiting.mine)
    body = answer.get_json()
    assert answer.status_code == 200
    assert (body["count"], body["has_more"], ids(answer)) == (5, False, waiting.parked)
    assert body["totals"] == [{"currency": "EUR", "count": 5, "amount": "5.00"}]
    assert body["errors"] == [{"error": "no luck", "count": 5}]
    assert body["oldest_created_at"] == body["payments"][0]["created_at"]
    [seconds] = waiting.api.execute(
        "SELECT extract(epoch FROM expires_at - created_at)::integer FROM selections WHERE id = %s", body["selection"]
    )
    assert seconds == 15 * 60
    limited = select(waiting.ops, {"stuck": 0, "user": waiting.client.id, "limit": 2}, dry_run=True)
    assert (ids(limited), limited.get_json()["has_more"]) == (waiting.stuck[:2], True)
    assert limited.get_json()["errors"] == [{"error": None, "count": 2}]
    none = select(waiting.ops, {**waiting.mine, "currency": "USD"}).get_json()
    assert (none["count"], none["selection"], none["expires_at"], none["oldest_created_at"]) == (0, None, None, None)
    assert (rings, waiting.api.execute("SELECT DISTINCT attempts FROM payments WHERE parked_at IS NOT NULL")) == (
        [],
        [1],
    )


def test_selection_is_retried_as_it_was_shown(waiting: WaitingPayments, rings: list) -> None:
    selection = waiting.selection(limit=4)
    late = order(waiting.client, waiting.wallet)
    park(waiting.api, late)
    rings.clear()
    answer = retry(waiting.ops, selection, dry_run=False)
    body = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/ops/batches/{body['id']}")
    assert rings == [answer.headers["Request-Id"]]
    assert (body["state"], body["total"], body["waiting"], body["user"]) == ("running", 4, 4, waiting.ops.id)
    assert (body["reason"], body["filter"]) == (REASON["reason"], waiting.mine)
    waiting.carry_out()
    body = waiting.ops.get(answer.headers["Location"]).get_json()
    assert (body["state"], body["retried"], body["outcomes"]["completed"]) == ("done", 4, 4)
    left = waiting.ops.get(f"/v1/ops/payments?parked=true&user={waiting.client.id}").get_json()["data"]
    assert [row["id"] for row in left] == [late, waiting.parked[4]]
    lines = [waiting.ops.get(f"/v1/ops/audit?target={id}").get_json()["data"][0] for id in waiting.parked[:4]]
    assert {(line["action"], line["actor"], line["reason"]) for line in lines} == {
        ("payments.retry", waiting.ops.id, REASON["reason"])
    }

    steps = waiting.ops.get(f"/v1/payments/{waiting.parked[0]}/timeline").get_json()["data"]
    assert [(step["actor"], step["actor_id"], step["reason"]) for step in steps if step["step"] == "retry"] == [
        ("ops", waiting.ops.id, REASON["reason"])
    ]


def refused(answer: Any) -> str:
    code = answer.get_json()["code"]
    assert answer.status_code == PROBLEMS[code].status
    return code


def test_selection_is_its_users_used_once_and_expires(waiting: WaitingPayments) -> None:
    selection, other = waiting.selection(), waiting.api.person("ops")
    with waiting.api.unchanged():
        assert refused(retry(waiting.ops, new_id())) == "selection_unknown"
        assert refused(retry(other, selection)) == "selection_of_another"
    id = retry(waiting.ops, selection).get_json()["id"]
    with waiting.api.unchanged():
        again = retry(waiting.ops, selection)
    assert (refused(again), again.get_json()["batch"]) == ("selection_used", id)
    [expired] = waiting.api.execute(
        "INSERT INTO selections (user_id, filter, payment_ids, expires_at) VALUES (%s, '{}', ARRAY[%s::uuid], now())"
        " RETURNING id::text",
        waiting.ops.id,
        waiting.parked[0],
    )
    with waiting.api.unchanged():
        assert refused(retry(waiting.ops, expired)) == "selection_expired"


def test_selection_is_used_once_by_twenty_requests_at_once(waiting: WaitingPayments) -> None:
    selection, barrier = waiting.selection(), threading.Barrier(20)

    def use(_: int) -> int:
        barrier.wait()
        return retry(waiting.ops, selection).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(use, range(20)))
    assert sorted(statuses) == [202] + [409] * 19
    assert waiting.api.execute("SELECT count(*) FROM batches WHERE selection_id = %s", selection) == [1]


def test_batch_is_listed_with_its_payments_by_outcome(waiting: WaitingPayments) -> None:
    id = waiting.batch()
    final = waiting.parked[0]
    waiting.api.execute(
        "UPDATE payments SET state = 'FAILED', failure_code = 'expired', parked_at = NULL, finalized_at = now()"
        " WHERE id = %s",
        final,
    )
    path = f"/v1/ops/batches/{id}"
    assert waiting.ops.get(f"{path}/payments?outcome=skipped").get_json()["data"] == []
    waiting.carry_out()
    auditor = waiting.api.person("auditor")
    body = auditor.get(path).get_json()
    assert body["outcomes"] == {"waiting": 0, "retried": 0, "completed": 4, "failed": 0, "parked": 0, "skipped": 1}
    listed = [row for row in auditor.get("/v1/ops/batches").get_json()["data"] if row["id"] == id]
    assert [{**row, "outcomes": body["outcomes"]} for row in listed] == [body]
    [skipped] = auditor.get(f"{path}/payments?outcome=skipped,failed").get_json()["data"]
    assert (skipped["payment"], skipped["skip_reason"], skipped["state"]) == (final, "final", "FAILED")
    assert (skipped["failure"], skipped["amount"], skipped["currency"]) == ("expired", "1.00", "EUR")
    first = auditor.get(f"{path}/payments?limit=2").get_json()
    second = auditor.get(f"{path}/payments?limit=2&cursor={first['next_cursor']}").get_json()
    assert [row["payment"] for row in first["data"] + second["data"]] == waiting.parked[:4]
    back = auditor.get(f"{path}/payments?limit=2&cursor={second['prev_cursor']}").get_json()
    assert back["data"] == first["data"]


def test_twenty_stops_beside_the_worker_have_one_effect(waiting: WaitingPayments) -> None:
    """Each payment is retried or left, whichever comes first, and counted once."""
    path = f"/v1/ops/batches/{waiting.batch()}"
    barrier = threading.Barrier(21)

    def stop(number: int) -> int:
        barrier.wait()
        if number == 20:
            waiting.carry_out()
            return 0
        return waiting.ops.call("POST", f"{path}/stop", json=REASON).status_code

    with ThreadPoolExecutor(21) as pool:
        statuses = list(pool.map(stop, range(21)))[:20]
    waiting.carry_out()
    assert sorted(statuses) in ([200] + [409] * 19, [409] * 20)
    body = waiting.ops.get(path).get_json()
    assert sum(body["outcomes"].values()) == 5
    assert body["outcomes"]["completed"] + body["outcomes"]["skipped"] == 5
    assert body["state"] == ("stopped" if 200 in statuses else "done")
    lines = waiting.ops.get(f"/v1/ops/audit?target={body['id']}&action=batches.stop").get_json()["data"]
    assert len(lines) == statuses.count(200)


def test_twenty_retries_of_a_batch_are_one(waiting: WaitingPayments) -> None:
    path = f"/v1/ops/batches/{waiting.batch()}"
    assert waiting.ops.call("POST", f"{path}/stop", json=REASON).status_code == 200
    waiting.carry_out()
    barrier = threading.Barrier(20)

    def again(_: int) -> int:
        barrier.wait()
        return waiting.ops.call("POST", f"{path}/retry", json=REASON).status_code

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(again, range(20))) == [202] + [409] * 19


def test_batch_is_stopped_and_its_parked_are_retried(waiting: WaitingPayments) -> None:
    path = f"/v1/ops/batches/{waiting.batch()}"
    with waiting.api.unchanged():
        assert refused(waiting.ops.call("POST", f"{path}/retry", json=REASON)) == "nothing_to_retry"
    other = waiting.api.person("ops")
    stopped = other.call("POST", f"{path}/stop", json={"reason": "wrong ones"})
    assert stopped.status_code == 200
    body = stopped.get_json()
    assert (body["state"], body["stopped_by"], body["stop_reason"]) == ("stopped", other.id, "wrong ones")
    with waiting.api.unchanged():
        assert refused(other.call("POST", f"{path}/stop", json=REASON)) == "batch_ended"
    waiting.carry_out()
    assert waiting.ops.get(path).get_json()["outcomes"]["skipped"] == 5
    again = other.call("POST", f"{path}/retry", json={"reason": "the right ones"})
    assert (again.status_code, again.get_json()["total"], again.get_json()["user"]) == (202, 5, other.id)
    assert again.get_json()["filter"] == {**PARKED, "batch": body["id"]}
    waiting.carry_out()
    assert waiting.ops.get(again.headers["Location"]).get_json()["outcomes"]["completed"] == 5
    lines = waiting.ops.get(f"/v1/ops/audit?target={body['id']}").get_json()["data"]
    assert [(line["action"], line["actor"]) for line in lines] == [
        ("batches.stop", other.id),
        ("batches.create", waiting.ops.id),
    ]
