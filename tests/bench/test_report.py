"""The report tells the truth about medians, marks and what was not measured."""

import pytest

from bench.report import TARGETS, Target, percentile, render

MORE = Target("more is better", "product", "peer", goal=0.5, stretch_goal=1.0)
LESS = Target("less is better", "ms", None, goal=30, stretch_goal=10, unit=" ms")


@pytest.mark.parametrize(
    ("target", "figures", "verdict"),
    [
        (MORE, {"product": 40, "peer": 100}, "no"),
        (MORE, {"product": 50, "peer": 100}, "yes"),
        (MORE, {"product": 100, "peer": 100}, "yes, the stretch goal"),
        (LESS, {"ms": 31}, "no"),
        (LESS, {"ms": 30}, "yes"),
        (LESS, {"ms": 10}, "yes, the stretch goal"),
        (MORE, {"peer": 100}, "not measured"),
        (MORE, {"product": 40, "peer": 0}, "nothing to compare with"),
    ],
)
def test_a_figure_is_held_against_both_marks(target: Target, figures: dict[str, float], verdict: str) -> None:
    assert target.row([figures])[-1] == verdict


def test_a_ratio_is_taken_within_its_round_before_the_median() -> None:
    rounds = [{"product": 10, "peer": 100}, {"product": 90, "peer": 100}, {"product": 6, "peer": 10}]
    assert MORE.measured(rounds) == pytest.approx(0.6)


def test_every_target_has_its_line_and_what_is_amiss_is_shown() -> None:
    page = render([{"tpcb": 1000.0}], {"machine": "2 cores"}, {"reads": [], "full load": ["3 answers 503"]})
    assert all(target.title in page for target in TARGETS)
    assert "| full load | 3 answers 503 |" in page
    assert "| reads | nothing |" in page
    assert "| pgbench tpcb-like, scale 10, 8 clients | 1,000/s | 1,000/s | 1,000/s |" in page


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 50) == 51
    assert percentile(values, 99) == 100
    assert percentile([7.0], 99) == 7
