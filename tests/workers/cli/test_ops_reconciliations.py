"""`flask ops statements|statement-lines|dismiss-line`, as a person on the shell calls them."""

import json
from datetime import date

from models import reconciliation
from models.reconciliation import ReportedLine, Upload
from models.session import transaction
from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited

DAY = date(2026, 1, 31)
WHY = ("--reason", "Fees of January")


def test_statements_are_listed_and_a_line_is_put_aside(flask: Run, books: Books) -> None:
    id = new_id()
    lines = [
        ReportedLine(n, None, DAY, "debit", n * 100, "EUR", None, f"B{n}", "Fees of the bank", None) for n in (1, 2)
    ]
    with transaction(books.gateway) as connection:
        new = Upload(id, bytes(32), "csv", None, DAY, DAY, "[]", books.user("ops"))
        assert reconciliation.add(connection, new, lines, [])
    shown = flask("ops", "statements").output.splitlines()[1].split()
    assert shown == [id, "2026-01-31", "2026-01-31", "0", "0", "2", "0", "0"]
    act = ("ops", "dismiss-line", id, "1", "--category", "fee", *WHY)
    assert flask(*act, "--dry-run").output.startswith("possible: line 1")
    assert audited(books, f"{id}/1") == []
    assert flask(*act).output == f"put aside: line 1 of {id}, fee\n"
    body = json.loads(flask(*act, "--json").output)
    assert (body["verdict"], body["dismissal"]["dismissed_by"]) == ("dismissed", None)
    assert audited(books, f"{id}/1") == [("shell", "reconciliations.dismiss", "Fees of January")]
    assert "line_dismissed" in flask("ops", "dismiss-line", id, "1", "--category", "tax", *WHY, fails=True).output
    [left] = flask("ops", "statement-lines", id, "--age", "over-5").output.splitlines()[1:]
    assert left.split()[:2] == ["2", "missing_here"]
    [counts] = [json.loads(line)["counts"] for line in flask("ops", "statements", "--json").output.splitlines()]
    assert (counts["dismissed"], counts["missing_here"]) == (1, 1)
    assert "there is no line 3" in flask("ops", "dismiss-line", id, "3", "--category", "fee", *WHY, fails=True).output
    assert "there is no statement" in flask("ops", "statement-lines", new_id(), fails=True).output
