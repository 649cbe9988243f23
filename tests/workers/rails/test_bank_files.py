"""The files that the SEPA rail wrote and read are kept in the database, once each."""

from pathlib import Path

import pytest

from models import rail
from models.session import transaction
from tests.iso20022_messages import report, status
from tests.workers.books import Books
from tests.workers.rails.sepa_files import new_payout
from workers.rails import bank_files, sepa
from workers.rails.payouts import PayoutSender
from workers.rails.sepa import SepaRail
from workers.rails.sepa_files import key_of


def contents(books: Books) -> dict[str, bytes]:
    """What is kept of each file, by its state."""
    rows = "SELECT f.state, c.content FROM rail_files f JOIN rail_file_contents c ON c.file_id = f.id"
    with transaction(books.worker) as connection:
        return {state: bytes(content) for state, content in connection.exec_driver_sql(rows)}


def test_files_are_noted_as_they_are_written_read_and_set_aside(
    shared_books: Books, files: SepaRail, outbox: Path, inbox: Path
) -> None:
    line = new_payout()
    files.submit([line])
    [message] = [path.name for path in outbox.glob("*.xml")]
    written, read = (outbox / message).read_bytes(), report(status(key_of(line.payment_id), "ACSC"))
    (inbox / "a.xml").write_bytes(read)
    (inbox / "b\udcff\x1b.xml").write_bytes(b"no file of a bank")
    sender = PayoutSender(shared_books.worker, files)
    for _ in range(2):
        sender.drain()
    with transaction(shared_books.worker) as connection:
        noted = rail.files(connection, 10, rail="sepa")
        assert {(file.state, file.items) for file in noted} == {("written", 1), ("read", 1), ("broken", None)}
        assert {file.name for file in noted if file.state == "written"} == {message}
        [broken] = [file.name for file in noted if file.state == "broken"]
        assert broken.isprintable()
        [known] = [one for one in rail.rails(connection) if one.rail == "sepa"]
        assert (known.written, known.read, known.broken, known.told) == (1, 1, 1, 0)
    assert files.handled_files == []
    assert contents(shared_books) == {"written": written, "read": read, "broken": b"no file of a bank"}
    files.handled_files.append(rail.BankFile("written", message, 1))
    bank_files.note(shared_books.worker, files)
    with transaction(shared_books.worker) as connection:
        assert rail.files(connection, 10, rail="sepa") == noted, "what is noted twice is there once"


def test_large_files_are_noted_without_content_and_none_is_held_for_long(
    books: Books, files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sepa, "HANDLED_BYTES_MAX", 10)
    (inbox / "1.xml").write_bytes(b"x" * (rail.CONTENT_BYTES_MAX + 1))
    for name in ("2.xml", "3.xml"):
        (inbox / name).write_bytes(f"broken {name}".encode())
    assert files.updates("") == ([], "")
    assert [file.content for file in files.handled_files] == [None, b"broken 2.xml"]
    assert files.updates("") == ([], ""), "the third waits until these are kept"
    for _ in range(2):
        bank_files.note(books.worker, files)
        files.updates("")
    with transaction(books.worker) as connection:
        kept = {file.name[17:]: file.bytes for file in rail.files(connection, 10, rail="sepa")}
    assert kept == {"1.xml": None, "2.xml": 12, "3.xml": 12}
