"""The knee of rising load is found where the product stops keeping up."""

import pytest

from bench.report import PARTS
from bench.staircase import COLUMNS, keeps_up, knee, render


def step(share: float, **other: float) -> dict[str, float]:
    figures = dict.fromkeys((name for _, name in COLUMNS), 1.0) | {
        "refused": 0.0,
        "completed_p99": 40.0,
        "share": share,
    }
    return figures | {"asked": 1000 * share, "submitted": 1000 * share} | other


@pytest.mark.parametrize(
    ("other", "is_kept"),
    [
        ({"submitted": 490}, True),
        ({"submitted": 489}, False),
        ({"completed_p99": 120.0}, True),
        ({"completed_p99": 121.0}, False),
        ({"refused": 1}, False),
    ],
)
def test_step_keeps_up_within_both_bounds(other: dict[str, float], is_kept: bool) -> None:
    assert keeps_up(step(0.5, **other), step(0.2)) is is_kept


def test_knee_is_the_last_step_before_the_first_failure() -> None:
    steps = [step(0.2), step(0.5), step(0.8, refused=1), step(1.0)]
    assert knee(steps) == steps[1]
    assert knee([step(0.2, refused=1), step(0.5)]) is None


def test_render_shows_steps_knee_and_share_of_the_budget() -> None:
    figures = {f"step_0.5_{name}": value for name, value in step(0.5).items()}
    figures |= {f"step_0.5_cpu_{part}": 87.6 for part in PARTS} | {"tpcb": 4_557.0}
    page = render([figures])
    assert "| 50% | 500 | 500 |" in page
    assert "the lowest step did not keep up" in page
    assert page.count("87.6 (0.20)") == len(PARTS)
    assert "438 (1.00)" in page
