"""Event streams: replay, live events, end, cost, and loss of access."""

import threading
from typing import Any

import pytest

from gateway.events import subscription
from gateway.events.subscription import HEARTBEAT
from models import event
from models.session import statements
from tests.gateway.bulks.builders import CHARGES
from tests.gateway.events.streams import ASKED, events_of, stream, waiting
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into
from tests.support import Database, eventually


def test_stream_sends_past_events_and_then_new_ones(api: ApiHarness, client: ApiUser, payment: str) -> None:
    with stream(client, f"/v1/payments/{payment}/events") as (answer, pieces):
        assert answer.status_code == 200
        assert answer.content_type == "text/event-stream; charset=utf-8"
        assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert next(pieces) == "retry: 2000\n"
        [begun] = events_of(next(pieces))
        assert begun["event"] == begun["data"]["type"] == "payment.initiated"
        assert begun["id"] == begun["data"]["id"]
        assert (begun["data"]["version"], begun["data"]["data"]["state"]) == (1, "INITIATED")
        api.post_payments()
        rest = events_of("".join(pieces))
    assert [event["event"] for event in rest] == ["payment.completed"]
    assert rest[0]["data"]["data"] == client.payment(payment)
    assert int(rest[0]["id"]) > int(begun["id"])
    assert waiting(api) == 0


def test_stream_of_final_payment_sends_all_events_and_ends(api: ApiHarness, client: ApiUser, payment: str) -> None:
    api.post_payments()
    events = events_of(client.get(f"/v1/payments/{payment}/events", **ASKED).get_data(as_text=True))
    assert [event["event"] for event in events] == ["payment.initiated", "payment.completed"]
    path = f"/v1/payments/{payment}/events"
    rest = client.get(path, **ASKED, **{"Last-Event-ID": events[0]["id"]}).get_data(as_text=True)
    assert [event["id"] for event in events_of(rest)] == [events[1]["id"]]
    done = client.get(path, **ASKED, **{"Last-Event-ID": events[1]["id"]})
    assert (done.status_code, done.get_data()) == (204, b"")
    for nonsense in ("", "x", "-1", "1e9", "9" * 40, "٣"):
        again = client.get(path, **ASKED, **{"Last-Event-ID": nonsense.encode().decode("latin-1")})
        assert events_of(again.get_data(as_text=True)) == events


def test_stream_shows_each_party_only_what_they_may_see(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet()
    order = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "metadata": {"note": "internal"}}
    charge = merchant.order("/v1/charges", order).get_json()["id"]
    api.post_payments()
    path = f"/v1/payments/{charge}/events"
    by_merchant, by_client = (
        events_of(who.get(path, **ASKED).get_data(as_text=True))[-1]["data"]["data"] for who in (merchant, client)
    )
    assert (by_merchant["metadata"], by_client["metadata"]) == ({"note": "internal"}, None)
    assert (by_merchant["source"]["wallet"], by_client["source"]["wallet"]) == (customer_wallet, customer_wallet)
    assert by_client["target"]["wallet"] is None


def test_waiting_stream_holds_no_database_connection(
    api: ApiHarness, client: ApiUser, payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.3)
    pool: Any = api.app.extensions["gateway"].engine.pool
    with stream(client, f"/v1/payments/{payment}/events") as (_, pieces):
        begun = [next(pieces), next(pieces)]
        assert len(events_of(begun[1])) == 1
        assert waiting(api) == 1
        eventually(lambda: pool.checkedout() == 0)
        heard: list[str] = []
        thread = threading.Thread(target=lambda: heard.append(next(pieces)))
        thread.start()
        held = set()
        eventually(lambda: held.add(pool.checkedout()) or heard)
        thread.join()
        assert held <= {0, 1, 2}  # one to authenticate again, one for the poll of each second
        assert heard == [HEARTBEAT]
        eventually(lambda: pool.checkedout() == 0)


@pytest.mark.parametrize(
    "fate",
    ["UPDATE tokens SET revoked_at = now() WHERE user_id = %s", "UPDATE users SET is_active = false WHERE id = %s"],
)
def test_stream_ends_when_caller_loses_access(
    api: ApiHarness, client: ApiUser, payment: str, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.1)
    with stream(client, f"/v1/payments/{payment}/events") as (_, pieces):
        assert len(events_of(next(pieces) + next(pieces))) == 1
        api.execute(fate, client.id)
        api.app.extensions["gateway"].tokens.forget(client.id)
        api.post_payments()
        assert events_of("".join(pieces)) == []
    assert waiting(api) == 0


