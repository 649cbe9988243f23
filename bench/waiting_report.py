"""The report's section about waiting: its tables, medians over the rounds, ratios taken within a round."""

import math
import statistics
from collections.abc import Mapping, Sequence

from bench.notification_latency import WAYS
from bench.report import WAITING, Round, median, ratio, table
from bench.waiting import LOADS

RATIO_MAX = 1.5
"""The most that the p99 of submitting may grow by waiters, as a factor."""

KINDS = {"polls": "long polls", "streams": "SSE", "sockets": "WebSockets"}
WAY_FIGURES = ("per_second", "p50", "p99", "cpu_gateway", "cpu_posting", "cpu_postgres")
COSTS = {
    "submit at half load, p50 ms": "half_submit_p50",
    "submit at half load, p99 ms": "half_submit_p99",
    "submit at full load, p50 ms": "full_submit_p50",
    "submit at full load, p99 ms": "full_submit_p99",
    "submitted at full load, /s": "full_submitted",
    "submit at half load, gateway's CPU, us each": "cpu_an_order",
    "no submissions: gateway's CPU, ms a second": "cpu_gateway",
    "no submissions: PostgreSQL's CPU, ms a second": "cpu_postgres",
    "gateway's memory (PSS), MB": "memory_mb",
    "gateway's connections to the database": "lines",
}
KNOWN = {
    "memory (PSS) of each, kB": "memory_kb",
    "from the outcome to the client, p50 ms": "known_p50",
    "from the outcome to the client, p99 ms": "known_p99",
}


def render(rounds: Sequence[Round], count: int, facts: Mapping[str, str], checks: Mapping[str, Sequence[str]]) -> str:
    """The section in Markdown, of `count` waiters of each kind; `checks` has the violations found after each run."""
    parts = [
        WAITING,
        f"Median of {len(rounds)} rounds in one run (`python -m bench --only waiting`), the load generator on the same "
        "machine.",
        table(["measured on", ""], [[name, value] for name, value in facts.items()]),
        "### From sending the POST to learning the outcome",
        "Full load: this number of connections, each of which orders again once it has the outcome. Half load: an open "
        "loop at half of that rate, the same for every way, with as many connections as it needs. CPU per payment "
        "includes the cost of learning its outcome.",
        table(
            ["load", "way", "payments/s", "p50 ms", "p99 ms", "CPU us: gateway", "posting", "PostgreSQL"],
            [row for load in LOADS if f"full_{load}_p50" in rounds[0] for row in way_rows(rounds, load)],
        ),
        f"### {count:,} waiters on one gateway process",
        "Each kind on a fresh gateway of one process, submitted to over 8 connections: without waiters, with all of "
        "them, and without again, whose figures are the mean of both. Half load is half of what full load submitted "
        "at first. Ratios are taken within a round, with waiters over without; the p99 of submitting must stay within "
        f"{RATIO_MAX:g} times its figure.",
        table(
            ["waiters", "figure", "without", "with", "with / without, round by round", "median"],
            [row for kind in KINDS for row in cost_rows(rounds, kind)],
        ),
        "All awaited payments are posted at once; an outcome counts from when it was written, just before the commit.",
        table(
            ["figure", *KINDS.values()],
            [[title, *(middle(rounds, f"{kind}_{name}") for kind in KINDS)] for title, name in KNOWN.items()],
        ),
        "### Violations while waiting",
        table(["after", "violations"], [[run, "; ".join(found) or "nothing"] for run, found in checks.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def way_rows(rounds: Sequence[Round], connections: int) -> list[list[str]]:
    """Full load by the first way, then half of it by all."""
    loads = [("full", "wait"), *(("half", way) for way in WAYS)]
    return [
        [
            f"{load}, {connections} connections",
            WAYS[way].title,
            *(middle(rounds, f"{'full' if load == 'full' else way}_{connections}_{figure}") for figure in WAY_FIGURES),
        ]
        for load, way in loads
    ]


def cost_rows(rounds: Sequence[Round], kind: str) -> list[list[str]]:
    """Each figure without and with waiters of this kind, and their ratio."""
    rows = []
    for title, name in COSTS.items():
        without, among = ([figures[f"{kind}_{state}_{name}"] for figures in rounds] for state in ("without", "with"))
        middles = [number(statistics.median(values)) for values in (without, among)]
        if name.endswith(("p50", "p99", "submitted", "order")):
            ratios = [ratio(with_them, alone) for alone, with_them in zip(without, among, strict=True)]
            middle_ratio = median(ratios)
            verdict = (
                ""
                if not name.endswith("p99") or math.isnan(middle_ratio)
                else ", yes"
                if middle_ratio <= RATIO_MAX
                else ", NO"
            )
            middles += [", ".join(f"{value:.2f}" for value in ratios), f"{middle_ratio:.2f}{verdict}"]
        else:
            middles += ["", ""]
        rows.append([KINDS[kind], title, *middles])
    return rows


def middle(rounds: Sequence[Round], name: str) -> str:
    """The median of a figure."""
    return number(statistics.median(figures[name] for figures in rounds))


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"
