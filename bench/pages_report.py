"""The report's section about pages: how long each takes, and which partitions its queries read."""

import statistics
from collections.abc import Mapping, Sequence

from bench.pages import Reading
from bench.report import PAGES, table

SECONDS_MAX = 0.2
"""What the slowest reading of a page may take."""


def render(readings: Sequence[Reading], payments: int, facts: Mapping[str, str]) -> str:
    """The section in Markdown."""
    parts = [
        PAGES,
        f"{payments:,} payments (`python -m bench --only pages`): half of them over five months, the other half today, "
        "between one customer and one shop. Each page was asked for in turns over loopback, until its last byte came, "
        f"after a first time that is not counted; {SECONDS_MAX * 1000:g} ms is the most that its slowest reading may "
        "take. Months are those whose partitions of payments or operations its queries read; the last column has the "
        "rows that they looked at in one of these, where they were most.",
        table(["measured on", ""], [[name, value] for name, value in facts.items()]),
        table(
            ["visitor", "page", "p50 ms", "worst ms", "over", "months read", "most rows of one"],
            [row(reading) for reading in readings],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def row(reading: Reading) -> list[str]:
    """The line of a page."""
    worst, months = max(reading.seconds), rows_by_month(reading)
    return [
        reading.page.visitor,
        f"`{reading.page.shown}`".replace("|", "\\|"),
        f"{statistics.median(reading.seconds) * 1000:,.1f}",
        f"{worst * 1000:,.1f}",
        "**over**" if worst > SECONDS_MAX else "",
        str(len(months)),
        f"{max(months.values(), default=0):,}",
    ]


def rows_by_month(reading: Reading) -> dict[str, int]:
    """The rows that the queries of a page looked at, by the month of their partition."""
    rows: dict[str, int] = {}
    for scan in reading.scans:
        if scan.month is not None:
            rows[scan.month] = rows.get(scan.month, 0) + scan.rows
    return rows


def amiss(readings: Sequence[Reading]) -> list[str]:
    """Pages that are no answer at all."""
    return [
        f"{reading.page.visitor}: {reading.page.shown} answered {', '.join(map(str, sorted(reading.statuses)))}"
        for reading in readings
        if reading.statuses - {200, 303}
    ]
