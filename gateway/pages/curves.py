"""Curves of balances as SVG: a line that goes in steps, as balances do, coloured by the style sheet."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.pages.charts import Mark
from gateway.pages.decimals import minor
from gateway.pages.formats import amount, moment

WIDTH, HEIGHT = 720, 150
LEFT, BOTTOM, TOP = 92, 18, 8
"""Room for amounts, for times, and for half the height of a text."""

SMALL_WIDTH, SMALL_HEIGHT, SMALL_EDGE = 120, 28, 2
LABELS = 5
"""Times written below a curve."""


class Curve(NamedTuple):
    """A curve: `line` and `zero` are paths, `zero` that of the balance 0, if it is in sight."""

    line: str
    zero: str
    levels: list[Mark]
    times: list[Mark]
    summary: str
    width: int
    height: int
    left: int


def curve(body: Mapping[str, Any]) -> Curve:
    """The curve of an account's balances, with its axes; `body` is one of GET /v1/ops/balances."""
    points = body["points"]
    values = _minor(points)
    low, high = min(values), max(values)
    plot = _Plot(LEFT, WIDTH - 2, TOP, HEIGHT - BOTTOM, low, high, len(points))
    texts = {value: point["balance"] for value, point in zip(values, points, strict=True)}
    levels = [Mark(plot.y(value), amount(texts[value])) for value in sorted({low, high})]
    every = max((len(points) - 1) // LABELS, 1)
    times = [Mark(plot.x(number), _day(points[number]["at"])) for number in range(0, len(points) - every, every)]
    return Curve(plot.line(values), plot.zero(), levels, times, _summary(body), WIDTH, HEIGHT, LEFT)


def sparkline(body: Mapping[str, Any]) -> Curve:
    """The same without axes, as small as a word."""
    values = _minor(body["points"])
    plot = _Plot(0, SMALL_WIDTH, SMALL_EDGE, SMALL_HEIGHT - SMALL_EDGE, min(values), max(values), len(values))
    return Curve(plot.line(values), plot.zero(), [], [], _summary(body), SMALL_WIDTH, SMALL_HEIGHT, 0)


class _Plot(NamedTuple):
    """Where values are drawn: the edges of the area, and the values and number of points that it shows."""

    left: int
    right: int
    top: int
    bottom: int
    low: int
    high: int
    number: int

    def x(self, number: int) -> float:
        return round(self.left + (self.right - self.left) * number / max(self.number - 1, 1), 1)

    def y(self, value: int) -> float:
        if self.high == self.low:
            return (self.top + self.bottom) / 2
        return round(self.bottom - (self.bottom - self.top) * (value - self.low) / (self.high - self.low), 1)

    def line(self, values: Sequence[int]) -> str:
        steps = [f"M{self.x(0)} {self.y(values[0])}"]
        before = values[0]
        for number, value in enumerate(values[1:], 1):
            if value != before:
                steps.append(f"H{self.x(number)}V{self.y(value)}")
                before = value
        return "".join([*steps, f"H{self.x(len(values) - 1)}"])

    def zero(self) -> str:
        return f"M{self.left} {self.y(0)}H{self.right}" if self.low < 0 < self.high else ""


def _minor(points: Sequence[Mapping[str, Any]]) -> list[int]:
    """Their balances in minor units: of one account all have the same digits."""
    return [minor(point["balance"]) for point in points]


def _day(value: str) -> str:
    at = moment(value)
    return f"{at:%d %b %H:%M}" if at else ""


def _summary(body: Mapping[str, Any]) -> str:
    points, values = body["points"], _minor(body["points"])
    texts = {value: amount(point["balance"]) for value, point in zip(values, points, strict=True)}
    return (
        f"Balance in {body['currency']} from {_day(points[0]['at'])} to {_day(points[-1]['at'])}: "
        f"{texts[min(values)]} at least, {texts[max(values)]} at most, now {texts[values[-1]]}."
    )
