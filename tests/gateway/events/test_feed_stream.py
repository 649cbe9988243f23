"""The feed as an event stream: from now on or from a cursor, until the client goes; of pages too."""

from itertools import islice

import pytest

from gateway.events import feed_stream
from tests.gateway.events.streams import ASKED, events_of, stream, waiting
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.gateway.pages.browsers import Browser

EVENTS = "/v1/events"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed is read without a pause."""
    monkeypatch.setattr(feed_stream, "FEED_SECONDS", 0.01)


def test_feed_is_followed_from_now_and_goes_on_from_the_last_id(
    api: ApiHarness, client: ApiUser, stranger: ApiUser
) -> None:
    before, wallet = client.wallet("5.00"), client.wallet()
    with (
        stream(client, f"{EVENTS}?after=now&type=payment.*") as (answer, pieces),
        stream(stranger, f"{EVENTS}?after=now") as (_, of_stranger),
    ):
        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
        assert "retry:" in "".join(islice(pieces, 1))
        next(of_stranger)
        id = client.order("/v1/deposits", deposit_into(wallet)).get_json()["id"]
        [begun] = events_of(next(pieces))
        assert (begun["event"], begun["data"]["data"]["id"], before) == ("payment.initiated", id, before)
        api.post_payments()
        [done] = events_of(next(pieces))
        assert (done["event"], done["data"]["data"]) == ("payment.completed", client.payment(id))
        stranger.order("/v1/deposits", deposit_into(stranger.wallet()))
        assert [event["event"] for event in events_of(next(of_stranger))] == ["payment.initiated"], "theirs alone"
        assert waiting(api) == 2
    assert waiting(api) == 0, "a client that goes frees its place"
    with stream(client, EVENTS, **{"Last-Event-ID": begun["id"]}) as (_, pieces):
        assert events_of("".join(islice(pieces, 2))) == [done]
    page = client.get(f"{EVENTS}?after={begun['id']}").get_json()
    assert page["data"] == [done["data"]]
    assert client.call("GET", EVENTS, headers={**ASKED, "Last-Event-ID": "no"}).get_json()["code"] == "bad_cursor"


def test_feed_streams_of_one_user_are_bounded_and_end_with_their_access(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_stream, "FEED_STREAMS_MAX", 1)
    key = ApiUser(api, client.id, api.token(client.id))
    with stream(key, EVENTS) as (_, pieces):
        next(pieces)
        refused = client.call("GET", EVENTS, headers=ASKED)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_waiters")
        assert refused.headers["Retry-After"]
        api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", client.id)
        api.app.extensions["gateway"].tokens.forget_all()
        assert list(pieces) == []
    assert waiting(api) == 0


def test_pages_are_told_by_the_streams_of_the_api(api: ApiHarness, client: ApiUser, payment: str) -> None:
    ann = Browser(api, client.token)
    for path in (f"/app/payments/{payment}", "/app/payments", "/app"):
        [live] = ann.page(path).all("div", id="live")
        answer = ann.client.get(str(live["data-stream"]))
        assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert waiting(api) == 1
        answer.close()
        assert waiting(api) == 0
    api.post_payments()
    assert "payment.completed" in ann.client.get(f"/app/payments/{payment}/events").text, "it ends with the payment"
    assert Browser(api, api.person("client").token).get(f"/app/payments/{payment}/events", 404)
    [live] = ann.page(f"/app/payments/{payment}").all("div", id="live")
    assert "data-stream" not in live
    assert "data-final" in live
