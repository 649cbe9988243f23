"""The section about waiting shows each way and each kind of waiter, and says whether submitting stays quick enough."""

import pytest

from bench import waiting_report
from bench.notification_latency import WAYS
from bench.report import WAITING
from bench.waiters import KINDS
from bench.waiting import LOADS
from bench.waiting_report import COSTS, KNOWN, WAY_FIGURES, render


def figures(**measured: float) -> dict[str, float]:
    names = [f"{way}_{load}_{figure}" for way in ("full", *WAYS) for load in LOADS for figure in WAY_FIGURES]
    names += [f"{kind}_{state}_{name}" for kind in KINDS for state in ("without", "with") for name in COSTS.values()]
    names += [f"{kind}_{name}" for kind in KINDS for name in KNOWN.values()]
    return dict.fromkeys(names, 100.0) | measured


def row(page: str, *beginning: str) -> list[str]:
    wanted = f"| {' | '.join(beginning)} |"
    return next(line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith(wanted))


@pytest.mark.parametrize(("p99", "said"), [(149, "1.49, yes"), (151, "1.51, NO")])
def test_submitting_may_take_half_as_long_again(p99: float, said: str) -> None:
    page = render([figures(polls_with_half_submit_p99=p99)], 1_000, {}, {})
    assert row(page, "long polls", "submit at half load, p99 ms")[-1] == said


def test_ratios_are_taken_within_a_round() -> None:
    rounds = [
        figures(streams_without_half_submit_p50=alone, streams_with_half_submit_p50=among)
        for alone, among in [(1, 2), (100, 110), (1000, 1500)]
    ]
    cells = row(render(rounds, 1_000, {}, {}), "SSE", "submit at half load, p50 ms")
    assert cells[2:] == ["100", "110", "2.00, 1.10, 1.50", "1.50"]


def test_waiting_report_has_a_row_per_way_and_load() -> None:
    page = render(
        [figures(wait_32_p50=1234.5, full_8_p50=7.25)], 20, {"machine": "2 cores"}, {"a": ["3 lost"], "b": []}
    )
    assert page.startswith(WAITING)
    assert row(page, "half, 32 connections", WAYS["wait"].title)[3] == "1,234"
    assert row(page, "full, 8 connections", WAYS["wait"].title)[3] == "7.25"
    assert sum(line.startswith("| half, ") for line in page.splitlines()) == len(WAYS) * len(LOADS)
    assert "### 20 waiters on one gateway process" in page
    assert "| a | 3 lost |" in page
    assert "| b | nothing |" in page
    assert set(waiting_report.KINDS) == set(KINDS)
