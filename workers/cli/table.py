"""Text tables of the commands: a header and one line per row; only free text is cut, at the edge of a terminal."""

import shutil
import sys
from collections.abc import Sequence

import click

GAP = "  "
TEXT_COLUMNS_MIN = 20
"""Columns of the last cell shown on a terminal, however narrow it is."""

UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
FEW = 2
"""Fewer of a unit than this are given in the next smaller one: 90 seconds, not 1 minute."""


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the table; the last column is free text, cut at the edge of a terminal and nowhere else."""
    table = [header, *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header) - 1)]
    room = _room(sum(widths) + len(GAP) * len(widths))
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo(GAP.join([*cells, row[-1][:room]]).rstrip())


def ago(seconds: float) -> str:
    """A distance in time in words: "5 minutes ago", or "in 5 minutes" if it is negative."""
    distance = abs(int(seconds))
    name, size = next((unit for unit in UNITS if distance >= FEW * unit[1]), UNITS[-1])
    count = distance // size
    words = f"{count} {name}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds <= -1 else f"{words} ago"


def _room(taken: int) -> int | None:
    """Characters left on the terminal's line; None if unlimited."""
    return max(shutil.get_terminal_size().columns - taken, TEXT_COLUMNS_MIN) if sys.stdout.isatty() else None


def _plain(text: str) -> str:
    """The text on one line, without control characters that a terminal would interpret."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