def test_stream_ends_when_access_cannot_be_checked(
    api: ApiHarness, client: ApiUser, payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.1)
    with stream(client, f"/v1/payments/{payment}/events") as (_, pieces), api.owner.begin() as locking:
        assert len(events_of(next(pieces) + next(pieces))) == 1
        api.execute("UPDATE tokens SET last_used_at = now() - interval '1 day' WHERE user_id = %s", client.id)
        locking.exec_driver_sql("SELECT FROM tokens WHERE user_id = %s FOR UPDATE", (client.id,))
        assert events_of("".join(pieces)) == []  # recording the token's use waits for the lock until it times out
    assert waiting(api) == 0


def test_stream_ends_after_its_maximum_time(
    api: ApiHarness, client: ApiUser, payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(subscription, "STREAM_SECONDS_MAX", 0.3)
    text = client.get(f"/v1/payments/{payment}/events", **ASKED).get_data(as_text=True)
    assert [event["event"] for event in events_of(text)] == ["payment.initiated"]
    assert text.count(HEARTBEAT) <= 4
    assert waiting(api) == 0


def test_disconnected_client_frees_its_place(api: ApiHarness, client: ApiUser, payment: str) -> None:
    with stream(client, f"/v1/payments/{payment}/events") as (_, pieces):
        next(pieces)
        assert waiting(api) == 1
    assert waiting(api) == 0
    assert client.call("HEAD", f"/v1/payments/{payment}/events").status_code == 200
    assert waiting(api) == 0


def test_too_many_streams_are_refused_with_retry_after(fresh_database: Database) -> None:
    api = ApiHarness(fresh_database, waiters_max=5, waiters_per_user_max=1)
    client, path = api.person(), "/v1/payments/{}/events"
    order = deposit_into(client.wallet())
    first, second = (client.order("/v1/deposits", order).get_json()["id"] for _ in range(2))
    with stream(client, path.format(first)):
        refused = client.get(path.format(second), **ASKED)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_waiters")
        assert refused.headers["Retry-After"] == "5"
        api.post_payments()
        assert client.get(path.format(second), **ASKED).status_code == 200  # final: it does not wait
    assert client.get(path.format(first), **ASKED).status_code == 200


def test_stream_with_other_accept_is_not_acceptable(client: ApiUser, payment: str) -> None:
    for accept in ("application/json", "text/html", "text/csv"):
        answer = client.get(f"/v1/payments/{payment}/events", Accept=accept)
        assert (answer.status_code, answer.get_json()["code"]) == (406, "not_acceptable")


def test_event_newer_than_the_row_is_sent_with_the_next_read(
    api: ApiHarness, client: ApiUser, payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and events are read one after the other; a transition in between must not show its state too early."""
    real = event.of_subjects

    def slowly(*args: Any) -> list[event.Event]:
        api.post_payments()
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(event, "of_subjects", slowly)
        with api.app.app_context():
            services = api.app.extensions["gateway"]
            caller = services.tokens.caller(client.token)
            update = subscription.read(services, payment, lambda _: True, caller)
    assert [(sent.name, update.subject.state) for sent in update.events] == [("payment.initiated", "INITIATED")]
    with statements(api.gateway) as connection:
        assert len(real(connection, [payment])) == 2


def test_final_bulk_is_streamed(api: ApiHarness, client: ApiUser, merchant: ApiUser, stranger: ApiUser) -> None:
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet()
    order = {
        "currency": "EUR",
        "charges": [{"wallet": customer_wallet, "amount": amount} for amount in ("1.00", "9.00")],
    }
    id = merchant.order(CHARGES, order).get_json()["id"]
    with stream(merchant, f"{CHARGES}/{id}/events") as (_, pieces):
        assert next(pieces) + next(pieces) == "retry: 2000\n" + HEARTBEAT
        api.post_payments()
        [end] = events_of("".join(pieces))
    assert end["event"] == "bulk.partially_completed"
    assert end["data"]["data"] == merchant.get(f"{CHARGES}/{id}").get_json()
    assert stranger.get(f"{CHARGES}/{id}/events", **ASKED).status_code == 404
    assert merchant.get(f"/v1/bulk-transfers/{id}/events", **ASKED).status_code == 404
    assert merchant.get(f"/v1/payments/{id}/events", **ASKED).status_code == 404


def test_stream_of_bulk_final_without_event_ends_at_once(api: ApiHarness, client: ApiUser, merchant: ApiUser) -> None:
    customer_wallet, _ = client.wallet("5.00"), merchant.wallet()
    order = {"currency": "EUR", "charges": [{"wallet": customer_wallet, "amount": "1.00"}]}
    id = merchant.order(CHARGES, order).get_json()["id"]
    api.execute("ALTER TABLE bulks DISABLE TRIGGER bulks_tell_their_end")
    api.post_payments()
    api.execute("ALTER TABLE bulks ENABLE TRIGGER bulks_tell_their_end")
    assert merchant.get(f"{CHARGES}/{id}").get_json()["state"] == "COMPLETED"
    assert merchant.get(f"{CHARGES}/{id}/events", **ASKED).status_code == 204
