"""`flask ops overview` and `flask ops related`, as ops call them."""

import json
from pathlib import Path

from models import payout, rail
from models.overview import SPANS
from models.rail import BankFile
from models.session import transaction
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited


def test_state_of_everything_and_what_belongs_to_a_payment(flask: Run, books: Books) -> None:
    [payment] = books.transfers(1)
    books.poster().drain()
    body = json.loads(flask("ops", "overview", "--json").output)
    assert body["slot_seconds"] == next(iter(SPANS.values()))
    assert {count["name"]: count["count"] for count in body["counts"]}["waiting"] == 0
    assert [line.split()[0] for line in flask("ops", "overview").output.splitlines()[:1]] == ["seconds"]
    related = json.loads(flask("ops", "related", payment, "--json").output)
    assert json.loads(flask("ops", "related", payment).output) == related
    assert "there is no payment" in flask("ops", "related", new_id(), fails=True).output


def test_rails_and_their_files(flask: Run, books: Books) -> None:
    assert flask("ops", "rails").output == "none\n"
    with transaction(books.worker) as connection:
        payout.move_position(connection, "sepa", "1")
        rail.note_files(connection, "sepa", [BankFile("written", "a.xml", 3), BankFile("broken", "b.xml", None)])
    assert json.loads(flask("ops", "rails", "--json").output)["files"] == {"written": 1, "read": 0, "broken": 1}
    assert "sepa" in flask("ops", "rails").output
    assert flask("ops", "rail-files", "sepa", "--state", "written").output.splitlines()[1].split()[2:] == [
        *("written", "3", "a.xml")
    ]
    assert json.loads(flask("ops", "rail-files", "sepa", "--state", "broken", "--json").output)["items"] is None


def test_file_of_a_rail_is_downloaded_to_stdout_or_a_folder(flask: Run, books: Books, tmp_path: Path) -> None:
    content = b"<Document/>\xff\0"
    with transaction(books.worker) as connection:
        rail.note_files(connection, "sepa", [BankFile("read", "../../a.xml", 1, content), BankFile("read", "b", 1)])
    rows = [json.loads(line) for line in flask("ops", "rail-files", "sepa", "--json").output.splitlines()]
    ids = {row["name"]: row["id"] for row in rows}
    kept = ids["../../a.xml"]
    assert flask("ops", "rail-file", kept).stdout_bytes == content
    assert f"{len(content)} bytes" in flask("ops", "rail-file", kept, "--folder", str(tmp_path)).output
    [path] = tmp_path.iterdir()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (content, 0o600)
    assert "File exists" in flask("ops", "rail-file", kept, "--folder", str(tmp_path), fails=True).output
    path.unlink()
    body = json.loads(flask("ops", "rail-file", kept, "--folder", str(tmp_path), "--json").output)
    assert body == next(row for row in rows if row["id"] == kept)
    assert "--json needs --folder" in flask("ops", "rail-file", kept, "--json", fails=True).output
    assert "not a folder" in flask("ops", "rail-file", kept, "--folder", str(path), fails=True).output
    for id in (ids["b"], new_id()):
        assert "there is no content of a file" in flask("ops", "rail-file", id, fails=True).output
    assert audited(books, kept) == [("shell", "rail_files.download", None)] * 4


def test_webhooks_are_listed_and_sent_again(flask: Run, books: Books) -> None:
    endpoint_id, delivery_id = new_id(), new_id()
    with books.as_owner() as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhook_endpoints (id, user_id, url, event_types, failing_since)"
            " VALUES (%s, %s, 'https://8.8.8.8/', '{*}', now())",
            (endpoint_id, books.client(1)[0]),
        )
        connection.exec_driver_sql(
            "INSERT INTO webhook_deliveries (id, endpoint_id, sequence, name, subject_id, version, occurred_at, state,"
            " next_attempt_at, finished_at) VALUES (%s, %s, 1, 'ping', %s, 1, '2026-11-01', 'failed', NULL, now())",
            (delivery_id, endpoint_id, endpoint_id),
        )
    assert json.loads(flask("ops", "webhook-endpoints", "--state", "failing", "--json").output)["id"] == endpoint_id
    assert endpoint_id in flask("ops", "webhook-endpoints").output
    assert flask("ops", "webhook-endpoints", "--state", "ok").output == "none\n"
    times = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z")
    tried = ("ops", "redeliver-range", endpoint_id, *times, "--reason", "lost", "--json")
    assert json.loads(flask(*tried, "--dry-run").output)["redelivered"] == 1
    assert audited(books, endpoint_id) == []
    assert "is sent again" in flask("ops", "redeliver", delivery_id, "--reason", "lost").output
    assert json.loads(flask(*tried).output)["redelivered"] == 0, "it is due already"
    assert "there is no delivery" in flask("ops", "redeliver", new_id(), "--reason", "x", fails=True).output
    assert audited(books, delivery_id) == [("shell", "webhook_deliveries.redeliver", "lost")]


def test_open_items_are_taken_given_back_and_noted(flask: Run, books: Books) -> None:
    [payment] = books.transfers(1)
    assert flask("ops", "open-items").output == "none\n"
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (payment,))
    assert json.loads(flask("ops", "open-items", "--kind", "parked", "--json").output)["subject"] == payment
    assert "there is no such item" in flask("ops", "take", "breaches", "7", fails=True).output
    assert "is taken" in flask("ops", "take", "parked", payment, "--dry-run").output
    assert flask("ops", "assignments").output == "none\n"
    taken = json.loads(flask("ops", "take", "parked", payment, "--reason", "mine", "--json").output)
    assert "taken already" in flask("ops", "take", "parked", payment).output
    assert json.loads(flask("ops", "assignments", "--json").output) == taken
    assert "is given back" in flask("ops", "give-back", taken["id"], "--reason", "gone home").output
    assert flask("ops", "assignments").output == "none\n"
    assert payment in flask("ops", "assignments", "--all").output
    assert "there is no assignment" in flask("ops", "give-back", new_id(), fails=True).output
    assert audited(books, taken["id"]) == [
        ("shell", "assignments.take", "mine"),
        ("shell", "assignments.give_back", "gone home"),
    ]
    assert "is noted" in flask("ops", "note", payment, "They called.").output
    assert "noted before" in flask("ops", "note", payment, "They called.").output
    assert audited(books, payment) == [("shell", "payments.note", "They called.")]
    assert "there is no payment" in flask("ops", "note", new_id(), "x", fails=True).output
