"""What the clients decide, step by step, without a server: retries, deadlines, waits, streams and uploads."""

import json
import math
from typing import Any

import pytest
from payments_client import Client, Conflict, NoAnswer, PaymentFailed, RateLimited, ServerError, StillPending
from payments_client.bulks import upload
from payments_client.feed import follow
from payments_client.flows import Flow, Item, Open, Policy, ReadLine, Send, Sleep, send
from payments_client.model import Origin
from payments_client.operations import pages
from payments_client.payment import SyncPayment, wait
from payments_client.requests import Request, Response

KEYED = Request("POST", "http://x/v1/charges", {}, b"{}", "key")
CLIENT = Client("http://x", "pay_token")


def body(value: object, status: int = 200, **headers: str) -> Response:
    return Response(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, json.dumps(value).encode()
    )


def taken(flow: Flow[Any], *results: Response | NoAnswer | str | None) -> tuple[list[Any], Any]:
    """The steps of a flow and its result, if each request and line has these results, in their order."""
    steps: list[Any] = []
    remaining = list(results)
    result: Any = None
    try:
        while True:
            step = flow.throw(result) if isinstance(result, NoAnswer) else flow.send(result)
            steps.append(step)
            result = remaining.pop(0) if isinstance(step, Send | Open | ReadLine) else None
    except StopIteration as done:
        assert remaining == []
        return steps, done.value


def retried(request: Request, *results: Response | NoAnswer, retries: int = 2) -> list[float]:
    """The pauses between attempts, until the request succeeded."""
    steps, response = taken(send(request, Policy(30, retries)), *results)
    assert response.status == 200
    assert all(step.request is request for step in steps if isinstance(step, Send))
    return [step.seconds for step in steps if isinstance(step, Sleep)]


OK = Response(200)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_request_is_tried_again_after_a_passing_error(status: int) -> None:
    pauses = retried(KEYED, Response(status), NoAnswer("reset"), OK)
    assert 0 <= pauses[0] <= 0.25
    assert 0 <= pauses[1] <= 0.5


def test_pauses_are_drawn_from_all_of_their_range() -> None:
    drawn = [retried(KEYED, NoAnswer("reset"), OK)[0] for _ in range(100)]
    assert min(drawn) < 0.05
    assert max(drawn) > 0.2


def test_the_pause_that_the_server_asks_for_is_kept() -> None:
    assert retried(KEYED, body({}, 429, retry_after="3"), OK) == [3.0]
    with pytest.raises(RateLimited):
        retried(KEYED, body({}, 429, retry_after="31"), OK)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 501])
def test_a_refusal_is_final(status: int) -> None:
    problem = {"code": "no", "detail": "Never.", "errors": [{"pointer": "/amount", "code": "bad", "detail": "So."}]}
    flow = send(KEYED, Policy())
    with pytest.raises(Exception, match=r"no: Never\.; /amount: So\.") as refused:
        taken(flow, body(problem, status))
    assert refused.value.idempotency_key == "key"
    assert refused.value.errors[0].pointer == "/amount"


def test_what_must_not_be_repeated_is_sent_once() -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert len(retried(Request(method, "http://x", {}), NoAnswer("reset"), OK)) == 1
    for method in ("POST", "PATCH"):
        with pytest.raises(NoAnswer):
            retried(Request(method, "http://x", {}), NoAnswer("reset"), OK)


def test_attempts_and_time_have_an_end() -> None:
    with pytest.raises(ServerError) as failed:
        retried(KEYED, Response(503), Response(503), Response(502, body=b"<html>"), OK)
    assert (failed.value.status, failed.value.code, failed.value.retryable) == (502, "http_502", True)
    with pytest.raises(NoAnswer) as lost:
        taken(send(KEYED, Policy(timeout=0.0)), NoAnswer("slow"))
    assert lost.value.idempotency_key == "key"


def test_a_key_is_made_once_and_a_callers_key_is_kept() -> None:
    given = {"wallet": "w", "amount": "1.00", "currency": "EUR"}
    first, second = (CLIENT.request("create_charge", given) for _ in range(2))
    assert first.idempotency_key != second.idempotency_key
    assert first.headers["Idempotency-Key"] == first.idempotency_key
    theirs = CLIENT.request("create_charge", {**given, "idempotency_key": "order 1"})
    assert theirs.headers["Idempotency-Key"] == theirs.idempotency_key == "order 1"
    assert CLIENT.request("get_payment", {"id": "1"}).idempotency_key is None
    listed = CLIENT.request("list_payments", {"idempotency_key": "order 1"})
    assert (listed.url, listed.idempotency_key) == ("http://x/v1/payments?idempotency_key=order+1", None)


def payment(state: str, etag: str = "1") -> SyncPayment:
    return SyncPayment({"id": "7", "state": state}, Origin(CLIENT, "key", {"etag": etag}))


def test_a_wait_asks_for_what_is_newer() -> None:
    flow = wait(payment("INITIATED"), 10, (), False, False)
    steps, final = taken(flow, Response(304), body({"id": "7", "state": "COMPLETED"}, etag="2"))
    sent = [step.request.headers for step in steps if isinstance(step, Send)]
    assert [headers["If-None-Match"] for headers in sent] == ["1", "1"]
    assert sent[0]["Prefer"] == "wait=9"
    assert [step.seconds for step in steps if isinstance(step, Sleep)] == [1.0], "no room for one more who waits"
    assert (final.state, final.idempotency_key, final.etag) == ("COMPLETED", "key", "2")


