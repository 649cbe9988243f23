"""A booking beside our payments: each way in which both may differ, and which payment is meant."""

import pytest

from models.rules.reconciliation import Booking, Difference, Expected, MatchResult, MatchVerdict, judge

BOOKING = Booking("debit", 1450, "EUR", "B1")
OURS = Expected("p1", "debit", 1450, "EUR", "COMPLETED", "B1", ())


def test_both_say_the_same() -> None:
    assert judge(BOOKING, [OURS], set()) == MatchResult(MatchVerdict.MATCHED, None, "p1")


def test_what_is_not_ours() -> None:
    assert judge(BOOKING, [], set()) == MatchResult(MatchVerdict.MISSING_HERE)


@pytest.mark.parametrize(
    ("ours", "seen", "difference"),
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
def test_each_difference_the_gravest_first(ours: dict[str, object], seen: tuple[str, ...], difference: str) -> None:
    assert judge(BOOKING, [OURS._replace(**ours)], seen) == MatchResult(MatchVerdict.MISMATCHED, difference, "p1")


@pytest.mark.parametrize("booked", [("B1",), (None,), ()])
def test_the_same_booking_may_stand_in_two_statements(booked: tuple[str | None, ...]) -> None:
    assert judge(BOOKING, [OURS._replace(booked=booked)], ()).verdict is MatchVerdict.MATCHED


@pytest.mark.parametrize(
    ("other", "seen"),
    [
        ({"direction": "credit", "bank_reference": "B1"}, ()),
        ({"bank_reference": "B1"}, ("p2",)),
        ({"bank_reference": "B2"}, ()),
        ({"bank_reference": "B1", "amount": 1}, ()),
    ],
)
def test_of_several_the_likeliest_is_meant(other: dict[str, object], seen: tuple[str, ...]) -> None:
    candidates = [OURS._replace(payment_id="p2", **other), OURS]
    assert judge(BOOKING, candidates, seen) == judge(BOOKING, candidates[::-1], seen)
    assert judge(BOOKING, candidates, seen).payment_id == "p1"


def test_of_returns_in_parts_each_is_meant_once() -> None:
    parts = [Expected(id, "credit", 50, "EUR", "COMPLETED", None, ()) for id in ("p1", "p2")]
    booking = Booking("credit", 50, "EUR", None)
    first = judge(booking, parts, set())
    second = judge(booking, parts, {first.payment_id})
    assert {first.payment_id, second.payment_id} == {"p1", "p2"}
    assert judge(booking, parts, {"p1", "p2"}).difference is Difference.DUPLICATE
