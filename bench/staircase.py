"""Rising load: requests at fixed rates, whether or not answers come, until the product no longer keeps up.

Each step asks for a share of the rate that was just completed in a closed loop. The knee is the last step before the
first that did not keep up.
"""

import statistics
from collections.abc import Mapping, Sequence

from bench.measure import Bench
from bench.report import PARTS, Round, ratio, shown, table

STEPS = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
"""Rates as shares of the closed loop's."""

QUICK_STEPS = (0.2, 0.5, 1.1)
"""The steps of a smoke test."""

CONNECTIONS = 256
"""More than are ever in flight while the product keeps up: no request waits for a connection in the load generator."""

ANSWERED_MIN = 0.98
"""The share of the asked rate that a step which keeps up answers with 202 within its window."""

P99_GROWTH_MAX = 3.0
"""The most that its p99 from POST to COMPLETED may be, as a multiple of the lowest step's."""

BUDGET_US = 438
"""CPU that a transaction of pgbench has on the machine of the goals: two cores at 4,557 a second. A payment that costs
as much is as fast as pgbench."""

BUDGET_RUNS = {
    "closed loop, 8 connections": "full_8",
    "closed loop, 32 connections": "full_32",
    "open, half of the closed loop's rate": "step_0.5",
    "open, at the knee": "knee",
}
COLUMNS = (
    ("submitted/s", "submitted"),
    ("submit p50", "submit_p50"),
    ("p99", "submit_p99"),
    ("submit to COMPLETED p50", "completed_p50"),
    ("p99", "completed_p99"),
    *((f"CPU us: {title}" if part == "gateway" else title, f"cpu_{part}") for part, title in PARTS.items()),
    ("load generator, % of a core", "load_percent"),
    ("refused", "refused"),
    ("not sent", "unsent"),
)
"""Titles and figures of a step; latencies in ms."""


def climb(bench: Bench, closed_rate: float) -> dict[str, float]:
    """The figures of every step, at shares of `closed_rate` payments a second, and of the knee."""
    figures, steps = {}, []
    for share in QUICK_STEPS if bench.is_quick else STEPS:
        step = one_step(bench, share, max(1.0, share * closed_rate))
        steps.append(step)
        figures |= {f"step_{share:g}_{name}": value for name, value in step.items()}
    if at_knee := knee(steps):
        figures |= {f"knee_{name}": value for name, value in at_knee.items()}
    return figures


def one_step(bench: Bench, share: float, rate: float) -> dict[str, float]:
    """The figures of `rate` requests a second."""
    step = bench.submits(f"open load, {share:.0%}", CONNECTIONS, rate, may_refuse=True)
    lasts = bench.warm_up + bench.seconds
    return step | {
        "asked": rate,
        "share": share,
        "unsent": max(0.0, round(rate * lasts) - step["orders"] - 1),
        "load_percent": step["cpu_load"] * step["orders"] / lasts / 10_000,
    }


def knee(steps: Sequence[Mapping[str, float]]) -> Mapping[str, float] | None:
    """The last step before the first that did not keep up; None if the lowest did not."""
    last = None
    for step in steps:
        if not keeps_up(step, steps[0]):
            break
        last = step
    return last


def keeps_up(step: Mapping[str, float], lowest: Mapping[str, float]) -> bool:
    """Whether it answered what was asked, and its p99 is within its multiple of the lowest step's."""
    is_answered = step["submitted"] >= ANSWERED_MIN * step["asked"] and not step["refused"]
    return is_answered and step["completed_p99"] <= P99_GROWTH_MAX * lowest["completed_p99"]


def render(rounds: Sequence[Round]) -> str:
    """The sections in Markdown."""
    shares = [share for share in STEPS if any(f"step_{share:g}_asked" in figures for figures in rounds)]
    knees = [figures["knee_share"] for figures in rounds if "knee_share" in figures]
    parts = [
        "## Rising load",
        f"An open loop over {CONNECTIONS} connections: requests are sent on time, whether or not answers came, and "
        "latency, in ms, counts from when a request should have been sent. Each step is a share of the rate that was "
        "completed just before over 32 connections in a closed loop. A step keeps up if it answers at least "
        f"{ANSWERED_MIN:.0%} of what is asked with 202, refuses nothing, and its p99 from POST to COMPLETED is at "
        f"most {P99_GROWTH_MAX:g} times the lowest step's. The knee is the last step before the first that does not "
        "keep up.",
        table(
            ["step", "asked/s", *(title for title, _ in COLUMNS)],
            [
                *[row(f"{share:.0%}", f"step_{share:g}", rounds) for share in shares],
                row("**knee**", "knee", rounds),
            ],
        ),
        "The knee, as a share of the closed loop's rate, round by round: "
        + (", ".join(f"{share:.0%}" for share in knees) or "the lowest step did not keep up")
        + ".",
        "## CPU budget",
        f"CPU us a payment, and its share of {BUDGET_US} us, what a transaction of pgbench has on two cores at 4,557 a "
        "second. A payment that uses less than all of it can be faster than pgbench. pgbench in these rounds: "
        f"{middle('tpcb', rounds)}/s.",
        table(
            ["load", *PARTS.values(), "together"],
            [[title, *shares_of_budget(run, rounds)] for title, run in BUDGET_RUNS.items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def row(title: str, run: str, rounds: Sequence[Round]) -> list[str]:
    """The medians of a step."""
    return [title, *(middle(f"{run}_{name}", rounds) for name in ("asked", *(name for _, name in COLUMNS)))]


def shares_of_budget(run: str, rounds: Sequence[Round]) -> list[str]:
    """CPU us of each part and of all together, with their share of the budget."""
    names = [f"{run}_cpu_{part}" for part in PARTS]
    known = [[figures[name] for name in names] for figures in rounds if all(name in figures for name in names)]
    if not known:
        return [""] * (len(PARTS) + 1)
    middles = [statistics.median(values) for values in zip(*known, strict=True)]
    return [f"{shown(us)} ({ratio(us, BUDGET_US):.2f})" for us in (*middles, statistics.median(map(sum, known)))]


def middle(name: str, rounds: Sequence[Round]) -> str:
    """The median of a figure, or nothing if it was not measured."""
    values = [figures[name] for figures in rounds if name in figures]
    return shown(statistics.median(values)) if values else ""
