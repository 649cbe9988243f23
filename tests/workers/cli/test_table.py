"""Tables of the commands: whole ids everywhere, free text cut on a terminal alone, ages with their unit."""

import os
import subprocess
import sys

import pytest

from embedded.home import CHECKOUT
from tests.builders import new_id
from workers.cli import table

ID, TEXT = new_id(), "no such account: " + "x" * 300
SCRIPT = f"from workers.cli import table; table.show(['payment', 'last error'], [['{ID}', '{TEXT}']])"


def test_table_without_terminal_cuts_nothing(capsys: pytest.CaptureFixture[str]):
    table.show(["payment", "last error"], [[ID, TEXT], ["short", ""]])
    header, line, short = capsys.readouterr().out.splitlines()
    assert header == f"{'payment':36}  last error"
    assert line == f"{ID}  {TEXT}"
    assert short == "short"


def test_ids_are_whole_at_80_columns():
    header = ("payment", "type", "amount", "accepted", "due", "attempts", "parked", "last error")
    row = (ID, "withdrawal", "12345678.00 EUR", "119 minutes ago", "in 59 seconds", "8", "5 minutes ago", TEXT)
    first, *more = table.lines(header, [row], 80)[2:]
    assert first == f"{ID}  withdrawal  12345678.00 EUR"
    assert [len(line) <= 80 for line in (first, *more)] == [True] * 2
    assert " ".join(more).split()[:12] == [
        "119",
        "minutes",
        "ago",
        "in",
        "59",
        "seconds",
        "8",
        "5",
        "minutes",
        "ago",
        "no",
        "such",
    ]


@pytest.mark.parametrize(("columns", "shown"), [(80, [f"{ID}  {TEXT[:42]}"]), (20, [ID, f"  {TEXT[:18]}"])])
def test_table_on_terminal_cuts_only_free_text(columns: int, shown: list[str]):
    command = ["script", "-qec", f'stty cols {columns}; {sys.executable} -c "{SCRIPT}"', "/dev/null"]
    environ = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    printed = subprocess.run(
        command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert printed.stdout.splitlines()[len(shown) :] == shown


def test_control_characters_are_not_printed(capsys: pytest.CaptureFixture[str]):
    table.show(["payment", "last error"], [[ID, "two\nlines \x1b[31mred\x07"]])
    assert capsys.readouterr().out.splitlines()[1] == f"{ID}  two lines ?[31mred?"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds ago"), (1.9, "1 second ago"), (119, "119 seconds ago"), (120, "2 minutes ago"),
        (7199, "119 minutes ago"), (7200, "2 hours ago"), (2 * 86_400, "2 days ago"), (-0.4, "0 seconds ago"),
        (-1, "in 1 second"), (-300, "in 5 minutes"),
    ],
)  # fmt: skip
def test_ages_are_printed_in_words(seconds: float, text: str):
    assert table.ago(seconds) == text
