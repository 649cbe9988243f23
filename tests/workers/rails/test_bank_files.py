"""Which files the SEPA rail wrote and read is noted in the database, once each."""

from pathlib import Path

from models import rail
from models.session import transaction
from tests.iso20022_messages import report, status
from tests.workers.books import Books
from tests.workers.rails.sepa_files import new_payout
from workers.rails import bank_files
from workers.rails.payouts import PayoutSender
from workers.rails.sepa import SepaRail
from workers.rails.sepa_files import key_of


def test_files_are_noted_as_they_are_written_read_and_set_aside(
    shared_books: Books, files: SepaRail, outbox: Path, inbox: Path
) -> None:
    line = new_payout()
    files.submit([line])
    [message] = [path.name for path in outbox.glob("*.xml")]
    (inbox / "a.xml").write_bytes(report(status(key_of(line.payment_id), "ACSC")))
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
    files.handled_files.append(rail.BankFile("written", message, 1))
    bank_files.note(shared_books.worker, files)
    with transaction(shared_books.worker) as connection:
        assert rail.files(connection, 10, rail="sepa") == noted, "what is noted twice is there once"
