"""Reads from a real streaming replica: what a client wrote is never missing, whatever becomes of the replica."""

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from gateway import reads
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import Browser
from tests.gateway.reads.places import HEADER, count, counted, deposit, is_answered_by_replica, listed
from tests.replicas import Replica
from tests.support import Database, eventually

pytestmark = pytest.mark.slow


def test_each_list_has_what_was_just_written(client: ApiUser) -> None:
    wallet = client.wallet()
    for _ in range(20):
        id, token = deposit(client, wallet)
        assert listed(client, token)[0] == id


def test_reads_with_a_token_are_the_replicas(client: ApiUser) -> None:
    _, token = deposit(client, client.wallet())
    before = count("replica", "fresh") + count("replica", "waited")
    listed(client, token)
    assert count("replica", "fresh") + count("replica", "waited") == before + 1


def test_a_read_waits_for_what_was_written(client: ApiUser, replica: Replica) -> None:
    wallet = client.wallet()
    replica.pause()
    try:
        id, token = deposit(client, wallet)
        replica.ask("SELECT 1")
    finally:
        replica.resume()
    assert id in listed(client, token)


@pytest.mark.usefixtures("impatient")
def test_the_primary_answers_what_is_not_replayed(client: ApiUser, replica: Replica) -> None:
    wallet = client.wallet()
    replica.pause()
    try:
        id, token = deposit(client, wallet)
        with counted("primary", "token_late"):
            assert id in listed(client, token)
        assert client.payment(id)["state"] == "INITIATED"
    finally:
        replica.resume()


