"""`flask payments explain|watch`, as a person on the shell calls them."""

import json
from threading import Thread

import pytest

from models import payment_timeline, payment_view
from models.payment_timeline import TimelineEntry
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run
from workers.cli import payment_waits

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def test_waiting_payment_is_explained(flask: Run, books: Books, waiting: str) -> None:
    told = flask("payments", "explain", waiting).output
    assert told.startswith(f"payment   {waiting}\nis a      transfer of 4.00 EUR, INITIATED\n")
    assert "\nposting_stale: No poster was seen within the last hour.\n" in told
    assert "  `flask payments sweep` posts without a broker; start a poster.\n  flask payments sweep\n" in told
    assert "nobody  within the last hour" in told
    with books.as_owner() as connection:
        connection.exec_driver_sql("SELECT FROM payments WHERE id = %s FOR NO KEY UPDATE", (waiting,))
        body = json.loads(flask("payments", "explain", waiting, "--json").output)
        told = flask("payments", "explain", waiting).output
    assert [cause["code"] for cause in body["causes"]] == ["posting_stale", "due", "locked"]
    assert (body["payment"], [step["step"] for step in body["timeline"]]) == (waiting, ["initiated"])
    assert f"{body['locks'][0]['pid']}" in told
    books.poster().drain()
    assert "It is final: it waits for nothing." in flask("payments", "explain", waiting).output
    assert "there is no payment" in flask("payments", "explain", UNKNOWN, fails=True).output


def test_payment_is_followed_until_it_is_final(flask: Run, books: Books, waiting: str) -> None:
    late = flask("payments", "watch", waiting, "--timeout", "0", fails=True)
    assert (late.exit_code, late.output.splitlines()[0].split()[2:]) == (4, ["initiated", "maker"])
    assert f"flask payments explain {waiting}" in late.output
    poster = Thread(target=books.poster().drain)
    poster.start()
    ended = flask("payments", "watch", waiting)
    poster.join()
    assert [line.split()[2] for line in ended.output.splitlines()[:-1]] == ["initiated", "completed"], ended.output
    assert ended.output.splitlines()[-1] == "COMPLETED"
    client, source = books.client()
    poor = books.transfer(client, source, books.client()[1], 1_00)
    books.poster().drain()
    failed = flask("payments", "watch", poor, "--json", fails=True)
    *steps, last = map(json.loads, failed.output.splitlines())
    assert (failed.exit_code, [step["step"] for step in steps]) == (3, ["initiated", "failed"])
    assert last == {"payment": poor, "state": "FAILED", "failure": "insufficient_funds"}
    assert "there is no payment" in flask("payments", "watch", UNKNOWN, fails=True).output


def test_final_step_waits_for_the_final_payment(books: Books, waiting: str) -> None:
    """The payment is read before its steps: it may become final between the two."""
    with transaction(books.worker) as connection:
        before = payment_view.by_id(connection, waiting)
    books.poster().drain()
    assert before is not None
    seen: set[TimelineEntry] = set()
    with transaction(books.worker) as connection:
        after = payment_view.by_id(connection, waiting)
        assert after is not None
        looks = [(view, payment_timeline.of_payment(connection, view)) for view in (before, after, after)]
    steps = [[line.split()[2] for line in payment_waits.new_lines(entries, view, seen)] for view, entries in looks]
    assert steps == [["initiated"], ["completed"], []]


def test_interrupted_watch_ends_at_once(flask: Run, waiting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(payment_waits.time, "sleep", interrupt)
    assert flask("payments", "watch", waiting, fails=True).exit_code == 130
