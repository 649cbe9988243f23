"""The outbox of the SEPA rail: each payment is in one file, whatever is repeated or dies."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

from tests.workers.rails.sepa_files import DEBTOR, answers, keys_written, new_payout, written
from workers.rails.base import PayoutState
from workers.rails.sepa import SepaRail
from workers.rails.sepa_files import key_of

POINTS_MAX = 100


# Once


def test_submit_repeated_writes_nothing_even_if_file_is_taken(files: SepaRail, outbox: Path) -> None:
    lines = [new_payout() for _ in range(3)]
    assert answers(files.submit(lines)) == {PayoutState.PENDING}
    names = sorted(path.name for path in outbox.glob("*.xml"))
    assert answers(files.submit(lines[::-1])) == {PayoutState.PENDING}
    assert sorted(path.name for path in outbox.glob("*.xml")) == names
    (outbox / names[0]).unlink()
    assert answers(files.submit(lines)) == answers(files.inquire(lines)) == {PayoutState.PENDING}
    assert written(outbox) == []


def test_overlapping_batch_writes_the_new_payouts_only(files: SepaRail, outbox: Path) -> None:
    first, second, third = new_payout(), new_payout(), new_payout()
    files.submit([first, second])
    files.submit([second, third])
    assert keys_written(outbox) == sorted(map(key_of, (first.payment_id, second.payment_id, third.payment_id)))


def test_message_id_follows_from_its_payouts(files: SepaRail, outbox: Path, tmp_path: Path) -> None:
    lines = [new_payout(), new_payout()]
    files.submit(lines)
    (tmp_path / "other").mkdir()
    SepaRail(tmp_path / "other", tmp_path, DEBTOR).submit(lines[::-1])
    [name] = {path.name for folder in (outbox, tmp_path / "other") for path in folder.glob("*.xml")}
    assert written(outbox)[0].count(f"Id>{name.removesuffix('.xml')}<".encode()) == 2


def test_payout_never_submitted_is_not_found(files: SepaRail) -> None:
    assert answers(files.inquire([new_payout()])) == {PayoutState.NOT_FOUND}


def test_payouts_are_unknown_while_another_process_writes(files: SepaRail, outbox: Path) -> None:
    files.inquire([new_payout()])
    with (outbox / "staged" / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = [new_payout(), new_payout(currency="USD")]
        assert [outcome.state for outcome in files.submit(lines).values()] == [
            PayoutState.REJECTED,
            PayoutState.UNKNOWN,
        ]
        assert answers(files.inquire(lines)) == {PayoutState.UNKNOWN}
    assert written(outbox) == []


def die_at(point: int, folder: Path) -> None:
    """Make the `point`-th step of this process in the folder its last: nothing is flushed, nothing is cleaned up."""
    left = [point]

    def step(event: str, arguments: tuple) -> None:
        if event in {"open", "os.link", "os.rename", "os.mkdir", "os.remove"} and str(folder) in str(arguments[0]):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    sys.addaudithook(step)


def died(act: object, point: int, folder: Path) -> bool:
    """True if a child that does this died at that point; else it came to the end."""
    child = os.fork()
    if child == 0:
        die_at(point, folder)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("is_taken", [False, True], ids=["left", "taken"])
def test_death_at_any_step_leaves_each_payout_in_one_file(tmp_path: Path, files: SepaRail, is_taken: bool) -> None:
    files.submit([new_payout()])  # what is imported late is imported now, not in every child
    for point in range(POINTS_MAX):
        outbox = tmp_path / f"out{point}"
        outbox.mkdir()
        lines, bank = [new_payout() for _ in range(3)], []

        def rail(outbox: Path = outbox) -> SepaRail:
            return SepaRail(outbox, tmp_path, DEBTOR)

        def take(outbox: Path = outbox, bank: list[str] = bank) -> None:
            if is_taken:
                bank += keys_written(outbox)
                for path in outbox.glob("*.xml"):
                    path.unlink()

        has_died = died(lambda rail=rail, lines=lines: rail().submit(lines), point, outbox)
        take()
        died(lambda rail=rail, lines=lines: rail().inquire(lines), point % 5, outbox)  # and who cleans up may die, too
        take()
        inquired = rail().inquire(lines)
        take()
        unknown = [line for line in lines if inquired[line.payment_id].state is PayoutState.NOT_FOUND]
        assert len(unknown) in (0, len(lines))
        if unknown:
            rail().submit([*unknown, new_payout()])
        take()
        assert answers(rail().submit(lines)) == answers(rail().inquire(lines)) == {PayoutState.PENDING}
        take()
        keys = sorted(bank + keys_written(outbox))
        assert len(keys) == len(set(keys))
        assert {key_of(line.payment_id) for line in lines} <= set(keys)
        assert list((outbox / "staged").glob("*.xml")) == []
        if not has_died:
            assert point > 8
            return
    raise AssertionError("it never came to its end")


def test_incomplete_file_is_written_again(files: SepaRail, outbox: Path) -> None:
    line = new_payout()
    files.inquire([line])
    (outbox / "staged" / f"{'0' * 32}.xml").write_bytes(b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:200')
    assert answers(files.inquire([line])) == {PayoutState.NOT_FOUND}
    assert list((outbox / "staged").glob("*.xml")) == []
    assert answers(files.submit([line])) == {PayoutState.PENDING}
