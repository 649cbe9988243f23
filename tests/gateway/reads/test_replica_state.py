"""Tokens of clients, and what is said of a replica: by status, command and at the start."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

import settings
from embedded import home as homes
from embedded.postgres import Postgres
from gateway.reads import ConsistencyTokens
from models import preflight
from models.health import KINDS
from tests.gateway.harness import SECRET_KEY, ApiHarness, ApiUser
from tests.gateway.reads.places import counted, deposit, listed
from tests.replicas import Replica
from tests.support import Database, eventually, memory
from workers import process
from workers.cli import ops_replica

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("token", ["", "x", "é" * 28, "0" * 28, "f" * 9000])
def test_a_token_that_is_not_ours_is_no_error(client: ApiUser, token: str) -> None:
    id, _ = deposit(client, client.wallet())
    if token:
        with counted("primary", "token_unreadable"):
            assert id in listed(client, token.encode().decode("latin-1"))


def test_a_token_from_the_future_is_no_error(client: ApiUser) -> None:
    id, _ = deposit(client, client.wallet())
    with counted("primary", "token_future"):
        assert id in listed(client, ConsistencyTokens(SECRET_KEY).encode(1 << 60))


def test_the_greater_token_is_the_later_one(client: ApiUser) -> None:
    wallet = client.wallet()
    tokens = [deposit(client, wallet)[1] for _ in range(5)]
    assert tokens == sorted(tokens)
    assert {len(token) for token in tokens} == {28}


@pytest.mark.parametrize("position", [0, 1, 1 << 40, (1 << 63) - 1])
def test_tokens_are_read_back(position: int) -> None:
    tokens = ConsistencyTokens(SECRET_KEY)
    assert tokens.decode(tokens.encode(position)) == position
    assert ConsistencyTokens("another").decode(tokens.encode(position)) is None


def test_status_says_which_replica_and_how_far_behind(
    api: ApiHarness, client: ApiUser, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status() -> tuple[dict, list[str]]:
        body = api.anonymous().get("/status").get_json()
        return body["replica"], [problem["code"] for problem in body["problems"]]

    monkeypatch.setattr("models.health.KINDS", {"replica_unused": KINDS["replica_unused"]})  # no worker runs
    deposit(client, client.wallet())
    seen, problems = eventually(lambda: found if (found := status())[0]["bytes_behind"] == 0 else None)
    assert seen == {"name": f"{replica.folder}:5432", "state": "ok", "bytes_behind": 0, "lag_seconds": 0.0}
    assert problems == []
    replica.stop()
    try:
        seen, problems = status()
        assert (seen["state"], seen["bytes_behind"], problems) == ("away", None, ["replica_unused"])
    finally:
        replica.start()


def test_the_command_says_how_far_it_is_behind(
    api: ApiHarness, database: Database, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(url: str | None, *words: str) -> Result:
        current = replace(settings.load(), database_replica_url=url)
        monkeypatch.setattr(settings, "load", lambda: current)
        monkeypatch.setattr(process, "engine", lambda: api.worker)
        return CliRunner().invoke(ops_replica.show_replica, words)

    url = replica.url(database.worker)
    assert "has all that the primary had" in run(url).output
    assert json.loads(run(url, "--json").output)["state"] == "ok"
    assert "is not set" in run(None).output
    monkeypatch.setattr(ops_replica, "CATCH_UP_SECONDS", 0.05)
    replica.pause()
    try:
        deposit(user := api.person("client"), user.wallet())
        behind = run(url)
        assert behind.exit_code == 1
        assert re.search(r"behind, [1-9]\d* bytes", behind.output)
    finally:
        replica.resume()


def test_no_gateway_starts_with_a_replica_of_another(database: Database, replica: Replica) -> None:
    preflight.check_replica(database.gateway, replica.url(database.gateway))
    preflight.check_replica(database.gateway, "postgresql+psycopg2://gateway@/payments?host=/nowhere")
    with homes.temporary(memory() or homes.SHARED) as home:
        other = Postgres(home, durable=False)
        other.start()
        try:
            with pytest.raises(SystemExit, match="is no replica of its database"):
                preflight.check_replica(database.gateway, other.url())
        finally:
            other.stop("immediate")
