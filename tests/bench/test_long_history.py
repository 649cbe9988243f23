"""The section about a long history: ratios within a round, and what reaches the goal."""

import pytest

from bench.long_history import EMPTY, FULL, PER_PAYMENT, RATES, order, render

FIGURES = [*RATES.values(), *PER_PAYMENT.values()]
RATE = "end to end, 32 connections, COMPLETED/s"


@pytest.mark.parametrize(
    ("full", "ratio", "verdict"), [(89, "0.89", "no"), (90, "0.90", "yes"), (101, "1.01", "yes, the stretch goal")]
)
def test_a_rate_is_held_against_both_goals(full: float, ratio: str, verdict: str) -> None:
    empty = dict.fromkeys(FIGURES, 100.0)
    page = render([{EMPTY: empty, FULL: empty | {"completed_32": full}}], 1_000, {}, {"full, posting": ["3 parked"]})
    assert f"| {RATE} | 100 | {full} | {ratio} | {ratio} | {verdict} |" in page
    assert "| full, posting | 3 parked |" in page
    assert all(f"| {title} | 100 | 100 | 1.00 | 1.00 |" in page for title in PER_PAYMENT)


def test_each_side_is_measured_first_in_its_turn() -> None:
    assert [order(number) for number in (1, 2)] == [(EMPTY, FULL), (FULL, EMPTY)]
