"""Waits before retries of a payment, and when it is parked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules import retry

ATTEMPTS = st.integers(1, 10_000)
JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (8, 60.0), (10_000, 60.0)]
)
def test_wait_doubles_up_to_a_minute(attempts, seconds):
    assert retry.backoff_seconds(attempts, jitter=0.0) == seconds


@given(ATTEMPTS, JITTER)
def test_jitter_shortens_the_wait_by_up_to_half(attempts, jitter):
    longest = retry.backoff_seconds(attempts, jitter=0.0)
    assert longest / 2 <= retry.backoff_seconds(attempts, jitter) <= longest <= retry.BACKOFF_MAX_SECONDS


def test_payment_is_parked_after_its_last_attempt():
    spent = [retry.is_spent(attempts) for attempts in range(1, retry.ATTEMPTS_MAX + 2)]
    assert spent == [False] * (retry.ATTEMPTS_MAX - 1) + [True, True]


def test_all_attempts_take_a_few_minutes_at_most():
    waits = (retry.backoff_seconds(attempts, jitter=0.0) for attempts in range(1, retry.ATTEMPTS_MAX))
    assert 60 < sum(waits) < 5 * 60
