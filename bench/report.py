"""The report: each target with its measured ratio, then the underlying figures; medians over the rounds."""

import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stack import FORK_SERVER, SPENDERS
from embedded.shapes import SHAPES

Round = Mapping[str, float]
"""One round's figures by name; a figure that was not measured is missing."""

PARTS = {
    "gateway": "gateway",
    "posting": "posting workers",
    "postgres": "PostgreSQL",
    "valkey": "broker",
    "load": "load generator",
}
"""Whose CPU a payment uses, and what the report calls it. One posting worker may do all else, too (`SHAPES`)."""

PROCESSES = dict.fromkeys(name for shape in SHAPES.values() for name in shape)
"""Those of the product, of whatever shape its stack is."""

WAITING = "## Waiting"
COMPARISON = "## Compared with another commit"
PAGES = "## Pages"
LANES = "## Lanes"
LONG_HISTORY = "## After a long history"
APART = (LANES, LONG_HISTORY, WAITING, PAGES, COMPARISON)
"""Headings of the report's last sections, which can be measured alone; sections not measured stay unchanged."""


@dataclass(frozen=True)
class Target:
    """A line of the targets: `figure`, or `figure` over `per` of the same round, against two goals."""

    title: str
    figure: str
    per: str | None
    goal: float
    stretch_goal: float
    unit: str = ""
    missing: str = "not measured"

    @property
    def at_most(self) -> bool:
        """True if smaller is better."""
        return self.stretch_goal < self.goal

    def measured(self, rounds: Sequence[Round]) -> float | None:
        """The median over the rounds, or None."""
        if self.per is None:
            values = [figures[self.figure] for figures in rounds if self.figure in figures]
        else:
            both = [figures for figures in rounds if self.figure in figures and self.per in figures]
            values = [ratio(figures[self.figure], figures[self.per]) for figures in both]
        return median(values) if values else None

    def row(self, rounds: Sequence[Round]) -> list[str]:
        """Its line in the table."""
        measured = self.measured(rounds)
        head = [self.title, f"{self.goal:g}{self.unit}", f"{self.stretch_goal:g}{self.unit}"]
        if measured is None:
            return [*head, "", self.missing]
        return [*head, f"{measured:.3g}{self.unit}", self._verdict(measured)]

    def _verdict(self, measured: float) -> str:
        if math.isnan(measured):
            return "nothing to compare with"
        for mark, verdict in ((self.stretch_goal, "yes, the stretch goal"), (self.goal, "yes")):
            if measured <= mark if self.at_most else measured >= mark:
                return verdict
        return "no"


PEERS_ONLY = "with `--peers` only"

TARGETS = [
    Target("end to end, 32 connections / pgbench", "completed_32", "tpcb", 0.8, 1.0),
    Target("end to end, 8 connections / pgbench", "completed_8", "tpcb", 0.6, 0.8),
    Target("bulk charges, lines COMPLETED / pgbench", "bulk", "tpcb", 2.5, 4),
    Target("posting alone / pgbench", "posting_spread", "tpcb", 2.8, 4),
    Target("hot account (slower of in and out) / spread", "posting_hot", "posting_spread", 0.9, 1.0),
    Target("submit to COMPLETED, half load, 8 conns, p50", "half_8_completed_p50", None, 20, 10, " ms"),
    Target("submit to COMPLETED, half load, 8 conns, p99", "half_8_completed_p99", None, 60, 40, " ms"),
    Target("submit to COMPLETED, half load, 32 conns, p50", "half_32_completed_p50", None, 20, 10, " ms"),
    Target("submit to COMPLETED, half load, 32 conns, p99", "half_32_completed_p99", None, 60, 40, " ms"),
    Target("GET by id, final payment / pgbench -S", "reads", "select", 0.1, 0.15),
    Target("django-hordak, 4 processes: the product faster", "posting_spread", "hordak", 10, 15, " times", PEERS_ONLY),
    Target("naive Celery version: the product faster", "completed_8", "naive", 20, 30, " times", PEERS_ONLY),
    Target("memory (PSS) of gateway + workers + beat", "memory_mb", None, 320, 250, " MB"),
]

COST_RUNS = {
    "end to end, 8 connections": "full_8",
    "end to end, 32 connections": "full_32",
    "bulk": "bulk",
    "posting alone": "posting_spread",
}
COSTS = [
    *[(f"CPU of {title}", f"cpu_{part}", " us") for part, title in PARTS.items()],
    ("WAL bytes", "wal_bytes", ""),
    ("WAL records", "wal_records", ""),
    ("full-page images in the WAL", "wal_images", ""),
    ("index insertions", "index_insertions", ""),
]
"""What a payment costs: the title, the figure's name after that of the run, and the unit."""

