"""`flask ops retry|batch|batches|stop-batch|retry-batch`, as ops call them."""

import json
import threading
from typing import Any

import pytest
import redis

from celery_config import app as celery_app
from models import payment
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited
from tests.workers.posting.parked_payments import BROKEN, park, select
from workers.cli import batch_output
from workers.posting import batches


@pytest.fixture
def parked(books: Books) -> list[str]:
    """The ids of five payments that a broken grant parked, and one parked for another reason."""
    ids = park(books, 5)
    park(books, 1, "DataError: odd")
    return ids


def carry_out(books: Books) -> None:
    """Do what the workers do."""
    batches.carry_out(books.worker, lambda: None, 60.0)
    books.poster().drain()


def chosen(flask: Run, *options: str) -> dict[str, Any]:
    return json.loads(flask("ops", "retry", *options, "--json").output)


def ordered(flask: Run, *options: str) -> str:
    """The id of a batch of what these options select."""
    selection = chosen(flask, *options)["selection"]
    return json.loads(flask("ops", "retry", "--selection", selection, "--reason", "mended", "--json").output)["id"]


def test_retry_selects_by_filter(flask: Run, parked: list[str], bells: redis.Redis) -> None:
    output = flask("ops", "retry", "--type", "transfer", "--error-contains", "permission denied", "--dry-run").output
    lines = output.splitlines()
    assert lines[0] == "5 payments"
    assert "5         EUR       0.05" in lines
    assert f"5         {BROKEN}" in lines
    assert "flask ops retry --selection" in lines[-1]
    assert bells.llen("upkeep") == 0
    found = chosen(flask, "--error-prefix", "DataError", "--currency", "EUR", "--attempts-min", "8")
    assert (found["count"], found["totals"]) == (1, [{"currency": "EUR", "count": 1, "amount": "0.01"}])
    assert chosen(flask, "--limit", "2")["has_more"] is True
    assert chosen(flask, "--id", parked[0], "--id", parked[1])["payments"] == parked[:2]
    assert chosen(flask, "--created-before", "2026-01-01")["selection"] is None
    assert flask("ops", "retry", "--stuck", "0").output == "0 payments\n"


def test_selection_is_retried_and_its_batch_is_shown(
    flask: Run, books: Books, parked: list[str], bells: redis.Redis
) -> None:
    selection = chosen(flask, "--error-contains", "permission denied")["selection"]
    late = park(books, 1)
    output = flask("ops", "retry", "--selection", selection, "--reason", "the grant is back").output
    assert bells.llen("upkeep") == 1
    id = output.split()[1]
    assert "--watch" in output
    carry_out(books)
    shown = flask("ops", "batch", id).output
    assert "state        done\nordered by   shell\n" in shown
    assert "payments     5\n  completed  5\n" in shown
    assert json.loads(flask("ops", "batch", id, "--json").output)["outcomes"]["completed"] == 5
    listed = flask("ops", "batch", id, "--outcome", "completed", "--json").output.splitlines()
    assert [json.loads(line)["id"] for line in listed] == parked
    assert parked[0] in flask("ops", "batch", id, "--outcome", "completed").output
    assert json.loads(flask("ops", "batches", "--json").output)["id"] == id
    assert f"{id}  done" in flask("ops", "batches").output
    assert audited(books, parked[0]) == [("shell", "payments.retry", "the grant is back")]
    assert books.kept(late[0]).is_parked


def test_selection_is_used_once_and_by_the_shell_alone(flask: Run, books: Books, parked: list[str]) -> None:
    selection = chosen(flask)["selection"]
    use = ("ops", "retry", "--reason", "mended", "--selection")
    flask(*use, selection)
    assert "used already" in flask(*use, selection, fails=True).output
    others = select(books, books.user("ops")).id
    assert "shown to a user" in flask(*use, str(others), fails=True).output
    assert "no such selection" in flask(*use, parked[0], fails=True).output
    carry_out(books)


def test_selection_takes_a_reason_and_no_filter(flask: Run, parked: list[str]) -> None:
    selection = chosen(flask)["selection"]
    assert "--reason" in flask("ops", "retry", "--selection", selection, fails=True).output
    for more in (("--currency", "EUR"), ("--dry-run",), ("--limit", "1")):
        result = flask("ops", "retry", "--selection", selection, "--reason", "x", *more, fails=True)
        assert "takes no filter" in result.output


def test_batch_is_stopped_and_retried(flask: Run, books: Books, parked: list[str]) -> None:
    id = ordered(flask)
    assert "none of its payments" in flask("ops", "retry-batch", id, "--reason", "x", fails=True).output
    dry = flask("ops", "stop-batch", id, "--reason", "x", "--dry-run").output
    assert dry == "dry run, nothing is stored: 6 payments would be skipped\n"
    flask("ops", "stop-batch", id, "--reason", "wrong ones")
    assert "stopped before" in flask("ops", "stop-batch", id, "--reason", "x", fails=True).output
    carry_out(books)
    shown = flask("ops", "batch", id).output
    assert "stopped by   shell\nstopped for  wrong ones\n" in shown
    assert "  skipped    6\n" in shown
    assert "stopped" in flask("ops", "batch", id, "--outcome", "skipped").output
    dry = flask("ops", "retry-batch", id, "--reason", "x", "--dry-run", "--json").output
    assert json.loads(dry) == {"total": 6, "dry_run": True}
    again = json.loads(flask("ops", "retry-batch", id, "--reason", "the right ones", "--json").output)
    assert (again["total"], again["filter"]) == (6, {"parked": True, "batch": id})
    carry_out(books)
    assert "there is no batch" in flask("ops", "batch", parked[0], fails=True).output


def test_watch_ends_when_each_payment_is_final_or_parked(
    flask: Run, books: Books, parked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_output, "WATCH_SECONDS", 0.01)
    id = ordered(flask, "--error-contains", "permission denied")
    results: list[Any] = []
    watching = threading.Thread(target=lambda: results.append(flask("ops", "batch", id, "--watch", "--json")))
    watching.start()
    batches.carry_out(books.worker, lambda: None, 60.0)
    with transaction(books.worker) as connection:
        assert payment.postpone(connection, parked[0], 1, "still broken", 0.0, park=True)
    assert results == [], "others are due"
    books.poster().drain()
    watching.join()
    shown = json.loads(results[0].stdout.splitlines()[-1])
    assert (shown["outcomes"]["completed"], shown["outcomes"]["parked"]) == (4, 1)
    assert "still broken" in flask("ops", "batch", id, "--outcome", "parked").output


def test_retry_reports_that_the_broker_is_away(
    flask: Run, books: Books, parked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = chosen(flask)["selection"]
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis+socket:///nowhere/valkey.sock")
    monkeypatch.setattr("bell._publishing", None)
    result = flask("ops", "retry", "--selection", selection, "--reason", "mended")
    assert "the upkeep worker finds the batch" in result.output
    carry_out(books)
    assert not books.kept(parked[0]).is_parked
