"""`flask ops statements|statement-lines|dismiss-line`, as a person on the shell calls them."""

import json
from datetime import date
from pathlib import Path

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


HEADER = "booked_on,direction,amount,currency,end_to_end_id,bank_reference,description\n"


def test_statement_is_uploaded_and_a_line_matched(flask: Run, books: Books, tmp_path: Path) -> None:
    client, source = books.client(5_00)
    payment = books.transfer(client, source, books.client()[1], 1_00)
    file = tmp_path / "statement.csv"
    file.write_text(f"{HEADER}2026-01-31,debit,1.00,EUR,,B7,by hand\n2026-01-31,debit,x,EUR,,,\n")
    act = ("ops", "upload-statement", str(file))
    assert flask(*act, "--dry-run").output.startswith("dry run, nothing is stored: new, 1 set aside\n")
    assert flask("ops", "statements").output == "none\n"
    body = json.loads(flask(*act, "--json").output)
    assert (body["uploaded_by"], body["counts"]["missing_here"]) == (None, 1)
    assert flask(*act).output.startswith("known before")
    assert audited(books, body["id"]) == [("shell", "reconciliations.upload", None)]
    line = ("ops", "match-line", body["id"], "1", payment, "--reason", "Seen the receipt")
    assert flask(*line, "--dry-run").output.startswith("dry run, nothing is stored: matched: line 1")
    assert json.loads(flask(*line, "--json").output)["match"]["matched_by"] is None
    assert "line_matched" in flask(*line, fails=True).output
    assert audited(books, f"{body['id']}/1") == [("shell", "reconciliations.match", "Seen the receipt")]
    [shown] = flask("ops", "statements", "--id", body["id"]).output.splitlines()[1:]
    assert shown.split()[0] == body["id"]
    file.write_text("a,b\n")
    assert "/header" in flask(*act, fails=True).output
    file.write_text("<Document/>")
    assert flask(*act, fails=True).output.startswith("Error: ")


def test_lines_are_matched_by_a_file(flask: Run, books: Books, tmp_path: Path) -> None:
    client, source = books.client(5_00)
    payments = [books.transfer(client, source, books.client()[1], 1_00) for _ in range(2)]
    file = tmp_path / "file"
    file.write_text(HEADER + "".join(f"2026-01-31,debit,{n}.00,EUR,,C{n},by hand\n" for n in (1, 2)))
    id = json.loads(flask("ops", "upload-statement", str(file), "--json").output)["id"]
    rows = [{"line": n, "payment": payment, "reason": f"Why {n}"} for n, payment in enumerate(payments, 1)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    act = ("ops", "match-lines", id, str(file))
    lines = flask(*act, "--dry-run").output.splitlines()
    assert lines[0] == "dry run, nothing is stored"
    assert [line.split() for line in lines[2:]] == [
        [str(n), str(n), payment, "matched"] for n, payment in enumerate(payments, 1)
    ]
    assert audited(books, f"{id}/1") == []
    body = json.loads(flask(*act, "--json").output)
    assert (body["matched"], body["unchanged"], body["refused"], body["dry_run"]) == (2, 0, 0, False)
    assert audited(books, f"{id}/2") == [("shell", "reconciliations.match", "Why 2")]
    assert flask(*act).output.count("unchanged") == 2
    file.write_text(f"reason,line,payment\nagain,1,{payments[1]}\n,2,{payments[1]}\nlost,7,{payments[1]}\n")
    refused = flask(*act, fails=True)
    assert (refused.exit_code, refused.output.count("refused")) == (1, 3)
    assert "The line is already matched to a payment." in refused.output
    refusals = json.loads(flask(*act, "--json", fails=True).output)["lines"]
    assert [line["pointer"] for line in refusals] == ["/lines/1/line", "/lines/2/reason", "/lines/3/line"]
    assert "malformed" in flask(*act, "--form", "jsonl", "--json", fails=True).output
    assert "there is no statement" in flask("ops", "match-lines", new_id(), str(file), fails=True).output
    file.write_text("a,b\n")
    assert "/header" in flask(*act, fails=True).output