@pytest.mark.usefixtures("impatient")
def test_a_replica_far_behind_is_not_asked(
    api: ApiHarness, client: ApiUser, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(client)
    monkeypatch.setattr(api.app.extensions["gateway"].reads, "_lag_seconds_max", 0)
    monkeypatch.setattr(reads, "SAMPLE_SECONDS", 1e-9)
    wallet = client.wallet()
    replica.pause()
    try:
        id, _ = deposit(client, wallet)
        with counted("primary", "behind"):
            assert id in listed(client)
    finally:
        replica.resume()


def test_a_killed_replica_is_no_error(client: ApiUser, replica: Replica) -> None:
    wallet = client.wallet()
    listed(client)
    replica.process.kill()
    try:
        id, token = deposit(client, wallet)
        with counted("primary", "away"):
            assert id in listed(client, token)
        assert id in listed(client)
    finally:
        replica.stop()
        replica.start()
    _, token = deposit(client, wallet)
    eventually(lambda: is_answered_by_replica(lambda: listed(client, token)))


def test_a_silent_replica_is_no_error(client: ApiUser, replica: Replica) -> None:
    id, token = deposit(client, client.wallet())
    listed(client, token)
    children = [int(pid) for pid in replica.ask("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity").split()]
    pids = [replica.process.pid, *children]
    tell(pids, signal.SIGSTOP)
    try:
        with counted("primary", "away"):
            assert id in listed(client, token)
    finally:
        tell(pids, signal.SIGCONT)


def tell(pids: list[int], number: signal.Signals) -> None:
    """Send them the signal; the one that said which there are may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_read_canceled_by_replay_is_the_primarys(api: ApiHarness, client: ApiUser) -> None:
    listed(client)
    places: list[bool] = []

    def read(connection) -> int:
        places.append(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())
        if places == [True]:
            connection.exec_driver_sql("DO $$ BEGIN RAISE 'canceled' USING ERRCODE = '40001'; END $$")
        return 7

    with counted("primary", "failed"):
        assert api.app.extensions["gateway"].reads.reader(None)(read) == 7
    assert places == [True, False]


def test_a_file_goes_on_from_the_primary(api: ApiHarness, client: ApiUser) -> None:
    listed(client)
    places: list[bool] = []

    def read(connection) -> int:
        places.append(connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one())
        if places == [True, True]:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return len(places)

    reader = api.app.extensions["gateway"].reads.reader(None)
    assert reader(read) == 1
    with counted("primary", "away"):
        assert reader(read) == 3
    with counted("primary", "as_before"):
        assert reader(read) == 4
    assert places == [True, True, False, False]


def test_sessions_on_the_replica_only_read(api: ApiHarness, client: ApiUser) -> None:
    def mode(connection) -> list[str]:
        shown = ("transaction_read_only", "statement_timeout")
        return [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in shown]

    services = api.app.extensions["gateway"]
    assert services.reads.reader(None)(mode) == ["on", "10s"]
    with services.reads._standby.connect() as connection:
        assert connection.connection.dbapi_connection.readonly


def test_every_kind_of_read_is_answered_there(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet("5.00")
    ops, month = api.person("ops"), f"{datetime.now(UTC):%Y-%m}"
    written = deposit(client, wallet)[1]
    paths = {
        client: ["/v1/payments", f"/v1/wallets/{wallet}/operations", f"/v1/wallets/{wallet}/statement?month={month}"],
        ops: [
            *(f"/v1/ops/closing?month={month}", "/v1/ops/overview", "/v1/ops/search?q=nothing", "/v1/ops/users"),
            *("/v1/ops/open-items", "/v1/ops/payments/count", "/v1/ops/payments", "/v1/ops/accounts"),
            *("/v1/ops/audit", "/v1/ops/adjustments", "/v1/ops/commission-terms"),
            f"/v1/ops/commissions?from={month}-01&to={month}-02",
        ],
    }
    for user, targets in paths.items():
        for path in targets:
            failed = count("primary", "failed") + count("primary", "away")
            assert is_answered_by_replica(lambda user=user, path=path: ok(user, path, written)), path
            assert count("primary", "failed") + count("primary", "away") == failed, path
    for kind in ("text/csv", "application/x-ndjson"):
        assert is_answered_by_replica(lambda kind=kind: ok(client, "/v1/payments", written, kind))


def ok(user: ApiUser, path: str, token: str, kind: str = "application/json") -> None:
    answer = user.get(path, **{HEADER: token, "Accept": kind})
    assert answer.status_code == 200, (path, answer.get_json())


def test_answers_to_all_writes_have_a_token(client: ApiUser) -> None:
    for answer in (
        client.call("POST", "/v1/wallets", json={"currency": "EUR"}),
        client.call("PATCH", "/v1/me", json={"first_name": "Ann"}),
    ):
        assert answer.status_code < 300
        assert HEADER in answer.headers
    refused = client.order("/v1/deposits", {})
    assert refused.status_code == 422
    assert HEADER not in refused.headers


def test_without_a_replica_there_are_no_tokens(database: Database) -> None:
    api = ApiHarness(database)
    client = api.person("client")
    body = {"wallet": client.wallet(), "amount": "1.00", "currency": "EUR", "source": "wire"}
    answer = client.order("/v1/deposits", body)
    assert HEADER not in answer.headers
    assert answer.get_json()["id"] in listed(client, "whatever")


@pytest.mark.usefixtures("impatient")
def test_pages_show_what_was_done_on_them(api: ApiHarness, replica: Replica) -> None:
    browser = Browser(api, api.person("merchant").token)
    endpoint = {"url": "https://8.8.8.8/hook", "description": "Seen at once", "event_types": ["*"]}
    browser.get("/app/webhooks")
    replica.pause()
    try:
        made = browser.form("/app/webhooks", endpoint)
        assert made.status_code < 400, made.text
        assert browser.cookie("__Host-payments_consistent")
        with counted("primary", "token_late"):
            assert "Seen at once" in browser.get("/app/webhooks").text
    finally:
        replica.resume()


def test_a_promoted_replica_is_not_asked(client: ApiUser, replica: Replica) -> None:
    listed(client)
    replica.ask("SELECT pg_promote(true)")
    id, token = deposit(client, client.wallet())
    with counted("primary", "promoted"):
        assert id in listed(client, token)
