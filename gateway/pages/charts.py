"""Charts as SVG: bars of several series, one upon the other, coloured by the style sheet."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 150
LEFT, BOTTOM, TOP = 44, 18, 8
GAP = 1.5
NICE = (1, 2, 5, 10)
"""Steps of an axis: these, times a power of ten."""

LABELS = 6
"""Times written below a chart."""


class Bar(NamedTuple):
    """A part of a bar, in the units of the chart; `title` is shown at it."""

    x: float
    y: float
    width: float
    height: float
    series: str
    title: str


class Mark(NamedTuple):
    """A text of an axis and its place."""

    place: float
    text: str


class Chart(NamedTuple):
    """A chart; `legend` is (series, label), `summary` says in words what it shows."""

    bars: list[Bar]
    levels: list[Mark]
    times: list[Mark]
    legend: list[tuple[str, str]]
    summary: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def stacked(
    slots: Sequence[Mapping[str, int]], series: Sequence[tuple[str, str, str]], times: Sequence[str], what: str
) -> Chart:
    """Bars of the slots; `series` are (key in a slot, class of the style sheet, label), the lowest first."""
    highest = max((sum(slot.get(key, 0) for key, _, _ in series) for slot in slots), default=0)
    top = _nice(highest)
    plot = HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT) / max(len(slots), 1)
    bars = []
    for number, slot in enumerate(slots):
        y = float(HEIGHT - BOTTOM)
        for key, style, label in series:
            height = slot.get(key, 0) / top * plot
            y -= height
            if height:
                title = f"{times[number]}: {slot[key]:,} {label}"
                bars.append(_rounded(Bar(LEFT + number * step, y, step - GAP, height, style, title)))
    levels = [Mark(HEIGHT - BOTTOM - part * plot, f"{top * part:,.0f}") for part in (0, 0.5, 1)]
    every = max(len(slots) // LABELS, 1)
    shown = [Mark(round(LEFT + number * step, 1), times[number]) for number in range(0, len(slots), every)]
    total = sum(sum(slot.get(key, 0) for key, _, _ in series) for slot in slots)
    return Chart(
        bars,
        levels if top % 2 == 0 else [levels[0], levels[2]],
        shown,
        [(style, label) for _, style, label in series],
        f"{what}: {total:,} in all, {highest:,} at most.",
    )


def _rounded(bar: Bar) -> Bar:
    return bar._replace(x=round(bar.x, 1), y=round(bar.y, 2), width=round(bar.width, 1), height=round(bar.height, 2))


def _nice(highest: int) -> int:
    """The end of an axis: the next round number."""
    magnitude = 1
    while magnitude * 10 < highest:
        magnitude *= 10
    return next(nice * magnitude for nice in NICE if nice * magnitude >= max(highest, 1))
