"""This checkout beside a commit: the whole of it in small, and what the section says of figures."""

from argparse import Namespace
from pathlib import Path

import pytest

from bench import compare
from bench.compare import BenchError, render, worktree
from bench.report import COMPARISON, WAITING, put
from embedded.home import CHECKOUT

FIGURES = [*compare.RATES.values(), *compare.LOWER_IS_BETTER.values(), "busy_percent"]


def turn(**figures: float) -> dict[str, float]:
    return dict.fromkeys(FIGURES, 100.0) | figures


def line(page: str, title: str) -> list[str]:
    return next(
        [cell.strip() for cell in row.strip("|").split("|")] for row in page.splitlines() if f" {title} " in row
    )


@pytest.mark.parametrize(("new", "ratio", "verdict"), [(84, "0.84", "NO"), (86, "0.86", "yes"), (130, "1.30", "yes")])
def test_more_than_15_percent_slower_is_told(new: float, ratio: str, verdict: str) -> None:
    page = render([{"old": turn(), "new": turn(completed_32=new)}], {}, {})
    assert line(page, "32 connections, COMPLETED/s") == [
        "32 connections, COMPLETED/s",
        "100",
        str(new),
        ratio,
        ratio,
        verdict,
    ]


def test_the_median_is_that_of_ratios_within_rounds() -> None:
    rounds = [(100, 100), (1000, 500), (10, 9)]
    page = render([{"old": turn(reads=old), "new": turn(reads=new)} for old, new in rounds], {}, {})
    assert line(page, "8 connections, GETs by id/s")[1:] == ["100", "100", "1.00, 0.50, 0.90", "0.90", "yes"]


def test_compare_without_any_completed_payment_has_no_ratio() -> None:
    page = render([{"old": turn(reads=0), "new": turn(reads=7)}], {}, {})
    assert line(page, "8 connections, GETs by id/s")[1:] == ["0", "7", "nan", "nan", "nothing to compare with"]


def test_every_turn_and_what_was_amiss_is_shown() -> None:
    page = render([{"new": turn(), "old": turn(full_8_submit_p99=7)}], {}, {"old, reads": ["3 answers 500"], "x": []})
    assert "| 1 | old | 100 % | 100 | 100 | 100 | 100 | 7 | 100 | 100 | 100 | 100 | 100 |" in page
    assert "| old, reads | 3 answers 500 |" in page
    assert "| x | nothing |" in page


def test_each_part_of_the_report_is_written_without_the_other(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    for page in (
        f"# Benchmark\n\nfirst\n\n{WAITING}\n\nslow\n",
        f"{COMPARISON}\n\nold\n",
        "# Benchmark\n\nsecond\n",
        f"{COMPARISON}\n\nnew\n",
        f"{WAITING}\n\nquick\n",
    ):
        put(page, report)
    assert report.read_text() == f"# Benchmark\n\nsecond\n\n{WAITING}\n\nquick\n\n{COMPARISON}\n\nnew\n"


def test_a_worktree_is_gone_afterwards_whatever_happened_in_it() -> None:
    with pytest.raises(ZeroDivisionError), worktree("HEAD") as checkout:
        assert (checkout / "settings.py").exists()
        raise ZeroDivisionError
    assert not checkout.exists()
    assert str(checkout) not in compare.git("worktree", "list")


def test_an_unknown_commit_is_told_in_words() -> None:
    with pytest.raises(BenchError, match="no-such-commit"), worktree("no-such-commit"):
        pass


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_a_turn_measures_every_figure_and_checks_the_books() -> None:
    amiss: dict[str, list[str]] = {}
    figures = compare.one_turn("new, ", CHECKOUT, Namespace(seconds=0.3, accounts=100, quick=True), amiss)
    page = render([{"old": figures, "new": figures}], {}, amiss)
    for title in (*compare.RATES, *compare.LOWER_IS_BETTER):
        old, new, ratio = (float(cell.replace(",", "")) for cell in line(page, title)[1:4])
        assert old == new
        assert ratio == 1 or not old, "in so short a window nothing may be completed"
    runs = ("full load, 8 connections", "full load, 32 connections", "reads", "all runs")
    assert amiss == {f"new, {run}": [] for run in runs}
