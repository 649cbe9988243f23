"""Retries of a webhook: ten tries over 75 hours, and the Retry-After of the receiver."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.webhook_retry import (
    RETRY_AFTER_SECONDS_MAX,
    TRIES_MAX,
    WAITS_SECONDS,
    AttemptFailure,
    retry_after_seconds,
    wait_seconds,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_ten_tries_take_75_hours_in_all():
    assert (TRIES_MAX, sum(WAITS_SECONDS) // 3600) == (10, 75)
    assert list(WAITS_SECONDS) == sorted(WAITS_SECONDS)


@given(tries_left=st.integers(1, TRIES_MAX - 1), chance=st.floats(0, 1, exclude_max=True))
def test_wait_is_within_a_tenth_of_the_schedule(tries_left: int, chance: float):
    planned = WAITS_SECONDS[TRIES_MAX - 1 - tries_left]
    assert 0.9 * planned <= wait_seconds(tries_left, chance) <= 1.1001 * planned


def test_last_try_has_no_wait_after_it():
    assert wait_seconds(0, 0.5) is None
    assert wait_seconds(0, 0.5, retry_after=60) is None


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [(None, 5.0), (0.0, 5.0), (4.0, 5.0), (6.0, 6.0), (7200.0, 7200.0), (1e9, RETRY_AFTER_SECONDS_MAX)],
)
def test_retry_after_lengthens_the_wait_up_to_a_day(retry_after: float | None, wait: float):
    assert wait_seconds(TRIES_MAX - 1, 0.5, retry_after) == wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0),
        ("Saturday, 21-Nov-26 12:01:00 GMT", 60.0),
        ("Sat, 21 Nov 2026 13:01:00 +0100", 60.0),
        ("Sat, 21 Nov 2026 12:01:00 -0000", 60.0),
        ("Sat, 21 Nov 2026 11:59:00 GMT", None),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661\u0662", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, NOON) == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d{1,4} \w{3} \d{1,6} \d{1,3}:\d{1,3}:\d{1,3} [+-]\d{1,6}"))
def test_any_retry_after_is_a_bounded_wait(header: str):
    seconds = retry_after_seconds(header, NOON)
    assert seconds is None or seconds >= 0
    assert wait_seconds(1, 0.0, seconds) <= RETRY_AFTER_SECONDS_MAX


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=400)), st.integers(-12, 12))
def test_retry_after_date_is_read_in_any_zone(ahead: timedelta, zone: int):
    ahead -= timedelta(microseconds=ahead.microseconds)
    date = (NOON + ahead).astimezone(timezone(timedelta(hours=zone)))
    assert retry_after_seconds(date.strftime("%a, %d %b %Y %H:%M:%S %z"), NOON) == ahead.total_seconds()


def test_every_attempt_failure_is_in_the_guide():
    root = Path(__file__).parents[3]
    refused = re.findall(r"TargetRefused\(\s*\"(\w+)\"", (root / "models/rules/webhook_url.py").read_text())
    table = [line for line in (root / "docs/guides/webhooks.md").read_text().splitlines() if line.startswith("| `")]
    documented = [code for line in table for code in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(documented) == sorted({*refused, *AttemptFailure} | {"last_error"})