def test_a_wait_ends_at_a_state_that_is_wanted() -> None:
    held = body({"id": "7", "state": "AUTHORIZED"})
    assert taken(wait(payment("INITIATED"), 9, ["AUTHORIZED"], False, False), held)[1].state == "AUTHORIZED"
    assert taken(wait(payment("FAILED"), 9, ["AUTHORIZED"], False, False))[1].state == "FAILED"


def test_a_wait_that_is_over_tells_the_payment() -> None:
    with pytest.raises(StillPending) as pending:
        taken(wait(payment("INITIATED"), 0, (), False, False))
    assert pending.value.payment.id == "7"
    with pytest.raises(StillPending) as unreachable:
        taken(wait(payment("INITIATED"), 0.9, (), False, False), NoAnswer("reset"))
    assert isinstance(unreachable.value.__cause__, NoAnswer)


def test_a_failure_is_raised_if_asked_for() -> None:
    failure = {"code": "insufficient_funds", "message": "No.", "retryable": True}
    failed = SyncPayment({"id": "7", "state": "FAILED", "failure": failure})
    assert taken(wait(failed, 1, (), False, False))[1] is failed
    with pytest.raises(PaymentFailed) as raised:
        taken(wait(failed, 1, (), True, False))
    assert (raised.value.code, raised.value.retryable) == ("insufficient_funds", True)


def lines(*events: dict[str, Any]) -> list[str]:
    return [f"id: {e['id']}\nevent: {e['type']}\ndata: {json.dumps(e)}\n" for e in events]


def spoken(*events: dict[str, Any]) -> list[str]:
    return [":", *(line for text in lines(*events) for line in text.split("\n"))]


def event(number: int, state: str = "INITIATED") -> dict[str, Any]:
    return {"id": f"{number}", "type": "payment.changed", "data": {"id": "7", "state": state}}


def test_a_wait_by_stream_goes_on_where_it_broke_off() -> None:
    flow = wait(payment("INITIATED"), 60, (), False, True)
    steps, final = taken(flow, OK, *spoken(event(1)), NoAnswer("reset"), OK, *spoken(event(2, "COMPLETED")))
    opened = [step.request.headers.get("Last-Event-ID") for step in steps if isinstance(step, Open)]
    assert (opened, final.state) == ([None, "1"], "COMPLETED")


def test_the_feed_is_followed_from_now_through_everything() -> None:
    flow = follow(CLIENT, None, {"type": "payment.*"})
    results = [body({"next_cursor": "c0"}), NoAnswer("down"), Response(503), OK, *spoken(event(1)), None, OK]
    steps: list[Any] = []
    with pytest.raises(IndexError):
        result: Any = None
        while True:
            step = flow.throw(result) if isinstance(result, NoAnswer) else flow.send(result)
            steps.append(step)
            result = results.pop(0) if isinstance(step, Send | Open | ReadLine) else None
    assert [step.value.cursor for step in steps if isinstance(step, Item)] == ["1"]
    opened = [step.request for step in steps if isinstance(step, Open)]
    assert {request.url for request in opened} == {"http://x/v1/events?after=c0&type=payment.%2A"}
    assert [request.headers.get("Last-Event-ID") for request in opened] == [None, None, None, "1"]
    assert all(step.seconds == math.inf for step in steps if isinstance(step, Open))


def test_pages_are_walked_by_their_cursors() -> None:
    first = body({"data": [{"id": "1"}], "has_more": True, "next_cursor": "c1"})
    flow = pages(CLIENT, SyncPayment, "list_payments", {"state": "FAILED"})
    steps, _ = taken(
        flow, first, body({"data": [], "has_more": True, "next_cursor": "c2"}), body({"data": [{"id": "2"}]})
    )
    assert [step.value.id for step in steps if isinstance(step, Item)] == ["1", "2"]
    assert [step.request.url.partition("?")[2] for step in steps if isinstance(step, Send)] == [
        "state=FAILED",
        "cursor=c1&state=FAILED",
        "cursor=c2&state=FAILED",
    ]


def test_an_upload_goes_on_after_what_is_stored() -> None:
    def bulk(count: int, is_open: bool = True) -> Response:
        return body({"id": "b", "counts": {"lines": count}, "is_open": is_open})

    given = ({"wallet": "w", "amount": f"{number}.00"} for number in range(1, 2503))
    told: list[int] = []
    flow = upload(CLIENT, "bulk_charge", "b", given, True, told.append)
    results = [bulk(2), bulk(1002), NoAnswer("reset"), bulk(2002), bulk(2502), bulk(2502, False)]
    steps, closed = taken(flow, *results)
    sent = [step.request for step in steps if isinstance(step, Send)]
    puts = [request for request in sent if request.method == "PUT"]
    assert [request.url.rpartition("=")[2] for request in puts] == ["3", "1003", "1003", "2003"]
    assert json.loads(puts[0].content.splitlines()[0])["amount"] == "3.00"
    assert (told, closed.is_open) == ([1002, 2002, 2502], False)
    assert json.loads(sent[-1].content) == {"lines": 2502}


def test_an_upload_of_another_length_is_not_closed() -> None:
    flow = upload(CLIENT, "bulk_charge", "b", [{"amount": "1.00"}], True, None)
    out_of_step = body({"code": "bulk_out_of_step"}, 409)
    with pytest.raises(Conflict) as refused:
        taken(flow, body({"id": "b", "counts": {"lines": 2}, "is_open": True}), out_of_step)
    assert refused.value.code == "bulk_out_of_step"
