"""Text tables of the commands: a header and one row per thing, each cell whole, so that ids can be copied.

On a terminal that is too narrow a row continues on the next line, indented; only free text is cut, at its edge.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

GAP = "  "
TEXT_COLUMNS_MIN = 20
"""Columns of the last cell shown on a terminal, however narrow it is."""

UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
FEW = 2
"""Fewer of a unit than this are given in the next smaller one: 90 seconds, not 1 minute."""


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the table; the last column is free text, cut at the edge of a terminal and nowhere else."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for text in lines(header, rows, room):
        click.echo(text)


def show_bodies(columns: Sequence[str], bodies: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print these members of each as a table, or all of them as JSON, one a line."""
    if as_json:
        for body in bodies:
            click.echo(json.dumps(body))
    elif bodies:
        cells = [["" if body[name] is None else str(body[name]) for name in columns] for body in bodies]
        show([name.replace("_", " ") for name in columns], cells)
    else:
        click.echo("none")


def lines(header: Sequence[str], rows: Sequence[Sequence[str]], room: int | None = None) -> list[str]:
    """The lines of the table, each of at most `room` characters, if no cell but the last is longer; None: any."""
    table = [header, *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header) - 1)]
    groups = _groups(widths, room)
    return [line for row in table for line in _row(row, widths, groups, room)]


def _groups(widths: Sequence[int], room: int | None) -> list[list[int]]:
    """The columns of each line of a row, the last column included."""
    groups: list[list[int]] = [[]]
    taken = 0
    for column, width in enumerate([*widths, TEXT_COLUMNS_MIN]):
        if groups[-1] and room is not None and taken + width > room:
            groups.append([])
            taken = len(GAP)
        groups[-1].append(column)
        taken += width + len(GAP)
    return groups


def _row(row: Sequence[str], widths: Sequence[int], groups: Sequence[Sequence[int]], room: int | None) -> list[str]:
    result = []
    for number, columns in enumerate(groups):
        text = (GAP if number else "") + GAP.join(
            row[column].ljust(widths[column]) if column < len(widths) else row[column] for column in columns
        )
        is_last = columns[-1] == len(widths)
        result.append((text[:room] if is_last else text).rstrip())
    return result


def line(*cells: str) -> str:
    """One row without a table, for what is printed as it happens."""
    return GAP.join(_plain(cell) for cell in cells).rstrip()


def moment(at: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def ago(seconds: float) -> str:
    """A distance in time in words: "5 minutes ago", or "in 5 minutes" if it is negative."""
    distance = abs(int(seconds))
    name, size = next((unit for unit in UNITS if distance >= FEW * unit[1]), UNITS[-1])
    count = distance // size
    words = f"{count} {name}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds <= -1 else f"{words} ago"


def _plain(text: str) -> str:
    """The text on one line, without control characters that a terminal would interpret."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