FIGURES = [
    ("machine busy before the round, nothing measured", "busy_percent", " %"),
    ("pgbench tpcb-like, scale 10, 8 clients", "tpcb", "/s"),
    ("pgbench -S, 8 clients", "select", "/s"),
    ("end to end, 8 connections, COMPLETED", "completed_8", "/s"),
    ("end to end, 32 connections, COMPLETED", "completed_32", "/s"),
    *[
        (f"{load}, a payment: {title}", f"{run}_{name}", unit)
        for load, run in COST_RUNS.items()
        for title, name, unit in COSTS
    ],
    *[(f"a GET by id: CPU of {PARTS[part]}", f"reads_cpu_{part}", " us") for part in SPENDERS],
    ("bulk charges of 1,000 lines, lines accepted", "bulk_accepted", "/s"),
    ("bulk charges of 1,000 lines, lines COMPLETED", "bulk", "/s"),
    ("posting alone, 10,000 accounts", "posting_spread", "/s"),
    ("posting alone, all into one account", "posting_hot_in", "/s"),
    ("posting alone, all out of one account", "posting_hot_out", "/s"),
    ("GET by id of a final payment, 8 connections", "reads", "/s"),
    ("django-hordak 2.0, 4 processes", "hordak", "/s"),
    ("naive Celery version, 8 connections, COMPLETED", "naive", "/s"),
    ("memory (PSS) of gateway + workers + beat", "memory_mb", " MB"),
    *[(f"memory (PSS) of {name}", f"memory_{name}", " MB") for name in (*PROCESSES, FORK_SERVER)],
]

LATENCIES = [(load, connections) for connections in (8, 32) for load in ("full", "half")]


def render(rounds: Sequence[Round], circumstances: Mapping[str, str], checks: Mapping[str, Sequence[str]]) -> str:
    """The report in Markdown; `checks` has the violations found after each run."""
    parts = [
        "# Benchmark",
        f"Median of {len(rounds)} interleaved rounds (`make bench`); every ratio is taken within its round, "
        "on the same servers with durability on, the load generator on the same machine.",
        table(["measured on", ""], [[name, value] for name, value in circumstances.items()]),
        "## Targets",
        table(["figure", "goal", "stretch goal", "measured", "reached"], [target.row(rounds) for target in TARGETS]),
        "## Figures",
        table(["figure", "median", "lowest", "highest"], list(figure_rows(rounds))),
        "If the machine was busy with other things, even ratios may be wrong: measure again when it is idle.",
        "## Latency over HTTP, ms",
        table(
            ["load", "connections", "submitted/s", "submit p50", "p99", "submit to COMPLETED p50", "p99"],
            [latency_row(rounds, load, connections) for load, connections in LATENCIES],
        ),
        "Full load is a closed loop; half load an open loop at half the rate just completed at full load.",
        "## Checked from outside",
        table(["after", "violations"], [[run, "; ".join(found) or "nothing"] for run, found in checks.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def put(page: str, report: Path) -> None:
    """Write the parts of the report that the page has, and keep the others."""
    kept = (parts_of(report.read_text()) if report.exists() else {}) | parts_of(page)
    report.write_text("\n\n".join(kept[head] for head in ("", *APART) if head in kept) + "\n")


def parts_of(page: str) -> dict[str, str]:
    """The sections that can be measured alone, by their headings; the text before them is under ""."""
    parts: dict[str, str] = {}
    head = ""
    for line in page.splitlines():
        head = line if line in APART else head
        parts[head] = f"{parts.get(head, '')}\n{line}"
    return {head: part.strip() for head, part in parts.items() if part.strip()}


def figure_rows(rounds: Sequence[Round]) -> list[list[str]]:
    """One line for each figure that was measured."""
    rows = []
    for title, name, unit in FIGURES:
        values = [figures[name] for figures in rounds if name in figures]
        if values:
            rows.append([title, *(f"{shown(pick(values))}{unit}" for pick in (statistics.median, min, max))])
    return rows


def shown(value: float) -> str:
    """A figure, with three digits at least."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def latency_row(rounds: Sequence[Round], load: str, connections: int) -> list[str]:
    """Medians of the percentiles of one load."""
    names = ["submitted", "submit_p50", "submit_p99", "completed_p50", "completed_p99"]
    keys = [f"{load}_{connections}_{name}" for name in names]
    values = [[figures[key] for figures in rounds if key in figures] for key in keys]
    return [load, str(connections), *(f"{statistics.median(some):,.1f}" if some else "" for some in values)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    """Cores and Python, without the machine's name."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def limits(environ: Mapping[str, str]) -> str:
    """The rate limits during the measurement."""
    token, address = environ["RATE_LIMIT_TOKEN"], environ["RATE_LIMIT_ADDRESS"]
    return f"on and counting, where a commit has them: {token} by token, {address} by address; they refuse nothing here"


def ratio(value: float, per: float) -> float:
    """The value in multiples of `per`; NaN where there was nothing to compare with, as on a very slow machine."""
    return value / per if per else math.nan


def median(ratios: Sequence[float]) -> float:
    """The median of the ratios that are numbers; NaN where none is."""
    known = [value for value in ratios if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """The value that `percent` of them do not exceed; of an empty sequence, NaN."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * percent / 100))]
