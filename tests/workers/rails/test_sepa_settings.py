"""The SEPA rail as the settings open it, and payouts over it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

import settings as configuration
from gateway.bulks.pain001 import read_pain001
from tests.iso20022_messages import RETURNED, camt, entry, report, status
from tests.workers.rails.conftest import Withdrawals
from tests.workers.rails.sepa_files import answers, keys_written, new_payout, written
from workers.rails import RailError, open_rail
from workers.rails.base import PayoutState, Rail
from workers.rails.sepa import SepaRail
from workers.rails.sepa_files import key_of

# Opened by settings


def opened(outbox: Path, inbox: Path, **changes: str) -> Rail:
    folders = {"rail_outbox": str(outbox), "rail_inbox": str(inbox)}
    account = {"rail_sepa_name": "Payments GmbH", "rail_sepa_iban": "DE89 3704 0044 0532 0130 00", "rail_sepa_bic": ""}
    return open_rail(replace(configuration.load(), rail="sepa", **{**folders, **account, **changes}))


@pytest.mark.parametrize("bic", ["", "COBADEFFXXX"])
def test_settings_choose_the_rail(outbox: Path, inbox: Path, bic: str) -> None:
    rail = opened(outbox, inbox, rail_sepa_bic=bic)
    assert answers(rail.submit([new_payout()])) == {PayoutState.PENDING}
    body = read_pain001(written(outbox)[0])
    assert (body["organization_iban"], body.get("organization_bic", "")) == ("DE89370400440532013000", bic)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"rail_outbox": ""}, "RAIL_OUTBOX"),
        ({"rail_inbox": ""}, "RAIL_INBOX"),
        ({"rail_inbox": "/nowhere"}, "RAIL_INBOX"),
        ({"rail_sepa_name": ""}, "RAIL_SEPA_NAME"),
        ({"rail_sepa_iban": ""}, "RAIL_SEPA_IBAN"),
        ({"rail_sepa_iban": "DE00370400440532013000"}, "RAIL_SEPA_IBAN"),
        ({"rail_sepa_bic": "x"}, "RAIL_SEPA_BIC"),
    ],
)
def test_incomplete_settings_are_refused(outbox: Path, inbox: Path, changes: dict[str, str], name: str) -> None:
    with pytest.raises(RailError, match=name):
        opened(outbox, inbox, **changes)


# With the books


@pytest.fixture
def by_files(withdrawals_by, files: SepaRail) -> Iterator[Withdrawals]:
    """Withdrawals that are paid out by files."""
    return withdrawals_by(files)


def test_booking_of_another_amount_is_no_confirmation(by_files: Withdrawals, inbox: Path) -> None:
    [id] = by_files.hold(1450)
    by_files.sender.drain()
    (inbox / "1.xml").write_bytes(camt(entry(amount="0.35", key=key_of(id), number="fee")))
    by_files.sender.drain()
    assert by_files.row(id, "answer") == (None,)
    (inbox / "2.xml").write_bytes(camt(entry(amount="14.5", key=key_of(id))))
    by_files.sender.drain()
    by_files.post()
    assert by_files.state(id) == "COMPLETED"


@pytest.mark.parametrize("number", ["NONREF", "1", "9" * 140, chr(0x200B)])
def test_returns_without_distinct_references_are_all_booked(by_files: Withdrawals, inbox: Path, number: str) -> None:
    ids = by_files.hold(1450, 1450)
    by_files.sender.drain()
    for day, id in enumerate(ids):
        back = entry("CRDT", "14.50", key_of(id), number, detail=RETURNED)
        (inbox / f"{day}.xml").write_bytes(camt(entry(amount="14.50", key=key_of(id)), back))
    for _ in range(2):
        by_files.sender.drain()
        by_files.post()
    assert by_files.books.balance(by_files.wallet) == 1_000_000_00


def test_emptied_folder_is_not_filled_again(by_files: Withdrawals, outbox: Path, tmp_path: Path) -> None:
    [id] = by_files.hold(1450)
    by_files.sender.drain()
    outbox.rename(tmp_path / "unmounted")
    outbox.mkdir()
    by_files.hasten()
    by_files.sender.drain()
    assert (by_files.state(id), keys_written(outbox)) == ("parked", [])
    by_files.retry(id)
    by_files.sender.drain()
    by_files.sender.drain()
    assert keys_written(outbox) == [key_of(id)], "a person has found out that the bank never had it"


def test_withdrawal_goes_out_by_file_and_is_returned(by_files: Withdrawals, outbox: Path, inbox: Path) -> None:
    paid, refused = by_files.hold(1450, 66660)
    by_files.sender.drain()
    assert {UUID(key) for key in keys_written(outbox)} == {UUID(paid), UUID(refused)}
    (inbox / "1.xml").write_bytes(report(status(key_of(refused), "RJCT", "AC04")))
    (inbox / "2.xml").write_bytes(camt(entry(amount="14.50", key=key_of(paid), number="B1")))
    by_files.sender.drain()
    by_files.post()
    assert (by_files.state(paid), by_files.state(refused)) == ("COMPLETED", "rejected_by_bank")
    assert by_files.row(refused, "reason") == ("AC04: Account closed",)
    back = camt(entry("CRDT", "14.50", key_of(paid), "B2", detail=RETURNED))
    for name in ("3.xml", "4.xml"):
        (inbox / name).write_bytes(back + b"\n" * int(name[0]))
    by_files.sender.drain()
    by_files.sender.drain()
    by_files.post()
    with by_files.books.as_owner() as connection:
        returns = connection.exec_driver_sql("SELECT state, amount FROM payments WHERE type = 'return'").all()
    assert [tuple(row) for row in returns] == [("COMPLETED", 1450)]
    by_files.hasten()
    by_files.sender.drain()
    assert len(keys_written(outbox)) == 2
