"""The whole benchmark in small: every figure is measured and every check finds the books in order."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import lanes, long_history, pages, staircase
from bench.report import COST_RUNS, COSTS, PAGES, PARTS, TARGETS, WAITING

CHECKOUT = Path(__file__).parent.parent.parent
LATER = {"naive", "hordak"}


def quick_run(report: Path, *arguments: str) -> str:
    """The report of a smoke test in which no check found anything."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--report", report, *arguments],
        check=False,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return report.read_text()


def lines_of(page: str) -> dict[str, str]:
    """The lines of its tables, by their first cell."""
    return {line.split(" | ")[0].strip("| "): line for line in page.splitlines()}


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_quick_run_measures_and_checks_everything(tmp_path: Path) -> None:
    page = quick_run(tmp_path / "report.md")
    lines = lines_of(page)
    for target in TARGETS:
        is_later = {target.figure, target.per} & LATER
        assert bool(is_later) == lines[target.title].endswith(" only |")
    for run in COST_RUNS:
        for title, name, _ in COSTS:
            assert (f"{run}, a payment: {title}" in lines) == ((run, name) != ("posting alone", "cpu_load"))
    assert page.count("| nothing |") == 10 + len(staircase.QUICK_STEPS) + 1 + 23  # the books once, after all runs
    steps = [lines[f"{share:.0%}"].split(" | ") for share in staircase.QUICK_STEPS]
    assert all(len(cells) == 2 + len(staircase.COLUMNS) and all(cells) for cells in steps)
    assert all(title in lines for title in staircase.BUDGET_RUNS)
    assert lines["open, half of the closed loop's rate"].count("(") == len(PARTS) + 1
    assert f"\n{PAGES}\n" in page
    assert all(page.count(f"| `{rule.rule}") for rule in pages.rules() if not rule.arguments)
    assert f"\n{WAITING}\n" in page


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_quick_run_of_lanes_has_every_number_of_them(tmp_path: Path) -> None:
    page = quick_run(tmp_path / "report.md", "--only", "lanes")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()]
    rows = [row for row in rows if row[0] in lanes.WORLDS]
    assert [(row[0], int(row[1])) for row in rows] == [(name, count) for name in lanes.WORLDS for count in lanes.COUNTS]
    assert all(len(row) == 7 and all(row) for row in rows)


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_quick_run_after_a_long_history_has_every_figure(tmp_path: Path) -> None:
    page = quick_run(tmp_path / "report.md", "--long")
    lines = lines_of(page)
    assert lines.keys() >= long_history.RATES.keys() | long_history.PER_PAYMENT.keys()
    assert all(lines[title].count(" | ") == 5 for title in long_history.RATES)
    assert page.count("| nothing |") == 2 * 4
