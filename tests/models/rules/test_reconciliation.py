"""Matching of bookings and payments: each difference, and the payment that a booking matches."""

from datetime import date, timedelta

import pytest

from models.rules.reconciliation import (
    Booking,
    Difference,
    Expected,
    MatchResult,
    MatchVerdict,
    judge,
    lack_verdict,
    value_date,
)

BOOKING = Booking("debit", 1450, "EUR", "B1")
PAYMENT = Expected("p1", "debit", 1450, "EUR", "COMPLETED", "B1", ())


def test_equal_booking_matches() -> None:
    assert judge(BOOKING, [PAYMENT], set()) == MatchResult(MatchVerdict.MATCHED, None, "p1")


def test_booking_without_a_payment_is_unmatched() -> None:
    assert judge(BOOKING, [], set()) == MatchResult(MatchVerdict.MISSING_HERE)


@pytest.mark.parametrize(
    ("changes", "seen", "difference"),
    [
        ({"direction": "credit", "currency": "USD"}, (), Difference.DIRECTION),
        ({"currency": "USD", "amount": 1}, (), Difference.CURRENCY),
        ({"amount": 1449, "state": "AUTHORIZED"}, (), Difference.AMOUNT),
        ({"state": "AUTHORIZED"}, ("p1",), Difference.STATE),
        ({"state": "FAILED"}, (), Difference.STATE),
        ({}, ("p1",), Difference.DUPLICATE),
        ({"booked": ("B0",)}, (), Difference.DUPLICATE),
    ],
)
def test_gravest_difference_is_reported(changes: dict[str, object], seen: tuple[str, ...], difference: str) -> None:
    assert judge(BOOKING, [PAYMENT._replace(**changes)], seen) == MatchResult(MatchVerdict.MISMATCHED, difference, "p1")


@pytest.mark.parametrize("booked", [("B1",), (None,), ()])
def test_booking_in_two_statements_matches_in_both(booked: tuple[str | None, ...]) -> None:
    assert judge(BOOKING, [PAYMENT._replace(booked=booked)], ()).verdict is MatchVerdict.MATCHED


@pytest.mark.parametrize(
    ("other", "seen"),
    [
        ({"direction": "credit", "bank_reference": "B1"}, ()),
        ({"bank_reference": "B1"}, ("p2",)),
        ({"bank_reference": "B2"}, ()),
        ({"bank_reference": "B1", "amount": 1}, ()),
    ],
)
def test_likeliest_of_several_payments_is_matched(other: dict[str, object], seen: tuple[str, ...]) -> None:
    candidates = [PAYMENT._replace(payment_id="p2", **other), PAYMENT]
    assert judge(BOOKING, candidates, seen) == judge(BOOKING, candidates[::-1], seen)
    assert judge(BOOKING, candidates, seen).payment_id == "p1"


def test_partial_returns_are_matched_once_each() -> None:
    parts = [Expected(id, "credit", 50, "EUR", "COMPLETED", None, ()) for id in ("p1", "p2")]
    booking = Booking("credit", 50, "EUR", None)
    first = judge(booking, parts, set())
    second = judge(booking, parts, {first.payment_id})
    assert {first.payment_id, second.payment_id} == {"p1", "p2"}
    assert judge(booking, parts, {"p1", "p2"}).difference is Difference.DUPLICATE


@pytest.mark.parametrize(
    ("answered_on", "told", "day"),
    [
        (date(2026, 1, 28), None, date(2026, 1, 29)),
        (date(2026, 1, 30), None, date(2026, 2, 2)),
        (date(2026, 1, 31), None, date(2026, 2, 2)),
        (date(2026, 2, 1), None, date(2026, 2, 2)),
        (date(2026, 1, 30), date(2026, 1, 30), date(2026, 1, 30)),
    ],
)
def test_value_date_is_the_next_working_day_or_what_was_told(answered_on: date, told: date | None, day: date) -> None:
    assert value_date(answered_on, told) == day
    assert lack_verdict(day, day) == MatchVerdict.MISSING_THERE
    assert lack_verdict(day, day - timedelta(days=1)) == MatchVerdict.EXPECTED
