"""Commission: examples, properties for any amount and terms, and the narrowest terms."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.commission import (
    FREE,
    WHOLE,
    Schedule,
    Terms,
    commission,
    half_even,
    newest_terms,
    returned_fee,
    smallest_amount_with_fee,
    terms_for,
)
from models.rules.money import MINOR_UNITS_MAX, parse

TWO = Terms(2_000_000)


@pytest.mark.parametrize(
    ("amount", "digits", "terms", "fee"),
    [
        ("10.00", 2, TWO, "0.20"),
        ("10", 0, TWO, None),
        ("25", 0, TWO, None),  # 0.5, to even
        ("75", 0, TWO, "2"),  # 1.5
        ("125", 0, TWO, "2"),  # 2.5
        ("0.25", 2, TWO, None),
        ("0.26", 2, TWO, "0.01"),
        ("0.75", 2, TWO, "0.02"),
        ("1.25", 2, TWO, "0.02"),
        ("0.001", 3, TWO, None),
        ("1.000", 3, TWO, "0.020"),
        ("0.00000075", 8, TWO, "0.00000002"),
        ("9.300000000000000000", 18, TWO, "0.186000000000000000"),
        ("9" * 20 + "." + "9" * 18, 18, TWO, "2" + "0" * 18 + ".000000000000000000"),
        ("9" * 38, 0, TWO, "2" + "0" * 36),
        ("9" * 38, 0, Terms(WHOLE), "9" * 38),
        ("9" * 38, 0, Terms(1), "1" + "0" * 30),
        ("10.00", 2, Terms(2_500_000), "0.25"),
        ("10.00", 2, Terms(2_500_000, fixed=30), "0.55"),
        ("10.00", 2, Terms(2_000_000, minimum=50), "0.50"),
        ("100.00", 2, Terms(2_000_000, minimum=50), "2.00"),
        ("100.00", 2, Terms(2_000_000, maximum=150), "1.50"),
        ("100.00", 2, Terms(2_000_000, fixed=100, maximum=150), "1.50"),
        ("100.00", 2, Terms(2_000_000, maximum=0), None),
        ("0.01", 2, Terms(0, minimum=50), "0.50"),
        ("10.00", 2, FREE, None),
    ],
)
def test_commission_examples(amount: str, digits: int, terms: Terms, fee: str | None) -> None:
    assert commission(parse(amount, digits), terms) == (0 if fee is None else parse(fee, digits))


amounts = st.integers(1, MINOR_UNITS_MAX) | st.integers(1, 10_000)
parts = st.integers(0, MINOR_UNITS_MAX) | st.integers(0, 1_000)
terms = st.builds(
    lambda percent, fixed, bounds: Terms(percent, fixed, bounds[0], bounds[1]),
    st.integers(0, WHOLE),
    parts,
    st.tuples(parts, parts | st.none()).filter(lambda bounds: bounds[1] is None or bounds[0] <= bounds[1]),
)


@given(amounts, terms)
def test_commission_is_bounded_and_rounded_to_the_nearest(amount: int, terms: Terms) -> None:
    fee = commission(amount, terms)
    assert fee >= terms.minimum >= 0
    assert terms.maximum is None or fee <= terms.maximum
    exact = Fraction(amount * terms.percent_millionths, WHOLE) + terms.fixed
    clamped = max(exact, terms.minimum)
    if terms.maximum is not None:
        clamped = min(clamped, terms.maximum)
    assert abs(fee - clamped) <= Fraction(1, 2)


@given(amounts, st.integers(0, WHOLE))
def test_percentage_never_exceeds_the_amount(amount: int, percent: int) -> None:
    assert 0 <= commission(amount, Terms(percent)) <= amount


@given(amounts, amounts, terms)
def test_larger_amount_never_costs_less(first: int, second: int, terms: Terms) -> None:
    least, most = sorted((first, second))
    assert commission(least, terms) <= commission(most, terms)


@given(st.integers(0, MINOR_UNITS_MAX * WHOLE), st.integers(1, MINOR_UNITS_MAX))
def test_half_even_rounds_as_python_does(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(0, 10**30), st.integers(1, 10**6))
def test_ties_round_to_even(whole: int, half: int) -> None:
    tie = half_even((2 * whole + 1) * half, 2 * half)
    assert tie % 2 == 0
    assert tie in (whole, whole + 1)


refunds = st.lists(st.integers(1, MINOR_UNITS_MAX) | st.integers(1, 9), min_size=1, max_size=12)


@given(refunds, st.data())
def test_any_split_of_refunds_returns_the_whole_fee(parts: list[int], data: st.DataObject) -> None:
    captured = sum(parts)
    fee = data.draw(st.integers(0, captured))
    before, given_back = 0, 0
    for part in parts:
        back = returned_fee(fee, captured, before, part)
        assert 0 <= back <= part
        before, given_back = before + part, given_back + back
        assert abs(given_back - Fraction(fee * before, captured)) <= Fraction(1, 2)
    assert given_back == fee


AT = datetime(2026, 3, 1, tzinfo=UTC)
ANY = Schedule("charge", None, None, AT, Terms(1))
EUR = ANY._replace(currency="EUR", terms=Terms(2))
SHOP = ANY._replace(merchant_id="shop", terms=Terms(3))
SHOP_EUR = SHOP._replace(currency="EUR", terms=Terms(4))
TRANSFERS = ANY._replace(type="transfer", terms=Terms(5))
LATER = ANY._replace(valid_from=AT + timedelta(days=1), terms=Terms(6))
ALL = [LATER, SHOP_EUR, EUR, TRANSFERS, ANY, SHOP]


@pytest.mark.parametrize(
    ("type", "currency", "user_id", "days", "percent"),
    [
        ("charge", "EUR", "shop", 0, 4),
        ("charge", "CHF", "shop", 0, 3),
        ("charge", "EUR", "other", 0, 2),
        ("charge", "CHF", "other", 0, 1),
        ("transfer", "EUR", "shop", 0, 5),
        ("refund", "EUR", "shop", 0, 0),
        ("charge", "CHF", "other", 1, 6),
        ("charge", "EUR", "other", 1, 2),  # narrower ones stay in force, however old
        ("charge", "EUR", "shop", -1, 0),
    ],
)
@pytest.mark.parametrize("schedules", [ALL, ALL[::-1]], ids=["forwards", "backwards"])
def test_narrowest_terms_apply(
    schedules: list[Schedule], type: str, currency: str, user_id: str, days: int, percent: int
) -> None:
    found = terms_for(newest_terms(schedules), type, currency, user_id, AT + timedelta(days=days))
    assert found == Terms(percent)


def test_terms_are_in_force_from_their_start() -> None:
    at = LATER.valid_from
    assert terms_for(newest_terms([ANY, LATER]), "charge", "EUR", "x", at - timedelta(microseconds=1)) == ANY.terms
    assert terms_for(newest_terms([ANY, LATER]), "charge", "EUR", "x", at) == LATER.terms


@given(
    st.builds(
        Terms,
        st.integers(0, WHOLE) | st.integers(0, 10_000),
        st.sampled_from([0, 0, 0, 1, 25]),
        st.sampled_from([0, 0, 0, 1, 50]),
        st.none() | st.integers(0, 100),
    )
)
def test_smallest_amount_with_fee_has_a_fee_and_none_below_has(terms: Terms) -> None:
    smallest = smallest_amount_with_fee(terms)
    if smallest is None:
        assert commission(MINOR_UNITS_MAX, terms) == 0
    else:
        assert commission(smallest, terms) > 0
        assert smallest == 1 or commission(smallest - 1, terms) == 0


@pytest.mark.parametrize(("percent", "smallest"), [(2, 26), (50, 2), (100, 1), (1, 51), (25, 3), (3, 17)])
def test_smallest_amount_with_fee_of_a_percentage(percent: int, smallest: int) -> None:
    assert smallest_amount_with_fee(Terms(percent * WHOLE // 100)) == smallest


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=40))
def test_minimum_of_one_unit_leaves_no_part_of_a_split_free(parts: list[int]) -> None:
    terms = TWO._replace(minimum=1)
    paid = [commission(part, terms) for part in parts]
    assert min(paid) >= 1
    whole = commission(sum(parts), terms)
    assert 2 * (whole - sum(paid)) <= len(parts) + 1, "what rounding saves is at most half a unit a part"
