"""The inbox of the SEPA rail: reports and statements, read until committed; invalid files are set aside."""

from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from models.bank_return import Return
from tests.iso20022_messages import CAMT, REPORT, RETURNED, STRANGE, camt, entry, report, status, strange
from tests.workers.rails.sepa_files import DEBTOR, key, new_payout
from workers.rails import sepa, sepa_exchange_folders
from workers.rails.base import BankUpdate, PayoutState, RailUnavailable
from workers.rails.sepa import SepaRail
from workers.rails.sepa_files import key_of

# What is read


def hear(files: SepaRail, position: str = "") -> tuple[list, str]:
    """All updates from there on, each page committed."""
    items = []
    while True:
        page, after = files.updates(position)
        items += page
        if after == position:
            return items, position
        position = after


def test_report_on_transactions_answers_each_payout(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (refused, k2), (accepted, k3) = key(), key(), key()
    rows = [status(k1, "ACSC"), status(k2, "RJCT", "AC04"), status(k3, "ACCP"), status("theirs", "ACSC")]
    (inbox / "a.xml").write_bytes(report(*rows))
    items, _ = hear(files)
    assert [(item.payment_id, item.answer.state, item.answer.reason) for item in items] == [
        (paid, PayoutState.CONFIRMED, None),
        (refused, PayoutState.REJECTED, "AC04: Account closed"),
    ]
    assert accepted not in {item.payment_id for item in items}


@pytest.mark.parametrize("place", ["group", "block"])
def test_report_on_a_message_answers_all_its_payouts(files: SepaRail, outbox: Path, inbox: Path, place: str) -> None:
    lines = [new_payout(), new_payout(), new_payout()]
    files.submit(lines)
    [message] = [path.stem for path in outbox.glob("*.xml")]
    (inbox / "a.xml").write_bytes(
        report(status(key_of(lines[0].payment_id), "ACSC"), message_id=message, **{place: "RJCT"})
    )
    items, _ = hear(files)
    assert {item.payment_id: item.answer.state for item in items} == {
        lines[0].payment_id: PayoutState.CONFIRMED,
        lines[1].payment_id: PayoutState.REJECTED,
        lines[2].payment_id: PayoutState.REJECTED,
    }
    assert len(items) == 3


@pytest.mark.parametrize("place", ["group", "block", "transaction"])
def test_duplicate_message_is_not_rejected(files: SepaRail, outbox: Path, inbox: Path, place: str) -> None:
    line = new_payout()
    files.submit([line])
    [message] = [path.stem for path in outbox.glob("*.xml")]
    if place == "transaction":
        data = report(status(key_of(line.payment_id), "RJCT", "AM05"), message_id=message)
    else:
        data = report(message_id=message, **{place: "RJCT"})
        twice = b"</GrpSts>" if place == "group" else b"</PmtInfSts>"
        data = data.replace(twice, twice + b"<StsRsnInf><Rsn><Cd>DU01</Cd></Rsn></StsRsnInf>")
    (inbox / "a.xml").write_bytes(data)
    assert hear(files)[0] == []
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]


@pytest.mark.parametrize("message", ["0" * 32, "../../etc/passwd", ""])
def test_report_on_a_foreign_message_is_ignored(files: SepaRail, inbox: Path, message: str) -> None:
    (inbox / "a.xml").write_bytes(report(message_id=message, group="RJCT"))
    assert hear(files)[0] == []
    assert [path.name for path in (inbox / "done").iterdir()]


def test_statement_confirms_payouts_and_reports_returns(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (returned, k2), (other, k3) = key(), key(), key()
    entries = [
        entry("DBIT", "10.00", k1, "B1"),
        entry("CRDT", "9.5", k2, "B2", detail=RETURNED),
        entry("CRDT", "9.50", k3, "B3"),
        entry("CRDT", "7.00", k2, detail=RETURNED),
        entry("CRDT", "7.00", k2, "B4", detail=RETURNED, currency="USD"),
        entry("DBIT", "1.00", "theirs"),
        entry("DBIT", "1.00"),
    ]
    (inbox / "a.XML").write_bytes(camt(*entries))
    items, _ = hear(files)
    assert items == [
        BankUpdate(paid, items[0].answer, 1000),
        Return("B2", returned, 950, "AC04"),
        Return(f"{k2} 2026-11-20 7", returned, 700, "AC04"),
    ]
    assert (items[0].answer.state, items[0].answer.bank_reference) == (PayoutState.CONFIRMED, "B1")
    assert len(items[2].bank_id) <= 100
    assert other not in {item.payment_id for item in items}


def test_odd_entry_does_not_block_the_others(files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = LogCapture()
    monkeypatch.setattr(sepa, "log", structlog.wrap_logger(None, processors=[said]))
    ids = [key() for _ in range(2)]
    odd = [entry(amount="1e3"), entry(day="2026-02-30"), entry("CRDT", "1.005", key()[1], detail=RETURNED)]
    (inbox / "a.xml").write_bytes(camt(entry(key=ids[0][1]), *odd, entry(key=ids[1][1])))
    items, _ = hear(files)
    assert [item.payment_id for item in items] == [id for id, _ in ids]
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]
    pointers = [line["pointer"] for line in said.entries if "pointer" in line]
    assert [pointer.split("/")[4] for pointer in pointers] == ["2", "3", "4"]


def test_payment_ids_are_read_in_any_case(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (refused, k2) = key(), key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1.upper())))
    (inbox / "b.xml").write_bytes(report(status(k2.upper(), "RJCT", "AC04")))
    assert [item.payment_id for item in hear(files)[0]] == [paid, refused]


