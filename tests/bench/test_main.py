"""The whole benchmark in small: every figure is measured and every check finds the books in order."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import pages
from bench.report import COST_RUNS, COSTS, PAGES, TARGETS, WAITING

CHECKOUT = Path(__file__).parent.parent.parent
LATER = {"posting_full", "naive", "hordak"}


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_quick_run_measures_and_checks_everything(tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--report", page],
        check=False,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    lines = {line.split(" | ")[0].strip("| "): line for line in page.read_text().splitlines()}
    for target in TARGETS:
        is_later = {target.figure, target.per} & LATER
        assert bool(is_later) == lines[target.title].endswith((" only |", "(`--long`) |", "later |"))
    for run in COST_RUNS:
        for title, name, _ in COSTS:
            assert (f"{run}, a payment: {title}" in lines) == ((run, name) != ("posting alone", "cpu_load"))
    assert page.read_text().count("| nothing |") == 10 + 1 + 23  # the books once, after all runs
    assert f"\n{PAGES}\n" in page.read_text()
    assert all(page.read_text().count(f"| `{rule.rule}") for rule in pages.rules() if not rule.arguments)
    assert f"\n{WAITING}\n" in page.read_text()
