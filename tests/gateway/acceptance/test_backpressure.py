"""While payments wait too long new ones are refused, with Retry-After by the speed of posting; all else goes on."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from payments_client import Client, ServerError
from werkzeug.test import TestResponse

import metrics
from gateway.acceptance import backpressure
from gateway.acceptance.backpressure import drain_seconds
from models.backlog import Head
from tests.gateway.events.live_gateway import serving
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database, entries_of, eventually

SECONDS_MAX = 300
CALLERS = 8


@pytest.fixture(scope="module")
def api(database: Database) -> ApiHarness:
    """A gateway that refuses payments while one has waited for SECONDS_MAX."""
    return ApiHarness(database, queue_age_max_seconds=SECONDS_MAX)


@pytest.fixture(autouse=True)
def reads_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "READ_SECONDS", 0.0)


def age(api: ApiHarness, seconds: float) -> None:
    """Let what is due have been due for these seconds."""
    changed = "UPDATE payments SET due_at = now() - make_interval(secs => %s)"
    api.execute(f"{changed} WHERE state = 'INITIATED' AND parked_at IS NULL AND due_at <= now()", seconds)


def transfer(source: str, target: str) -> dict[str, str]:
    return {"source": source, "target": target, "amount": "1.00", "currency": "EUR"}


def refused(answer: TestResponse) -> str:
    """The Retry-After of a refusal."""
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["retryable"]) == (503, "overloaded", True)
    return answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        (Head(0.0, -400.0), Head(10.0, -390.0), 60.0),
        (Head(0.0, -400.0), Head(10.0, -300.0), 31.0),
        (Head(0.0, -400.0), Head(10.0, -200.0), 10.5),
        (Head(0.0, -400.0), Head(10.0, 9.9), 1.0),
        (Head(0.0, -400.0), Head(10.0, -400.0), 60.0),
        (Head(0.0, -400.0), Head(0.0, -400.0), 60.0),
    ],
)
def test_the_wait_is_age_over_speed_in_bounds(earlier: Head, later: Head, seconds: float) -> None:
    assert drain_seconds(earlier, later) == pytest.approx(seconds)


def test_payments_are_refused_until_posting_goes_on(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    source, target, till = client.wallet("9.00"), client.wallet(), merchant.wallet()
    first = client.order("/v1/transfers", transfer(source, target)).get_json()["id"]
    age(api, SECONDS_MAX - 100)
    assert client.order("/v1/transfers", transfer(source, target)).status_code == 202, "old, but not too old"
    age(api, SECONDS_MAX + 100)
    counted = metrics.RATE_LIMITED.labels(backpressure.NAME)
    before = counted._value.get()
    money = {"amount": "1.00", "currency": "EUR"}
    orders: list[tuple[ApiUser, str, Any]] = [
        (client, "/v1/transfers", transfer(source, target)),
        (client, "/v1/deposits", {"wallet": source, "source": "wire", **money}),
        (merchant, "/v1/charges", {"wallet": source, "reference": "one", **money}),
        (merchant, "/v1/bulk-charges", {"currency": "EUR", "charges": [{"wallet": source, "amount": "1.00"}]}),
    ]
    with api.unchanged():
        for person, path, body in orders:
            assert 45 <= int(refused(person.order(path, body))) <= 60, "nothing was posted meanwhile"
    assert counted._value.get() - before == len(orders)
    assert client.payment(first)["state"] == "INITIATED", "polls go on"
    age(api, SECONDS_MAX + 1)
    assert refused(client.order("/v1/transfers", transfer(source, target))) == "1", "it moves on fast"
    assert api.post_payments() == 2
    for person, path, body in orders:
        assert person.order(path, body).status_code == 202
    api.post_payments()
    assert (client.payment(first)["state"], merchant.balance(till)) == ("COMPLETED", "2.00")


def test_known_keys_are_answered_while_payments_wait(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    source, target = client.wallet("9.00"), client.wallet()
    merchant.wallet()
    bulk = {"currency": "EUR", "charges": [{"wallet": source, "amount": "1.00"}]}
    charge = {"wallet": source, "amount": "1.00", "currency": "EUR", "reference": "kept"}
    orders = [
        (client, "/v1/transfers", transfer(source, target), "a"),
        (merchant, "/v1/charges", charge, "b"),
        (merchant, "/v1/bulk-charges", bulk, "c"),
    ]
    ids = [person.order(path, body, key).get_json()["id"] for person, path, body, key in orders]
    age(api, SECONDS_MAX + 100)
    answers = [person.order(path, body, key) for person, path, body, key in orders]
    assert [answer.get_json()["id"] for answer in answers] == ids
    assert {(answer.status_code, answer.headers["Idempotent-Replayed"]) for answer in answers} == {(202, "true")}
    reused = client.order("/v1/transfers", {**transfer(source, target), "amount": "2.00"}, "a")
    assert (reused.status_code, reused.get_json()["code"]) == (422, "idempotency_key_reused")
    api.post_payments()


def test_what_ends_accepted_payments_goes_on(api: ApiHarness, client: ApiUser, merchant: ApiUser, ops: ApiUser) -> None:
    source, till = client.wallet("9.00"), merchant.wallet()
    done, held, kept = merchant.charge(source, "1.00"), *[merchant.charge(source, "2.00", capture=False) for _ in "ab"]
    api.post_payments()
    parked, late = merchant.charge(source, "1.00"), merchant.charge(source, "0.50")
    api.park(parked)
    age(api, SECONDS_MAX + 100)
    refused(merchant.order("/v1/charges", {"wallet": source, "amount": "1.00", "currency": "EUR"}))
    answers = [
        merchant.order("/v1/refunds", {"charge": done, "reason": "duplicate"}),
        merchant.order(f"/v1/charges/{held}/capture", {}),
        merchant.order(f"/v1/charges/{kept}/void", {}),
        merchant.order(f"/v1/payments/{late}/cancel", {}),
        ops.call("POST", f"/v1/ops/payments/{parked}/retry", json={"reason": "again"}),
    ]
    assert [answer.status_code for answer in answers] == [202] * len(answers)
    api.post_payments()
    refund = answers[0].get_json()["id"]
    states = {id: merchant.payment(id)["state"] for id in (done, held, kept, parked, late, refund)}
    assert states == {
        **dict.fromkeys((done, held, parked, refund), "COMPLETED"),
        **dict.fromkeys((kept, late), "FAILED"),
    }
    assert merchant.balance(till) == "3.00"


def test_lines_are_refused_after_those_that_are_stored(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    source = client.wallet("9.00")
    merchant.wallet()
    opened = merchant.order("/v1/bulk-charges", {"currency": "EUR", "charges": [], "is_open": True}).get_json()["id"]
    line = f'{{"wallet": "{source}", "amount": "1.00"}}\n'

    def put(count: int) -> TestResponse:
        path = f"/v1/bulk-charges/{opened}/lines"
        return merchant.call("PUT", path, data=line * count, content_type="application/x-ndjson")

    assert put(2).status_code == 200
    age(api, SECONDS_MAX + 100)
    answer = put(3)
    assert (refused(answer) != "", answer.get_json()["lines"]) == (True, 2)
    assert merchant.order(f"/v1/bulk-charges/{opened}/close", {"lines": 2}).status_code == 200
    api.post_payments()
    assert merchant.get(f"/v1/bulk-charges/{opened}").get_json()["state"] == "COMPLETED"


def test_a_pause_that_ended_makes_nothing_old(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database, queue_age_max_seconds=SECONDS_MAX)
    client, ops = api.person("client"), api.person("ops")
    source, target = client.wallet("9.00"), client.wallet()
    pause = ops.call("POST", "/v1/ops/pauses", json={"type": "transfer", "reason": "wrong"}).get_json()["id"]
    assert client.order("/v1/transfers", transfer(source, target)).status_code == 202
    age(api, SECONDS_MAX + 100)
    api.post_payments()
    assert client.order("/v1/transfers", transfer(source, target)).status_code == 202, "what is paused is not due"
    ops.call("POST", f"/v1/ops/pauses/{pause}/resume", json={"reason": "mended"})
    age(api, SECONDS_MAX + 100)
    assert client.order("/v1/transfers", transfer(source, target)).status_code == 202, "due since the pause is over"
    assert api.post_payments() == 3


def test_without_a_bound_nothing_is_read_or_refused(database: Database) -> None:
    unbounded = ApiHarness(database)
    ann = unbounded.person("client")
    source, target = ann.wallet("9.00"), ann.wallet()
    for _ in range(2):
        assert ann.order("/v1/transfers", transfer(source, target)).status_code == 202
        age(unbounded, 10 * SECONDS_MAX)
    unbounded.post_payments()


def test_a_client_that_retries_gets_through_without_loss(
    api: ApiHarness, database: Database, client: ApiUser, redis_url: str, tmp_path: Path
) -> None:
    source, target = client.wallet("90.00"), client.wallet()
    client.order("/v1/transfers", transfer(source, target))
    bound = {"QUEUE_AGE_MAX_SECONDS": f"{SECONDS_MAX}", "ALLOWED_HOSTS": "*", "GATEWAY_WORKERS": "1"}
    with serving(database, api, redis_url, tmp_path, **bound) as served:

        def refusals() -> int:
            return sum(entry.get("status") == 503 for entry in entries_of(served.log.read_text()))

        with Client(f"http://127.0.0.1:{served.port}", client.token, timeout=600, retries=1_000) as caller:

            def wait() -> str:
                with pytest.raises(ServerError) as refused:
                    caller.with_options(retries=0).transfers.create(**transfer(source, target))
                assert refused.value.code == "overloaded"
                return refused.value.headers["retry-after"]

            def order(number: int) -> str:
                ordered = caller.transfers.create(**transfer(source, target), idempotency_key=f"job-{number}")
                return ordered.id

            age(api, 100 * SECONDS_MAX)
            assert int(wait()) > 1
            age(api, SECONDS_MAX + 1)
            eventually(lambda: wait() == "1")
            before = refusals()
            with ThreadPoolExecutor(CALLERS) as pool:
                orders = [pool.submit(order, number) for number in range(CALLERS)]
                eventually(lambda: refusals() >= before + CALLERS)
                assert api.post_payments() == 1
                ids = [ordered.result() for ordered in orders]
            assert len(set(ids)) == CALLERS
            assert [order(number) for number in range(CALLERS)] == ids, "each key has the payment it had"
    assert api.post_payments() == CALLERS
    assert client.balance(target) == f"{CALLERS + 1}.00"