def test_parts_of_an_entry_are_updates_of_their_payouts(files: SepaRail, inbox: Path) -> None:
    (first, k1), (second, k2), (third, k3) = key(), key(), key()
    refs = "<TxDtls><Refs><EndToEndId>{}</EndToEndId></Refs>{}</TxDtls>"
    details = [refs.format(k1, '<Amt Ccy="EUR">1500</Amt>'), refs.format(k2, ""), refs.format(k3, "")]
    batch = entry(amount="1526.00").replace("<TxDtls><Refs></Refs></TxDtls>", "".join(details))
    (inbox / "a.xml").write_bytes(camt(batch))
    assert [(item.payment_id, item.amount) for item in hear(files)[0]] == [
        (first, 150_000),
        (second, None),
        (third, None),
    ]


def test_file_is_moved_once_all_of_it_is_committed(
    files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sepa, "ITEMS_MAX", 2)
    ids = [key() for _ in range(3)]
    (inbox / "a.xml").write_bytes(camt(*(entry(key=k) for _, k in ids)))
    first, after_first = files.updates("")
    assert files.updates("") == (first, after_first), "read twice, it says the same"
    second, after_second = files.updates(after_first)
    assert [item.payment_id for item in first + second] == [id for id, _ in ids]
    assert (inbox / "a.xml").exists(), "nobody has said that the second page is committed"
    assert files.updates(after_second) == ([], after_second)
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]
    assert files.updates(after_second) == ([], after_second)


def test_changed_file_under_the_same_name_is_read(files: SepaRail, inbox: Path) -> None:
    (first, k1), (second, k2) = key(), key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1)))
    items, position = files.updates("")
    (inbox / "a.xml").write_bytes(camt(entry(key=k2)))
    more, _ = hear(files, position)
    assert [item.payment_id for item in items + more] == [first, second]


def test_repeated_file_changes_nothing(files: SepaRail, inbox: Path) -> None:
    _, k1 = key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1)))
    _, position = hear(files)
    (inbox / "b.xml").write_bytes(camt(entry(key=k1)))
    assert hear(files, position) == ([], position)


@pytest.mark.parametrize("kind", [CAMT, REPORT])
@pytest.mark.parametrize("name", STRANGE)
def test_broken_file_does_not_block_the_others(files: SepaRail, inbox: Path, name: str, kind: str) -> None:
    id, k1 = key()
    (inbox / "a.xml").write_bytes(strange(name, kind))
    (inbox / "b.xml").write_bytes(camt(entry(key=k1)))
    items, _ = hear(files)
    assert [item.payment_id for item in items] == [id]
    assert [path.name[17:] for path in (inbox / "broken").iterdir()] == ["a.xml"]
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["b.xml"]


def test_invalid_files_are_set_aside(files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sepa_exchange_folders, "FILE_BYTES_MAX", 2_000)
    _, k1 = key()
    (inbox / "large.xml").write_bytes(camt(entry(key=k1)) + b" " * 2_000)
    (inbox / "order.xml").write_bytes(camt(entry(key=k1)).replace(CAMT.encode(), b"pain.001.001.09"))
    (inbox / "precise.xml").write_bytes(camt(entry("CRDT", "1.005", k1, detail=RETURNED)))
    assert hear(files)[0] == []
    assert sorted(path.name[17:] for path in (inbox / "broken").iterdir()) == ["large.xml", "order.xml", "precise.xml"]


def test_other_files_stay_in_the_inbox(files: SepaRail, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (inbox / "link.xml").symlink_to(tmp_path / "secret")
    (inbox / "folder.xml").mkdir()
    (inbox / "half.xml.part").write_bytes(b"<")
    assert hear(files) == ([], "")
    assert sorted(path.name for path in inbox.iterdir()) == ["folder.xml", "half.xml.part", "link.xml"]


def test_missing_folder_gives_no_updates(outbox: Path, tmp_path: Path) -> None:
    with pytest.raises(RailUnavailable):
        SepaRail(outbox, tmp_path / "nowhere", DEBTOR).updates("")
