"""Large reads take turns: those beyond a process's bound are refused, all other requests go on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import metrics
from gateway.http import large_reads
from gateway.services import Services
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import row, table, upload
from tests.support import Database

CSV = "text/csv"
RACERS = 20


@pytest.fixture(scope="module")
def narrow(database: Database) -> ApiHarness:
    """A gateway that reads one at a time."""
    return ApiHarness(database, large_reads_max=1)


def test_large_reads_beyond_the_bound_are_refused(narrow: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_reads, "WAIT_SECONDS", 0.01)
    ops, client = narrow.person("ops"), narrow.person("client")
    wallet = client.wallet("3.00")
    month = narrow.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")[0]
    statement = f"/v1/wallets/{wallet}/statement?month={month}"
    services: Services = narrow.app.extensions["gateway"]
    large = [
        lambda: ops.get(f"/v1/ops/closing?month={month}"),
        lambda: client.get(f"/v1/closing?month={month}"),
        lambda: ops.get("/v1/ops/audit", Accept=CSV),
        lambda: client.get("/v1/payments", Accept=CSV),
        lambda: client.get(f"/v1/wallets/{wallet}/operations", Accept=CSV),
        lambda: client.get(statement),
        lambda: client.get(statement, Accept=CSV),
        lambda: upload(ops, table(row(amount="0.77"))),
    ]
    refused = metrics.RATE_LIMITED.labels(large_reads.NAME)
    before = refused._value.get()
    with services.large_reads.turn():
        for read in large:
            answer = read()
            assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
            assert answer.headers["Retry-After"] == large_reads.RETRY_AFTER_SECONDS
        assert refused._value.get() - before == len(large)
        for person, path in ((ops, "/v1/ops/audit"), (client, "/v1/payments"), (ops, "/v1/ops/reconciliations")):
            assert person.get(path).status_code == 200, "a page is no large read"
        assert client.order("/v1/transfers", {"source": wallet, "target": wallet, "amount": "1", "currency": "EUR"})
    assert {read().status_code for read in large} == {200, 201}, "each gave its turn back"


def test_twenty_files_take_turns_and_are_whole(narrow: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_reads, "WAIT_SECONDS", 60)
    ops: ApiUser = narrow.person("ops")
    together = threading.Barrier(RACERS)

    def race(_: int) -> tuple[int, int]:
        together.wait()
        answer = ops.get("/v1/ops/audit?action=of+nobody", Accept=CSV)
        return answer.status_code, len(answer.get_data())

    with ThreadPoolExecutor(RACERS) as pool:
        [answer] = set(pool.map(race, range(RACERS)))
    assert answer[0] == 200


def test_begun_file_waits_for_its_next_turn() -> None:
    turns = large_reads.LargeReads(1)
    pages = turns.pages(iter(["first", "second"]))
    assert next(pages) == "first"
    with ThreadPoolExecutor(1) as pool, turns.turn():
        following = pool.submit(next, pages)
        assert not following.done(), "no page is read beside the other read, and none is refused"
    assert following.result() == "second"
    assert list(pages) == []
